// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_CHANNEL_ACCESS_IPP
#define ASYNCHAT_IMPL_CHANNEL_ACCESS_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/detail/io/joint_listener.hpp>
#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/detail/timing/later.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/socket.hpp>
#include <asynchat/transport.hpp>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL void channel_access::set_transport(dispatcher& channel,
                                                 std::unique_ptr<transport> next)
{
    channel.set_transport(std::move(next));
}

ASYNCHAT_RARE void channel_access::call_in_event(dispatcher& channel,
                                                 void (*call)(const void* body), const void* body)
{
    channel.in_event([call, body] { call(body); });
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

ASYNCHAT_RARE void channel_access::shut_down_soon(dispatcher& channel)
{
    post(channel.loop_, [state = channel.state_] {
        if (const auto last = state->channel())
            in_rare_event(*last, [&] { last->handle_shutdown(); });
    });
}

ASYNCHAT_DECL void channel_access::put_on_layers(dispatcher& channel) noexcept
{
    channel.put_on_layers();
}

ASYNCHAT_RARE void channel_access::begin_linger(dispatcher& channel,
                                                std::unique_ptr<transport> connection,
                                                loop::time_point time)
{
    channel.set_transport(std::move(connection));
    channel.connected_ = true;
    channel.close_at(time);
    channel.state_->hidden = channel.state_->lingers = true;
}

ASYNCHAT_RARE void channel_access::begin_receive(dispatcher& channel, socket connection,
                                                 loop::time_point time)
{
    channel.state_->hidden = true;
    channel.addr_ = std::move(connection.peer_);
    if (connection.connection_)
        channel.set_transport(
            std::unique_ptr<transport>(std::exchange(connection.connection_, nullptr)));
    else
        channel.set_transport(
            std::make_unique<socket_transport>(channel.loop_.context(), std::move(connection)));
    channel.connected_ = true;
    if (time != deadlines::never)
        channel.close_at(time);
}

ASYNCHAT_DECL std::size_t channel_access::receive_below(const socket& connection,
                                                        asio::mutable_buffer into, bool keep,
                                                        std::error_code& error)
{
    if (connection.connection_)
        return connection.connection_->receive_below_(into, keep, error);
    return receive_now(connection.native_handle(), into, keep, error);
}

ASYNCHAT_RARE socket channel_access::end_receive(dispatcher& channel)
{
    auto* const system = channel.transport_->as_socket_();
    socket connection = system ? system->release(channel.addr_)
                               : socket(std::move(channel.transport_), channel.addr_);
    channel.set_transport(nullptr);
    connection.accepted_ = true;
    return connection;
}

ASYNCHAT_DECL void channel_access::begin_handshake_at(dispatcher& channel, loop::time_point time)
{
    if (channel.state_->opening == 0)
        return;
    channel.rare().clocks.start_handshake(time);
    channel.look_at_clocks_by(channel.rare_->clocks.due(deadlines::clock::connect));
}

ASYNCHAT_DECL void channel_access::listen_with(dispatcher& channel,
                                               std::vector<std::unique_ptr<transport>> listeners,
                                               endpoint where)
{
    const bool is_single = listeners.size() == 1;
    auto listener = is_single
                        ? std::move(listeners.front())
                        : std::unique_ptr<transport>(new joint_listener(std::move(listeners)));
    const bool is_socket = listener->as_socket_() != nullptr;
    channel.addr_ = std::move(where);
    channel.set_transport(std::move(listener));
    channel.is_socket_ = is_socket;
    channel.in_memory_ = !is_socket;
    channel.rare(); // so that accept_event() needs no memory for it
    channel.accepting_ = true;
    channel.flush_soon();
}

/// The transports that listen, without the layers over them.
inline std::vector<transport*> channel_access::listeners_of(const dispatcher& channel)
{
    std::vector<transport*> found;
    transport* lowest = channel.transport_.get();
    while (lowest && lowest->as_layer_())
        lowest = lowest->as_layer_()->lower_.get();
    if (const auto* const joint = dynamic_cast<const joint_listener*>(lowest)) {
        for (const auto& each : joint->all())
            found.push_back(each.get());
    } else if (lowest) {
        found.push_back(lowest);
    }
    return found;
}

ASYNCHAT_RARE std::vector<endpoint> channel_access::listening_endpoints(const dispatcher& channel)
{
    std::vector<endpoint> found;
    for (const transport* const each : listeners_of(channel))
        found.push_back(each->local_endpoint());
    return found;
}

ASYNCHAT_RARE std::vector<socket> channel_access::copies_of_listeners(const dispatcher& channel)
{
    std::vector<socket> copies;
    for (transport* const each : listeners_of(channel)) {
        auto* const listener = each->as_socket_();
        if (!listener)
            continue;
        const int copy = ::fcntl(listener->native_handle(), F_DUPFD_CLOEXEC, 0);
        if (copy < 0)
            throw std::system_error(errno, std::system_category(), "asynchat: dup");
        copies.emplace_back(copy, listener->family(), SOCK_STREAM);
    }
    return copies;
}

ASYNCHAT_RARE void channel_access::stop_listening(dispatcher& channel)
{
    channel.accepting_ = false;
    channel.set_transport(nullptr);
}

// --- events that are not for the user ----------------------------------------------------------

ASYNCHAT_DECL bool channel_access::take_event(dispatcher& channel, readiness what)
{
    if (channel.state_->opening != 0) {
        channel.go_on_opening();
        return true;
    }
    if (what != readiness::read)
        return false;
    look_while_parked(channel);
    return true;
}

// Bytes of a layer itself, which bring no input, may come.
ASYNCHAT_DECL void channel_access::look_while_parked(dispatcher& channel)
{
    if (!channel.transport_)
        return;
    char byte = 0;
    std::error_code error;
    channel.transport_->read_some(asio::buffer(&byte, 1), error);
    if (!error)
        return channel.finish("input came while it was idle in a pool");
    if (is_would_block(error))
        return;
    if (error == asio::error::eof)
        return channel.finish(close_reason::peer_finished);
    if (const auto why = channel.transport_->explain(error)) {
        channel.note_text(escaped(why->text, longest_text));
        return channel.finish(why->reason, error);
    }
    channel.finish(is_disconnected(error) ? close_reason::reset : close_reason::system_error,
                   error);
}

ASYNCHAT_DECL bool channel_access::park(dispatcher& channel)
{
    constexpr unsigned reasons = gate::of_input | gate::of_output;
    if (!channel.connected_ || channel.eof_ || channel.state_->opening != 0 ||
        channel.gate_.has(reasons) || !channel.is_at_rest_())
        return false;
    channel.state_->parked = true;
    return true;
}

ASYNCHAT_DECL void channel_access::unpark(dispatcher& channel)
{
    channel.state_->parked = false;
    if (channel.active_timeouts().silence > loop::duration::zero())
        channel.restart_clocks(true);
}

// --- rates -----------------------------------------------------------------------------------

// Many channels share a wake-up also here, but the ticks are shorter than those of deadlines,
// because what is waited for comes evenly.
ASYNCHAT_DECL void channel_access::wake_by_rate(loop& owner, channel_state& which,
                                                loop::time_point at)
{
    constexpr loop::duration rate_tick = std::chrono::milliseconds(10);
    const loop::time_point now = owner.now();
    owner.set_exact_deadline(which, at <= now ? now : rounded_up(at, rate_tick));
}

ASYNCHAT_DECL void channel_access::wake_first_waiting(const dispatcher& of) noexcept
{
    auto* const all = rates_of_server(of);
    if (!all || all->waiting.is_empty())
        return;
    auto& first = all->waiting.first();
    try {
        wake_by_rate(of.loop_, first.channel, all->limits.next(first.need));
    } catch (...) { // no memory: the next one that waits tries it again
    }
}

ASYNCHAT_DECL void channel_access::leave_rates(dispatcher& channel) noexcept
{
    channel_rates& rates = *channel.rare_->rates;
    rates.is_held = rates.has_turn = false;
    if (!rates.is_waiting())
        return;
    rates_of_server(channel)->waiting.remove(rates);
    wake_first_waiting(channel);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
