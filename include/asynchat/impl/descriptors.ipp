// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DESCRIPTORS_IPP
#define ASYNCHAT_IMPL_DESCRIPTORS_IPP

#include <asynchat/descriptors.hpp>

#include <asynchat/detail/io/system_calls.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// The most that Linux sends at a time (SCM_MAX_FD).
inline constexpr std::size_t max_descriptors = 253;

/// A message of one byte, with room for descriptors.
struct descriptor_message {
    explicit descriptor_message(std::size_t count)
    {
        header.msg_iov = &piece;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    descriptor_message(const descriptor_message&) = delete;
    descriptor_message& operator=(const descriptor_message&) = delete;

    char byte = 0;
    iovec piece{&byte, 1};
    msghdr header = {};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(max_descriptors * sizeof(int))> control = {};
};

inline int int_option_of(int descriptor, int level, int name, int otherwise) noexcept
{
    int value = otherwise;
    socklen_t size = sizeof value;
    ::getsockopt(descriptor, level, name, &value, &size);
    return value;
}

inline bool has_peer(int descriptor) noexcept
{
    sockaddr_storage peer = {};
    socklen_t size = sizeof peer;
    return ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

ASYNCHAT_RARE socket owned_socket(int descriptor)
{
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    const int type = int_option_of(descriptor, SOL_SOCKET, SO_TYPE, -1);
    if (type < 0 || ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0 ||
        ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        throw std::invalid_argument("asynchat: descriptor " + std::to_string(descriptor) +
                                    " is no socket");
    return socket(descriptor, address.ss_family, type);
}

ASYNCHAT_RARE endpoint address_of(const socket& from)
{
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    auto* const where = reinterpret_cast<sockaddr*>(&address);
    return ::getsockname(from.native_handle(), where, &size) == 0
               ? endpoint::from_native(where, size)
               : endpoint();
}

ASYNCHAT_RARE void require_listening(const socket& from)
{
    const int descriptor = from.native_handle();
    std::string what;
    if (!from)
        what = "there is no socket";
    else if (descriptor < 0 || int_option_of(descriptor, SOL_SOCKET, SO_TYPE, -1) != SOCK_STREAM)
        what = "it is no stream socket of the system";
    else if (int_option_of(descriptor, SOL_SOCKET, SO_ACCEPTCONN, 0) == 0)
        what = has_peer(descriptor) ? "it is a connection (with systemd, Accept= has to be \"no\")"
                                    : "call listen() for it first";
    if (!what.empty())
        throw std::invalid_argument("asynchat: the socket does not listen: " + what);
}

} // namespace detail

ASYNCHAT_RARE void send_descriptors(int connection, const std::vector<socket>& sockets)
{
    if (sockets.empty() || sockets.size() > detail::max_descriptors)
        throw std::invalid_argument("asynchat: send_descriptors() sends 1 to " +
                                    std::to_string(detail::max_descriptors) + " sockets, not " +
                                    std::to_string(sockets.size()));
    detail::descriptor_message message(sockets.size());
    cmsghdr* const rights = CMSG_FIRSTHDR(&message.header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sockets.size() * sizeof(int));
    unsigned char* to = CMSG_DATA(rights);
    for (const socket& each : sockets) {
        const int descriptor = each.native_handle();
        std::memcpy(to, &descriptor, sizeof descriptor);
        to += sizeof descriptor;
    }
    detail::without_sigpipe(connection); // which may be any socket of the program
    ssize_t sent = -1;
    do {
        sent = detail::send_message(connection, message.header);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        throw std::system_error(errno, std::system_category(), "asynchat: send_descriptors");
}

ASYNCHAT_RARE std::vector<socket> recv_descriptors(int connection, std::size_t max_count)
{
    detail::descriptor_message message(detail::max_descriptors);
    ssize_t received = -1;
    do {
        received = detail::receive_message(connection, message.header);
    } while (received < 0 && errno == EINTR);
    if (received < 0)
        throw std::system_error(errno, std::system_category(), "asynchat: recv_descriptors");
    // All of them are ours now: they have an owner before anything is refused.
    std::vector<socket> found;
    found.reserve(detail::max_descriptors);
    for (cmsghdr* part = CMSG_FIRSTHDR(&message.header); part;
         part = CMSG_NXTHDR(&message.header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof descriptor, sizeof descriptor);
            found.emplace_back(descriptor, AF_UNSPEC, SOCK_STREAM);
        }
    }
    if ((message.header.msg_flags & MSG_CTRUNC) != 0)
        throw std::system_error(std::make_error_code(std::errc::too_many_files_open),
                                "asynchat: recv_descriptors: some were lost");
    if (found.size() > max_count)
        throw std::length_error("asynchat: recv_descriptors: " + std::to_string(found.size()) +
                                " came, at most " + std::to_string(max_count) + " are allowed");
    for (socket& each : found) {
        socket known = detail::owned_socket(each.native_handle());
        each.release();
        each = std::move(known);
    }
    return found;
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
