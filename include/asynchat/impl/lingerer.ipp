// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_LINGERER_IPP
#define ASYNCHAT_IMPL_LINGERER_IPP

#include <asynchat/detail/io/lingerer.hpp>

#include <asynchat/dispatcher.hpp>
#include <asynchat/detail/server_state.hpp>
#include <asynchat/detail/timing/later.hpp>

#include <asio/buffer.hpp>

#include <array>
#include <memory>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// Keeps the connection of a channel that was closed after all its output was sent. It reads and
/// drops the input until the peer has seen our end of the stream.
class lingerer final : public dispatcher {
public:
    using dispatcher::dispatcher;

    void handle_read() override
    {
        std::array<char, 16384> dropped;
        for (int i = 0; i < 16 && recv(asio::buffer(dropped)) > 0; ++i) {
        }
    }
    void handle_eof() override { close(); }
    void handle_close() override { close(); }
    void handle_error() override { close(); }
};

} // namespace detail

ASYNCHAT_RARE void loop::linger(std::unique_ptr<transport> connection, duration timeout,
                                detail::address_slot* slot)
{
    lingerers_.tidy();
    if (lingerers_.is_full())
        end_oldest_linger();
    const creation allows_it(*this);
    auto channel = std::make_shared<detail::lingerer>(*this);
    using access = detail::channel_access;
    access::begin_linger(*channel, std::move(connection), detail::later(now(), timeout));
    lingerers_.add(access::state(*channel));
    if (slot) {
        detail::server_state::begin_linger(*slot);
        access::set_slot(*channel, slot);
    }
    adopt(channel, true, false);
    begin(channel);
}

ASYNCHAT_RARE void loop::end_oldest_linger(const detail::server_state* server,
                                           const detail::address_slot* slot)
{
    for (const auto& state : lingerers_) {
        const auto channel = state->channel();
        if (!channel)
            continue;
        const auto* const its_slot = detail::channel_access::slot(*channel);
        if (slot && its_slot != slot)
            continue;
        if (!server || (its_slot && its_slot->server.get() == server))
            return channel->close();
    }
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
