// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_CHANNEL_ACCESS_IPP
#define ASYNCHAT_IMPL_CHANNEL_ACCESS_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/transport.hpp>

namespace asynchat::detail {

ASYNCHAT_DECL void channel_access::set_transport(dispatcher& channel,
                                                 std::unique_ptr<transport> next)
{
    channel.set_transport(std::move(next));
}

ASYNCHAT_DECL void channel_access::layer_ready(dispatcher& channel, unsigned level, readiness what,
                                               const std::error_code& error)
{
    if (what == readiness::urgent) // layers do not handle it
        return ready(channel, what, error);
    channel.guarded([&] {
        auto& layer = *channel.transport_->as_layer_();
        if (!layer.wait_ended(level, what, error))
            layer.look_again(channel.state_);
    });
}

ASYNCHAT_DECL void channel_access::put_on_layers(dispatcher& channel) noexcept
{
    channel.put_on_layers();
}

ASYNCHAT_DECL void channel_access::begin_linger(dispatcher& channel,
                                                std::unique_ptr<transport> connection,
                                                loop::time_point time)
{
    channel.set_transport(std::move(connection));
    channel.connected_ = true;
    channel.close_at(time);
    channel.state_->lingers = true;
}

ASYNCHAT_DECL void channel_access::stop_listening(dispatcher& channel)
{
    channel.accepting_ = false;
    channel.set_transport(nullptr);
}

} // namespace asynchat::detail

#endif
