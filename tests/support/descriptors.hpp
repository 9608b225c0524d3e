// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_DESCRIPTORS_HPP
#define ASYNCHAT_TESTS_SUPPORT_DESCRIPTORS_HPP

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// Descriptors and files of a test's own, without a library in between.
namespace support {

inline void check_call(bool succeeded, const char* what)
{
    if (!succeeded)
        throw std::system_error(errno, std::system_category(), what);
}

/// A descriptor of the test's own.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~descriptor() { close(); }

    int get() const noexcept { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }
    void close() noexcept
    {
        if (fd_ >= 0)
            ::close(std::exchange(fd_, -1));
    }

private:
    int fd_ = -1;
};

inline bool is_open(int fd)
{
    return ::fcntl(fd, F_GETFD) != -1;
}

inline int int_option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    check_call(::getsockopt(fd, level, name, &value, &size) == 0, "getsockopt");
    return value;
}

inline std::pair<descriptor, descriptor> make_pipe()
{
    int ends[2];
    check_call(::pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    return {descriptor(ends[0]), descriptor(ends[1])};
}

/// A file without a name, with this content and the position at its start.
inline descriptor make_file(std::string_view content)
{
    char name[] = "/tmp/asynchat-test-XXXXXX";
    descriptor file(::mkostemp(name, O_CLOEXEC));
    check_call(file.get() >= 0, "mkostemp");
    ::unlink(name);
    check_call(::pwrite(file.get(), content.data(), content.size(), 0) ==
                   static_cast<ssize_t>(content.size()),
               "pwrite");
    return file;
}

/// Another soft limit for the number of descriptors, for the time being.
class descriptor_limit {
public:
    explicit descriptor_limit(rlim_t most)
    {
        check_call(::getrlimit(RLIMIT_NOFILE, &before_) == 0, "getrlimit");
        rlimit limit = before_;
        limit.rlim_cur = most;
        possible_ = ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
    }
    ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    descriptor_limit(const descriptor_limit&) = delete;
    descriptor_limit& operator=(const descriptor_limit&) = delete;

    bool possible() const noexcept { return possible_; }

private:
    rlimit before_ = {};
    bool possible_ = false;
};

/// A new directory, removed with the sockets and files in it.
class temp_dir {
public:
    temp_dir()
    {
        char name[] = "/tmp/asynchat-test-XXXXXX";
        check_call(::mkdtemp(name) != nullptr, "mkdtemp");
        path_ = name;
    }
    ~temp_dir()
    {
        for (const std::string& name : names_)
            ::unlink(name.c_str());
        ::rmdir(path_.c_str());
    }
    temp_dir(const temp_dir&) = delete;
    temp_dir& operator=(const temp_dir&) = delete;

    std::string file(const std::string& name)
    {
        names_.push_back(path_ + "/" + name);
        return names_.back();
    }

private:
    std::string path_;
    std::vector<std::string> names_;
};

/// What is written to standard error while this lives.
class captured_stderr {
public:
    captured_stderr() : file_(make_file({}))
    {
        std::fflush(stderr);
        before_ = descriptor(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10));
        check_call(::dup2(file_.get(), STDERR_FILENO) >= 0, "dup2");
    }
    ~captured_stderr() { restore(); }
    captured_stderr(const captured_stderr&) = delete;
    captured_stderr& operator=(const captured_stderr&) = delete;

    /// Ends the capture.
    std::string text()
    {
        restore();
        std::string all(65536, '\0');
        const ssize_t got = ::pread(file_.get(), all.data(), all.size(), 0);
        all.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return all;
    }

private:
    void restore()
    {
        std::fflush(stderr);
        if (before_.get() >= 0)
            ::dup2(before_.get(), STDERR_FILENO);
        before_.close();
    }

    descriptor file_;
    descriptor before_;
};

} // namespace support

#endif
