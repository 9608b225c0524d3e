// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A part of dispatcher.hpp, which includes it where the class is complete: the templates, and small
// functions.

#ifndef ASYNCHAT_DETAIL_DISPATCHER_INLINE_HPP
#define ASYNCHAT_DETAIL_DISPATCHER_INLINE_HPP

#include <asynchat/config.hpp>

#include <cassert>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

inline void dispatcher::flush_soon()
{
    loop_.check_thread();
    if (loop_.current_ != this) // else the end of the event does it
        flush_later();
}

inline bool dispatcher::ignores(log_type type) const noexcept
{
    return ((ignored_log_types_ >> static_cast<unsigned>(type)) & 1U) != 0;
}

inline detail::handshake_stage dispatcher::opening() const noexcept
{
    return static_cast<detail::handshake_stage>(state_->opening);
}

template <class Unsigned, detail::if_wide_unsigned<Unsigned>>
void dispatcher::connect(std::string_view host, Unsigned port)
{
    connect(host, std::to_string(port));
}

inline void dispatcher::connection_lost_(asynchat::close_reason reason,
                                         const std::error_code& error)
{
    finish(reason, error);
}

inline void dispatcher::end_opening() noexcept
{
    state_->opening = 0;
    if (state_->opening_counted)
        uncount_opening();
}

inline void dispatcher::set_connected(bool on)
{
    connected_ = on;
    flush_soon(); // what was pushed before
}

inline std::error_code dispatcher::close_error() const noexcept
{
    return rare_ ? rare_->error : std::error_code();
}

template <class... Args>
void dispatcher::log_of_peer(log_type type, fmt::format_string<Args...> format, const Args&... args)
{
    log_line_of_peer(type, detail::text_of(format), fmt::make_format_args(args...));
}

inline bool dispatcher::is_deaf() const noexcept
{
    return connected_ && (eof_ || gate_.has(detail::gate::paused)) && !ended_unheard_ &&
           !marked_unheard_;
}

inline void dispatcher::count_received(std::size_t bytes) noexcept
{
    if (slot_)
        slot_->server->counters.bytes_in += bytes;
}

inline void dispatcher::count_sent(std::size_t bytes) noexcept
{
    if (slot_)
        slot_->server->counters.bytes_out += bytes;
}

inline void dispatcher::count_frames(std::size_t frames) noexcept
{
    if (slot_)
        slot_->server->counters.frames += frames;
}

inline const detail::timeouts& dispatcher::active_timeouts() const noexcept
{
    return rare_           ? rare_->clocks.limits()
           : was_accepted_ ? detail::server_timeouts
                           : detail::client_timeouts;
}

inline const detail::output_limits& dispatcher::active_output_limits() const noexcept
{
    return rare_ ? rare_->output : detail::default_output_limits;
}

inline void dispatcher::note_activity(bool is_input)
{
    if (rare_ && rare_->clocks.times_activity())
        restart_clocks(is_input);
}

template <class F>
timer dispatcher::call_later(loop::duration delay, F f)
{
    static_assert(std::is_invocable_v<F&>, "call_later: the function is called without arguments");
    return start_timer(delay, loop::duration::zero(), std::move(f));
}

template <class F>
timer dispatcher::call_every(loop::duration period, F f)
{
    static_assert(std::is_invocable_v<F&>, "call_every: the function is called without arguments");
    return start_timer(period, loop::require_period(period), std::move(f));
}

template <class T>
handle<T> loop::handle_of(T& channel)
{
    const auto& owner = detail::channel_access::state(channel)->owned;
    if (owner.use_count() == 0)
        return {};
    // Not empty for a closed channel, so that it equals the earlier handles.
    return handle<T>(*this, std::shared_ptr<T>(owner, &channel));
}

template <class T>
template <class F>
void handle<T>::post(F f) const
{
    static_assert(std::is_invocable_v<F&, T&>, "post: the function is called with the channel");
    if (!loop_)
        return;
    loop_->post([channel = channel_, f = std::move(f)]() mutable {
        if (const auto alive = channel.lock())
            detail::channel_access::in_event(*alive, [&] { f(*alive); });
    });
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/channel_access.ipp>
#  include <asynchat/impl/dispatcher.ipp>
#  include <asynchat/impl/dispatcher_connect.ipp>
#  include <asynchat/impl/dispatcher_end.ipp>
#  include <asynchat/impl/dispatcher_layers.ipp>
#  include <asynchat/impl/dispatcher_log.ipp>
#  include <asynchat/impl/dispatcher_opening.ipp>
#  include <asynchat/impl/dispatcher_sockets.ipp>
#  include <asynchat/impl/dispatcher_time.ipp>
#  include <asynchat/impl/hand_off.ipp>
#  include <asynchat/impl/joint_listener.ipp>
#  include <asynchat/impl/lingerer.ipp>
#  include <asynchat/impl/loop.ipp>
#  include <asynchat/impl/loop_time.ipp>
#  include <asynchat/impl/rare_state.ipp>
#  include <asynchat/impl/server_state.ipp>
#  include <asynchat/impl/transport.ipp>
#endif
#endif
