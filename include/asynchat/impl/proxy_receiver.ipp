// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_PROXY_RECEIVER_IPP
#define ASYNCHAT_IMPL_PROXY_RECEIVER_IPP

#include <asynchat/detail/io/proxy_receiver.hpp>

#include <asynchat/detail/fmt_format.hpp>
#include <asynchat/detail/timing/later.hpp>
#include <asynchat/proxy_header.hpp>
#include <asynchat/server.hpp>

#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// As the system would tell the address.
inline endpoint endpoint_of(const proxy_fields::address& from, proxy_fields::kind family)
{
    using kind = proxy_fields::kind;
    if (family == kind::none)
        return {};
    if (family == kind::path) {
        sockaddr_un raw = {};
        raw.sun_family = AF_UNIX;
        const std::size_t size = from.path.copy(raw.sun_path, sizeof raw.sun_path);
        return endpoint::from_native(reinterpret_cast<const sockaddr*>(&raw),
                                     offsetof(sockaddr_un, sun_path) + size);
    }
    if (family == kind::ipv6)
        return asio::ip::tcp::endpoint(asio::ip::address_v6(from.bytes), from.port);
    asio::ip::address_v4::bytes_type v4;
    std::copy_n(from.bytes.begin(), v4.size(), v4.begin());
    return asio::ip::tcp::endpoint(asio::ip::address_v4(v4), from.port);
}

} // namespace detail

ASYNCHAT_RARE proxy_header::proxy_header(detail::proxy_fields&& from,
                                         std::chrono::steady_clock::time_point accepted)
    : source_(detail::endpoint_of(from.source, from.family)),
      destination_(detail::endpoint_of(from.destination, from.family)), tlvs_(std::move(from.tlvs)),
      accepted_(accepted), version_(from.version), is_local_(from.is_local)
{
}

ASYNCHAT_RARE std::optional<std::string_view> proxy_header::tlv(unsigned char type) const noexcept
{
    return detail::find_tlv(tlvs_, type);
}

ASYNCHAT_RARE const proxy_header* proxy_header::of(const dispatcher& channel) noexcept
{
    const auto* const slot = detail::channel_access::slot(channel);
    if (!slot)
        return nullptr;
    const auto& all = slot->server->proxy_headers;
    const auto found = all.find(&channel);
    return found == all.end() ? nullptr : found->second.get();
}

namespace detail {

// --- the input -------------------------------------------------------------------------------

ASYNCHAT_RARE proxy_input::result proxy_input::stopped(const std::error_code& error)
{
    if (is_would_block(error))
        return result::incomplete;
    const bool is_empty = header_.taken() == 0;
    if (error != asio::error::eof)
        return fail(is_empty && is_disconnected(error)
                        ? std::string()
                        : "the connection was lost in its PROXY header: " + error.message());
    return fail(is_empty ? std::string()
                         : fmt::format("it has ended its stream after {} bytes of its PROXY header",
                                       header_.taken()));
}

ASYNCHAT_RARE proxy_input::result proxy_input::fail(std::string why)
{
    error_ = std::move(why);
    return result::failed;
}

// --- the channel -----------------------------------------------------------------------------

ASYNCHAT_RARE proxy_receiver::proxy_receiver(loop& owner, socket connection,
                                             std::shared_ptr<server_state> server,
                                             proxy_input begun, loop::duration timeout)
    : dispatcher(owner), server_(std::move(server)), input_(std::move(begun)), since_(owner.now()),
      timeout_(timeout)
{
    channel_access::begin_receive(*this, std::move(connection),
                                  timeout == loop::duration::zero() ? deadlines::never
                                                                    : later(since_, timeout));
    number_ = server_->header_awaited(*this);
}

ASYNCHAT_RARE void proxy_receiver::handle_read()
{
    const auto result =
        input_.receive([this](asio::mutable_buffer into, bool keep, std::error_code& error) {
            return channel_access::receive_below(*this, into, keep, error);
        });
    if (result == proxy_input::result::incomplete)
        return;
    if (result == proxy_input::result::failed)
        return refuse(input_.error());
    socket connection = channel_access::end_receive(*this);
    close();
    server_base::proxy_received(*server_, std::move(connection), std::move(input_.fields()),
                                since_);
}

/// It took too long.
ASYNCHAT_RARE void proxy_receiver::handle_close()
{
    const std::chrono::duration<double> limit = timeout_;
    server_base::proxy_failed(*server_, addr(),
                              fmt::format("its PROXY header was not complete within {} s, the "
                                          "limit of proxy_timeout()",
                                          limit.count()));
    close();
}

ASYNCHAT_RARE void proxy_receiver::handle_error()
{
    refuse(exception_text());
}

ASYNCHAT_RARE void proxy_receiver::refuse(const std::string& why)
{
    close();
    server_base::proxy_failed(*server_, addr(), why);
}

ASYNCHAT_RARE void proxy_receiver::close()
{
    server_->header_ended(number_);
    dispatcher::close();
}

ASYNCHAT_RARE void proxy_receiver::close_all(server_state& server)
{
    while (!server.receivers.empty()) {
        ++server.counters.refused;
        server.receivers.begin()->second->close();
    }
}

} // namespace detail

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
