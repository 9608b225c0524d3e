// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef SMTP_SINK_MAILDIR_HPP
#define SMTP_SINK_MAILDIR_HPP

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace smtp {

[[noreturn]] inline void fail(const std::string& what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

// A descriptor that is closed at the end.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    ~descriptor() { reset(); }
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept
    {
        reset();
        fd_ = std::exchange(other.fd_, -1);
        return *this;
    }

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ != -1; }

private:
    void reset() noexcept
    {
        if (fd_ != -1)
            ::close(fd_);
    }

    int fd_ = -1;
};

// A folder of mail: messages are written in tmp/, and moved to new/ when they are complete. Mail
// programs move them on to cur/.
class maildir {
public:
    // Makes the folders that are missing, and removes what a killed smtp_sink has left in tmp/.
    // Throws std::system_error; also when another smtp_sink has this maildir.
    explicit maildir(const std::string& root)
    {
        folder(root);
        folder(root + "/cur");
        new_ = folder(root + "/new");
        tmp_ = folder(root + "/tmp");
        if (::flock(tmp_.get(), LOCK_EX | LOCK_NB) != 0)
            fail(root + ": another smtp_sink writes here");
        remove_left_over();
    }

    int new_folder() const noexcept { return new_.get(); }
    int tmp_folder() const noexcept { return tmp_.get(); }

    // A name that no message in the folder has, or will have.
    std::string unique_name()
    {
        using namespace std::chrono;
        const auto now = system_clock::now().time_since_epoch();
        const auto seconds = duration_cast<std::chrono::seconds>(now);
        return fmt::format("{}.M{:06}P{}Q{}.{}", seconds.count(),
                           duration_cast<microseconds>(now - seconds).count(), ::getpid(), ++count_,
                           host_);
    }

    const std::string& host() const noexcept { return host_; }

    // Names in tmp/ have this in front. It tells them from those of other programs.
    static constexpr std::string_view prefix = "smtp_sink.";

private:
    static descriptor folder(const std::string& path)
    {
        if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
            fail(path);
        descriptor result(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!result)
            fail(path);
        sync_parent(path);
        return result;
    }

    // Else a crash could take the folder away, with all that was written into it. Who has made it,
    // and has not synced this, is unknown: it may have been a run that was killed.
    static void sync_parent(const std::string& path)
    {
        const descriptor parent(::open((path + "/..").c_str(), O_RDONLY | O_CLOEXEC));
        if (!parent || ::fsync(parent.get()) != 0)
            fail(path + "/..");
    }

    void remove_left_over()
    {
        DIR* const all = ::fdopendir(::dup(tmp_.get()));
        if (!all)
            fail("tmp");
        while (const dirent* each = ::readdir(all)) {
            if (std::string_view(each->d_name).substr(0, prefix.size()) == prefix)
                ::unlinkat(tmp_.get(), each->d_name, 0);
        }
        ::closedir(all);
    }

    // This machine's name, without what a name of a file, or an answer of SMTP, must not have.
    static std::string host_name()
    {
        char name[256] = "";
        ::gethostname(name, sizeof name - 1);
        std::string result(name);
        for (char& each : result) {
            const bool is_plain = (each >= '0' && each <= '9') || (each >= 'A' && each <= 'Z') ||
                                  (each >= 'a' && each <= 'z') || each == '.';
            if (!is_plain)
                each = '-';
        }
        return result.empty() ? "localhost" : result;
    }

    descriptor new_;
    descriptor tmp_;
    std::string host_ = host_name();
    std::size_t count_ = 0;
};

// A message on its way into a maildir. Its destructor removes it unless it has arrived. May be used
// in any thread, but only in one at a time.
class incoming {
public:
    explicit incoming(maildir& where) : maildir_(where), name_(where.unique_name()) {}

    ~incoming()
    {
        if (file_)
            ::unlinkat(maildir_.tmp_folder(), temporary_.c_str(), 0);
    }
    incoming(const incoming&) = delete;
    incoming& operator=(const incoming&) = delete;

    // Its name in new/; commit() may change it.
    const std::string& name() const noexcept { return name_; }

    // Throws std::system_error. The first call makes the file.
    void append(std::string_view text)
    {
        if (!file_)
            open();
        while (!text.empty()) {
            const ssize_t written = ::write(file_.get(), text.data(), text.size());
            if (written < 0 && errno != EINTR)
                fail(name_);
            text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
        }
    }

    // The message is in new/ when this returns, and survives a loss of power. Throws
    // std::system_error; then it is not there.
    void commit()
    {
        if (::fsync(file_.get()) != 0)
            fail(name_);
        move_to_new();
        file_ = descriptor();
        if (::fsync(maildir_.new_folder()) != 0) {
            const int error = errno;
            ::unlinkat(maildir_.new_folder(), name_.c_str(), 0);
            errno = error;
            fail("new");
        }
    }

private:
    // A rename could replace another message, if ever a name comes twice; a link cannot.
    void move_to_new()
    {
        const std::string first = name_;
        for (int more = 1; ::linkat(maildir_.tmp_folder(), temporary_.c_str(),
                                    maildir_.new_folder(), name_.c_str(), 0) != 0;
             ++more) {
            if (errno != EEXIST || more > 100)
                fail(name_);
            name_ = fmt::format("{}.{}", first, more);
        }
        ::unlinkat(maildir_.tmp_folder(), temporary_.c_str(), 0); // else the next start does it
    }

    void open()
    {
        file_ = descriptor(::openat(maildir_.tmp_folder(), temporary_.c_str(),
                                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!file_)
            fail(name_);
    }

    maildir& maildir_;
    std::string name_;
    const std::string temporary_ = std::string(maildir::prefix) + name_; // in tmp/
    descriptor file_;
};

} // namespace smtp

#endif
