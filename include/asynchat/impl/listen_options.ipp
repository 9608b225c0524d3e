// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_LISTEN_OPTIONS_IPP
#define ASYNCHAT_IMPL_LISTEN_OPTIONS_IPP

#include <asynchat/listen_options.hpp>

#include <asynchat/descriptors.hpp>
#include <asynchat/detail/io/joint_listener.hpp>
#include <asynchat/detail/io/network.hpp>
#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/detail/io/system_calls.hpp>
#include <asynchat/dispatcher.hpp>
#include <asynchat/escape.hpp>

#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/resolver_base.hpp>
#include <asio/ip/tcp.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <thread>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

inline void set_int_option(int descriptor, int level, int name, int value, const char* what)
{
    if (::setsockopt(descriptor, level, name, &value, sizeof value) != 0)
        throw std::system_error(errno, std::system_category(), what);
}

/// A descriptor that is closed at the end.
class scoped_descriptor {
public:
    explicit scoped_descriptor(int descriptor) noexcept : descriptor_(descriptor) {}
    ~scoped_descriptor()
    {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }
    scoped_descriptor(const scoped_descriptor&) = delete;
    scoped_descriptor& operator=(const scoped_descriptor&) = delete;

    int get() const noexcept { return descriptor_; }

private:
    int descriptor_;
};

/// Whether nobody listens on the UNIX socket any more. A full backlog is not refused.
inline bool is_dead_socket(const endpoint& where)
{
    const auto native = where.native();
    const scoped_descriptor probe(open_socket(AF_UNIX, SOCK_STREAM));
    return probe.get() >= 0 && ::fcntl(probe.get(), F_SETFL, O_NONBLOCK) == 0 &&
           ::connect(probe.get(), native.data(), static_cast<socklen_t>(native.size())) != 0 &&
           errno == ECONNREFUSED;
}

/// The lock of a folder, for servers that replace files of UNIX sockets in it. A socket that is
/// bound and does not listen yet looks dead, so it is held from before bind() until after listen().
class folder_lock {
public:
    explicit folder_lock(const std::string& path)
        : folder_(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
          is_held_(folder_.get() >= 0 && lock())
    {
    }
    ~folder_lock()
    {
        if (is_held_)
            ::flock(folder_.get(), LOCK_UN); // also if a child has a copy of the descriptor
    }
    folder_lock(const folder_lock&) = delete;
    folder_lock& operator=(const folder_lock&) = delete;

    bool is_held() const noexcept { return is_held_; }

private:
    static std::string folder_of(const std::string& path)
    {
        const auto slash = path.rfind('/');
        return slash == path.npos ? "." : path.substr(0, slash + 1);
    }

    /// Other servers need it for a moment. A program that was stopped meanwhile, or uses the lock
    /// for something else, may keep it for ever, so the wait has an end.
    bool lock() const
    {
        using std::chrono::steady_clock;
        const auto end = steady_clock::now() + std::chrono::seconds(1);
        while (::flock(folder_.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK || steady_clock::now() > end)
                return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return true;
    }

    scoped_descriptor folder_;
    bool is_held_;
};

/// Removes the file of a UNIX socket on which nobody listens. Returns whether it did.
inline bool remove_dead_socket(const endpoint& where)
{
    const std::string path = where.host();
    struct stat file = {};
    return ::lstat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode) && is_dead_socket(where) &&
           ::unlink(path.c_str()) == 0;
}

inline bool has_file(transport& listener, const endpoint& where)
{
    return listener.native_handle() >= 0 && where.is_unix() && !where.host().empty() &&
           where.host().front() != '\0';
}

} // namespace detail

// --- where -----------------------------------------------------------------------------------

ASYNCHAT_RARE listen_options::listen_options(std::string_view host, std::int64_t port)
{
    if (port < 0 || port > 65535)
        detail::refuse_port(std::to_string(port));
    if (host.find('\0') != host.npos)
        throw std::invalid_argument("asynchat: the host '" + detail::quoted(host) +
                                    "' has a NUL inside");
    using asio::ip::resolver_base;
    asio::io_context context;
    asio::ip::tcp::resolver resolver(context);
    std::error_code error;
    const auto found =
        resolver.resolve(std::string(host), std::to_string(port),
                         resolver_base::passive | resolver_base::numeric_service, error);
    if (error)
        throw std::system_error(detail::to_std(error),
                                "asynchat: look-up of '" + detail::quoted(host) + "'");
    for (const auto& entry : found)
        add_address(entry.endpoint(), found.size() > 1);
}

ASYNCHAT_RARE listen_options::listen_options(socket listening)
{
    detail::require_listening(listening);
    endpoint where = detail::address_of(listening);
    places_.push_back({std::move(where), false, std::make_shared<socket>(std::move(listening))});
}

ASYNCHAT_RARE listen_options& listen_options::add(const listen_options& more)
{
    const auto added = more.places_; // which may be ours
    for (const place& each : added) {
        if (each.listening)
            places_.push_back(each);
        else
            add_address(each.where, each.may_be_missing);
    }
    return *this;
}

/// A name may have an address more than once.
ASYNCHAT_RARE void listen_options::add_address(endpoint where, bool may_be_missing)
{
    const auto is_same = [&](const place& each) { return !each.listening && each.where == where; };
    if (std::none_of(places_.begin(), places_.end(), is_same))
        places_.push_back({std::move(where), may_be_missing, nullptr});
}

ASYNCHAT_RARE bool listen_options::has_sockets() const noexcept
{
    return std::any_of(places_.begin(), places_.end(),
                       [](const place& each) { return each.listening != nullptr; });
}

ASYNCHAT_RARE bool listen_options::has_sockets_only() const noexcept
{
    return std::all_of(places_.begin(), places_.end(),
                       [](const place& each) { return each.listening != nullptr; });
}

ASYNCHAT_RARE bool listen_options::has_paths() const noexcept
{
    return std::any_of(places_.begin(), places_.end(),
                       [](const place& each) { return each.where.is_unix(); });
}

ASYNCHAT_RARE void listen_options::require_free() const
{
    for (const place& each : places_) {
        if (!each.where.is_ip() || each.where.port() == 0)
            continue;
        const auto native = each.where.native();
        const socket probe = detail::socket_transport::open(each.where.family(), SOCK_STREAM);
        set_options(probe.native_handle(), each.where);
        if (::bind(probe.native_handle(), native.data(), static_cast<socklen_t>(native.size())) !=
                0 &&
            errno == EADDRINUSE)
            throw std::system_error(errno, std::system_category(),
                                    "asynchat: bind to " + detail::quoted(each.where.to_string()));
    }
}

// --- listening -------------------------------------------------------------------------------

ASYNCHAT_RARE std::vector<std::unique_ptr<transport>> listen_options::open(loop& owner) const
{
    constexpr int max_tries = 10;
    std::vector<std::unique_ptr<transport>> opened;
    for (int tries = 1; !open_all(owner, opened, tries < max_tries); ++tries)
        opened.clear();
    take_all(owner, opened);
    return opened;
}

/// Opens the addresses, and leaves a null pointer for each socket that listens already. False if
/// the port that the system has chosen for the first address is in use at another one, and another
/// port may be tried.
ASYNCHAT_RARE bool listen_options::open_all(loop& owner,
                                            std::vector<std::unique_ptr<transport>>& opened,
                                            bool may_try_again) const
{
    std::exception_ptr missing;
    std::uint16_t port = 0;
    for (const place& each : places_) {
        if (each.listening) {
            opened.push_back(nullptr);
            continue;
        }
        const bool gets_port = port != 0 && each.where.is_ip() && each.where.port() == 0;
        try {
            opened.push_back(
                open_address(owner, gets_port ? endpoint(each.where.host(), port) : each.where));
        } catch (const std::system_error& error) {
            if (gets_port && may_try_again && error.code() == std::errc::address_in_use)
                return false;
            if (!each.may_be_missing || (error.code() != std::errc::address_not_available &&
                                         error.code() != std::errc::address_family_not_supported))
                throw;
            missing = std::current_exception();
            continue;
        }
        if (each.where.is_ip() && port == 0)
            port = opened.back()->local_endpoint().port();
    }
    if (opened.empty() && missing)
        std::rethrow_exception(missing);
    return true;
}

ASYNCHAT_RARE std::unique_ptr<transport> listen_options::open_address(loop& owner,
                                                                      const endpoint& where) const
{
    detail::network* const network = detail::channel_access::network_of(owner);
    auto listener =
        network ? network->open(where.family(), SOCK_STREAM)
                : detail::socket_transport::make(owner.context(), where.family(), SOCK_STREAM);
    if (where.is_ip() && !network)
        set_options(listener->native_handle(), where);
    std::optional<detail::folder_lock> lock;
    if (remove_dead_socket_ && detail::has_file(*listener, where))
        lock.emplace(where.host());
    std::error_code error;
    listener->bind(where, error);
    if (lock && lock->is_held() && detail::to_std(error) == std::errc::address_in_use &&
        detail::remove_dead_socket(where))
        listener->bind(where, error);
    if (error)
        throw std::system_error(detail::to_std(error),
                                "asynchat: bind to " + detail::quoted(where.to_string()));
    listener->listen(backlog_, error);
    if (error)
        throw std::system_error(detail::to_std(error),
                                "asynchat: listen on " + detail::quoted(where.to_string()));
    return listener;
}

ASYNCHAT_RARE void listen_options::set_options(int descriptor, const endpoint& where) const
{
    const int on = 1; // where it fails it is not needed, or bind() reports the error
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (reuse_port_)
        detail::set_int_option(descriptor, SOL_SOCKET,
                               detail::number_of(detail::socket_option::reuse_port), 1,
                               "asynchat: reuse_port");
    if (where.family() == AF_INET6 && (dualstack_ipv6_ || places_.size() > 1))
        detail::set_int_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY,
                               dualstack_ipv6_.value_or(false) ? 0 : 1, "asynchat: dualstack_ipv6");
}

/// Takes the sockets last, when nothing else can fail. If one cannot be had, the others are given
/// back.
ASYNCHAT_RARE void listen_options::take_all(loop& owner,
                                            std::vector<std::unique_ptr<transport>>& opened) const
{
    std::vector<std::pair<socket*, transport*>> taken;
    taken.reserve(opened.size());
    try {
        auto next = opened.begin();
        for (const place& each : places_) {
            if (!each.listening)
                continue;
            next = std::find(next, opened.end(), nullptr);
            *next = take(owner, *each.listening);
            taken.emplace_back(each.listening.get(), next->get());
        }
    } catch (...) {
        for (const auto& [from, listener] : taken)
            *from = detail::channel_access::socket_of(*listener)->release({});
        throw;
    }
}

ASYNCHAT_RARE std::unique_ptr<transport> listen_options::take(loop& owner, socket& from)
{
    if (!from)
        throw std::logic_error("asynchat: another server has taken the socket that listens");
    socket known = detail::owned_socket(from.native_handle());
    from.release();
    from = std::move(known);
    const int family = from.family();
    const int on = 1;
    if (family == AF_INET || family == AF_INET6)
        ::setsockopt(from.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return std::make_unique<detail::socket_transport>(owner.context(), std::move(from));
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
