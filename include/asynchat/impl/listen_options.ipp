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
#include <exception>
#include <stdexcept>

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

/// Removes the file of a UNIX socket on which nobody listens, and then calls `bind()`. The lock of
/// the folder keeps other programs of the library from doing the same in between.
template <class Bind>
void replace_dead_socket(const endpoint& where, Bind bind)
{
    const std::string path = where.host();
    const auto slash = path.rfind('/');
    const std::string folder = slash == path.npos ? "." : path.substr(0, slash + 1);
    const scoped_descriptor lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock.get() < 0 || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return;
    struct stat file = {};
    if (::lstat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode) && is_dead_socket(where) &&
        ::unlink(path.c_str()) == 0)
        bind();
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
    return opened;
}

/// False if the port that the system has chosen for the first address is in use at another one, and
/// another port may be tried.
ASYNCHAT_RARE bool listen_options::open_all(loop& owner,
                                            std::vector<std::unique_ptr<transport>>& opened,
                                            bool may_try_again) const
{
    std::exception_ptr missing;
    std::uint16_t port = 0;
    for (const place& each : places_) {
        if (each.listening) {
            opened.push_back(take(owner, each));
            continue;
        }
        const bool gets_port = port != 0 && each.where.is_ip() && each.where.port() == 0;
        try {
            opened.push_back(
                open_address(owner, gets_port ? endpoint(each.where.host(), port) : each.where));
        } catch (const std::system_error& error) {
            if (gets_port && may_try_again && error.code() == std::errc::address_in_use &&
                !has_sockets()) // which are taken only once
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
    bind(*listener, where);
    std::error_code error;
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

ASYNCHAT_RARE void listen_options::bind(transport& listener, const endpoint& where) const
{
    std::error_code error;
    listener.bind(where, error);
    const bool has_file = listener.native_handle() >= 0 && where.is_unix() &&
                          !where.host().empty() && where.host().front() != '\0';
    if (remove_dead_socket_ && has_file && detail::to_std(error) == std::errc::address_in_use)
        detail::replace_dead_socket(where, [&] { listener.bind(where, error); });
    if (error)
        throw std::system_error(detail::to_std(error),
                                "asynchat: bind to " + detail::quoted(where.to_string()));
}

ASYNCHAT_RARE std::unique_ptr<transport> listen_options::take(loop& owner, const place& from)
{
    socket listening = std::move(*from.listening);
    if (!listening)
        throw std::logic_error("asynchat: another server has taken the socket that listens");
    listening = detail::owned_socket(listening.release());
    const int family = listening.family();
    const int on = 1;
    if (family == AF_INET || family == AF_INET6)
        ::setsockopt(listening.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return std::make_unique<detail::socket_transport>(owner.context(), std::move(listening));
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
