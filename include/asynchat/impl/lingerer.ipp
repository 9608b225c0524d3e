// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_LINGERER_IPP
#define ASYNCHAT_IMPL_LINGERER_IPP

#include <asynchat/detail/io/lingerer.hpp>

#include <asynchat/detail/server_state.hpp>
#include <asynchat/detail/timing/later.hpp>
#include <asynchat/dispatcher.hpp>

#include <asio/buffer.hpp>

#include <array>
#include <memory>

namespace asynchat {

namespace detail {

/// What is left of a channel that was closed after all its output was sent: reads, and drops, what
/// the other side still sends until it comes to our end.
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

ASYNCHAT_DECL void loop::linger(std::unique_ptr<detail::transport> connection, duration timeout,
                                detail::address_slot* place)
{
    lingerers_.tidy();
    if (lingerers_.is_full())
        end_oldest_linger();
    auto channel = std::make_shared<detail::lingerer>(*this);
    dispatcher& base = *channel;
    base.set_transport(std::move(connection));
    base.connected_ = true;
    base.close_at(detail::later(now(), timeout));
    base.state_->lingers = true;
    lingerers_.add(base.state_);
    if (place) {
        detail::server_state::begin_linger(*place);
        base.slot_ = place;
    }
    adopt(std::move(channel), true, false);
}

ASYNCHAT_DECL void loop::end_oldest_linger(const detail::server_state* server,
                                           const detail::address_slot* place)
{
    for (const auto& state : lingerers_) {
        const auto channel = state->channel;
        if (!channel || (place && channel->slot_ != place) ||
            (server && (!channel->slot_ || channel->slot_->server.get() != server)))
            continue;
        return channel->close();
    }
}

} // namespace asynchat

#endif
