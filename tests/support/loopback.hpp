// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_LOOPBACK_HPP
#define ASYNCHAT_TESTS_SUPPORT_LOOPBACK_HPP

#include <asynchat/asynchat.hpp>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// What the tests over real sockets share: peers without a library in between, bounded waiting,
// addresses of every family. Nothing here sleeps, and nothing waits longer than `patience`.
namespace support {

inline constexpr std::chrono::seconds patience{20};

struct test_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// --- running a loop ---------------------------------------------------------------------------

/// Makes a run() that does not end by itself throw, as long as this lives.
class deadline {
public:
    explicit deadline(asynchat::loop& loop)
        : timer_(loop.call_later(patience, [] { throw test_error("the loop does not end"); }))
    {
    }
    ~deadline() { timer_.cancel(); }
    deadline(const deadline&) = delete;
    deadline& operator=(const deadline&) = delete;

private:
    asynchat::timer timer_;
};

/// Runs the loop until `done()`; false when that takes too long.
template <class Done>
bool run_until(asynchat::loop& loop, Done done)
{
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!done()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        loop.poll(std::chrono::milliseconds(20));
    }
    return true;
}

/// Serves what is ready until nothing is. False when there is no end to it: something spins.
inline bool settle(asynchat::loop& loop)
{
    int quiet = 0;
    for (int pass = 0; pass < 1000; ++pass) {
        if (loop.poll())
            quiet = 0;
        else if (++quiet == 3)
            return true;
    }
    return false;
}

// --- the program ------------------------------------------------------------------------------

/// Whether the address sanitizer, which opens descriptors and keeps memory, is in the program.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#  if __has_feature(address_sanitizer)
inline constexpr bool sanitized = true;
#  else
inline constexpr bool sanitized = false;
#  endif
#else
inline constexpr bool sanitized = false;
#endif

// --- the machine ------------------------------------------------------------------------------

/// What tests that look a name up need, which a bare machine may lack.
inline bool finds_localhost()
{
    addrinfo hints = {};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo("localhost", nullptr, &hints, &found) != 0)
        return false;
    ::freeaddrinfo(found);
    return true;
}

// --- descriptors ------------------------------------------------------------------------------

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

// --- addresses --------------------------------------------------------------------------------

/// An address of this machine that is free: port 0, or a new path in `dir`.
inline asynchat::endpoint free_address(int family, temp_dir& dir)
{
    static int count = 0;
    if (family == AF_UNIX)
        return asynchat::endpoint::unix_path(dir.file("s" + std::to_string(++count)));
    return asynchat::endpoint(family == AF_INET ? "127.0.0.1" : "::1", 0);
}

inline asynchat::endpoint local_endpoint_of(int fd)
{
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    check_call(::getsockname(fd, raw, &size) == 0, "getsockname");
    return asynchat::endpoint::from_native(raw, size);
}

// --- peers ------------------------------------------------------------------------------------

/// The other side of a connection: a plain socket, so that the test says what it does and when.
class raw_peer {
public:
    raw_peer() = default;
    explicit raw_peer(descriptor socket) : socket_(std::move(socket)) {}
    explicit raw_peer(asynchat::socket socket) : socket_(socket.release()) {}

    /// Connected, at once: the listener's backlog has room.
    static raw_peer connected_to(const asynchat::endpoint& where)
    {
        raw_peer peer(descriptor(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)));
        const auto native = where.native();
        check_call(::connect(peer.fd(), native.data(), static_cast<socklen_t>(native.size())) == 0,
                   "connect");
        return peer;
    }

    int fd() const noexcept { return socket_.get(); }

    void send(std::string_view bytes, int flags = 0)
    {
        check_call(::send(fd(), bytes.data(), bytes.size(), flags | MSG_NOSIGNAL) ==
                       static_cast<ssize_t>(bytes.size()),
                   "send");
    }

    /// All that came so far. Never waits.
    const std::string& received()
    {
        char buffer[65536];
        while (!ended_ && error_ == 0) {
            const ssize_t got = ::recv(fd(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (got > 0)
                received_.append(buffer, static_cast<std::size_t>(got));
            else if (got == 0)
                ended_ = true;
            else if (errno == EAGAIN)
                break;
            else
                error_ = errno;
        }
        return received_;
    }

    /// Receives at most so many bytes of what is there, for nobody. Returns how many.
    std::size_t drop(std::size_t max_bytes)
    {
        std::vector<char> buffer(max_bytes);
        const ssize_t got = ::recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        return got > 0 ? static_cast<std::size_t>(got) : 0;
    }

    /// Whether the other side has ended its stream, and how.
    bool ended()
    {
        received();
        return ended_ || error_ != 0;
    }
    int error()
    {
        received();
        return error_;
    }

    void shut_down_output() { ::shutdown(fd(), SHUT_WR); }
    void close() { socket_.close(); }

    /// Closes so that the other side sees a reset (TCP).
    void reset()
    {
        const linger at_once{1, 0};
        ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close();
    }

private:
    descriptor socket_;
    std::string received_;
    bool ended_ = false;
    int error_ = 0;
};

/// A listening plain socket.
class raw_listener {
public:
    explicit raw_listener(const asynchat::endpoint& where, int backlog = SOMAXCONN)
        : socket_(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const auto native = where.native();
        check_call(::bind(fd(), native.data(), static_cast<socklen_t>(native.size())) == 0, "bind");
        check_call(::listen(fd(), backlog) == 0, "listen");
    }

    int fd() const noexcept { return socket_.get(); }
    asynchat::endpoint address() const { return local_endpoint_of(fd()); }

    /// A connection that was made already.
    raw_peer accept()
    {
        raw_peer peer(descriptor(::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC)));
        check_call(peer.fd() >= 0, "accept4");
        return peer;
    }

private:
    descriptor socket_;
};

/// An address of `family` (not AF_UNIX) on which nobody listens, as long as this lives.
class refusing_address {
public:
    explicit refusing_address(int family, std::uint16_t port = 0)
        : socket_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const asynchat::endpoint where(family == AF_INET ? "127.0.0.1" : "::1", port);
        const auto native = where.native();
        bound_ = ::bind(socket_.get(), native.data(), static_cast<socklen_t>(native.size())) == 0;
    }

    bool bound() const noexcept { return bound_; }
    asynchat::endpoint address() const { return local_endpoint_of(socket_.get()); }

private:
    descriptor socket_;
    bool bound_ = false;
};

/// A connection over TCP (or UNIX sockets): one end for a channel, the other one for the test.
inline std::pair<asynchat::socket, raw_peer> connected_pair(int family = AF_INET)
{
    if (family == AF_UNIX) {
        auto ends = asynchat::socket::pair();
        return {std::move(ends.first), raw_peer(std::move(ends.second))};
    }
    temp_dir unused;
    raw_listener listener(free_address(family, unused));
    raw_peer peer = raw_peer::connected_to(listener.address());
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    const int fd = ::accept4(listener.fd(), raw, &size, SOCK_CLOEXEC);
    check_call(fd >= 0, "accept4");
    return {asynchat::socket(fd, family, SOCK_STREAM, asynchat::endpoint::from_native(raw, size)),
            std::move(peer)};
}

// --- channels ---------------------------------------------------------------------------------

/// A channel whose log lines are kept instead of written.
template <class Base>
class logging : public Base {
public:
    using Base::Base;

    std::vector<std::string> lines; // "type: text", warnings included

    void handle_log(asynchat::log_type type, std::string_view message) override
    {
        lines.push_back(std::string(to_string(type)) + ": " + std::string(message));
    }

    /// How many lines contain `part`.
    std::size_t logged(std::string_view part) const
    {
        std::size_t count = 0;
        for (const std::string& line : lines)
            count += line.find(part) != std::string::npos ? 1 : 0;
        return count;
    }
};

/// A dispatcher that notes its handlers' names, and keeps what it receives.
class recorder : public logging<asynchat::dispatcher> {
public:
    using logging::logging;

    std::vector<std::string> calls;
    std::string input;
    bool survives = false;    // handle_error() does not close
    bool wants_write = false; // the answer of writable()
    std::string error_text;   // what handle_error() was called for
    std::error_code error;
    asynchat::close_reason error_reason = asynchat::close_reason::open;

    bool writable() override { return wants_write; }
    void handle_read() override
    {
        calls.push_back("handle_read");
        char buffer[4096];
        input.append(buffer, recv(asio::buffer(buffer)));
    }
    void handle_write() override { calls.push_back("handle_write"); }
    void handle_connect() override
    {
        calls.push_back(connected() ? "handle_connect, connected" : "handle_connect");
    }
    void handle_expt() override { calls.push_back("handle_expt"); }
    void handle_close() override
    {
        calls.push_back("handle_close");
        close();
    }
    void handle_error() override
    {
        calls.push_back("handle_error");
        error_reason = close_reason();
        try {
            throw;
        } catch (const std::system_error& e) {
            error_text = e.what();
            error = e.code();
        } catch (const std::exception& e) {
            error_text = e.what();
        }
        if (!survives)
            logging::handle_error();
    }

    std::size_t count(std::string_view call) const
    {
        std::size_t found = 0;
        for (const std::string& each : calls)
            found += each == call ? 1 : 0;
        return found;
    }
};

/// Echoes what it receives: the neighbour that has to go on whatever happens to others.
class echo_channel : public logging<asynchat::dispatcher_with_send> {
public:
    using logging::logging;

    void handle_read() override
    {
        char buffer[4096];
        send(std::string_view(buffer, recv(asio::buffer(buffer))));
    }
};

/// An echo channel and its peer.
class honest_pair {
public:
    explicit honest_pair(asynchat::loop& loop) : loop_(loop)
    {
        auto ends = connected_pair(AF_UNIX);
        loop.create<echo_channel>(std::move(ends.first));
        peer_ = std::move(ends.second);
    }

    /// Sends a line and runs the loop until it has come back.
    bool works()
    {
        const std::string wanted = peer_.received() + "ping";
        peer_.send("ping");
        return run_until(loop_, [&] { return peer_.received() == wanted || peer_.ended(); }) &&
               peer_.received() == wanted;
    }

private:
    asynchat::loop& loop_;
    raw_peer peer_;
};

// --- standard error ---------------------------------------------------------------------------

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
