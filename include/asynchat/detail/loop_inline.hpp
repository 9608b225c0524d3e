// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A part of loop.hpp, which includes it where the class is complete: the stack objects of a loop,
// and its templates.

#ifndef ASYNCHAT_DETAIL_LOOP_INLINE_HPP
#define ASYNCHAT_DETAIL_LOOP_INLINE_HPP

#include <asynchat/config.hpp>

#include <asio/post.hpp>

#include <cstddef>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// Marks that the loop or one of its channels is calling user code. Closed channels are destroyed
/// when the outermost turn ends. Channels that were made inside a nested run() or poll() are
/// destroyed when a turn of it ends: no function of them can be further out on the stack.
class loop::turn {
public:
    explicit turn(loop& owner) noexcept : loop_(owner) { loop_.enter_turn(); }
    ~turn() { loop_.leave_turn(); }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

private:
    loop& loop_;
};

/// Borrows a receive buffer of the loop for one event.
class loop::receive_lease {
public:
    explicit receive_lease(loop& owner) : loop_(owner)
    {
        if (loop_.receive_buffers_.empty()) {
            buffer_ = loop_.new_receive_buffer();
        } else {
            buffer_ = std::move(loop_.receive_buffers_.back());
            loop_.receive_buffers_.pop_back();
        }
    }
    ~receive_lease() { loop_.receive_buffers_.push_back(std::move(buffer_)); }
    receive_lease(const receive_lease&) = delete;
    receive_lease& operator=(const receive_lease&) = delete;

    char* reserve(std::size_t bytes) { return buffer_->reserve(bytes); }

private:
    loop& loop_;
    std::unique_ptr<detail::receive_buffer> buffer_;
};

/// Permits the construction of one channel: the next whose constructor begins. The constructor of
/// an outer creation may not have begun yet.
class loop::creation {
public:
    explicit creation(loop& owner) noexcept
        : loop_(owner), outer_(std::exchange(owner.creates_, true))
    {
    }
    ~creation() { loop_.creates_ = outer_; }
    creation(const creation&) = delete;
    creation& operator=(const creation&) = delete;

private:
    loop& loop_;
    bool outer_;
};

template <class T, class... Args>
std::shared_ptr<T> loop::make(Args&&... args)
{
    static_assert(std::is_base_of_v<dispatcher, T>, "create<T>: T must be a dispatcher");
    static_assert(!std::is_abstract_v<T>,
                  "create<T>: T is abstract: it has to override found_terminator() if it is an "
                  "async_chat, found_frame() if it is a frame_chat");
    static_assert(std::is_abstract_v<T> || std::is_constructible_v<T, loop&, Args...>,
                  "create<T>(args...): T must be constructible from (loop&, args...); an argument "
                  "that it takes by reference is passed by std::ref");
    std::shared_ptr<T> channel;
    {
        const creation allows_it(*this);
        channel = std::make_shared<T>(*this, std::forward<Args>(args)...);
    }
    adopt(channel, detail::sends_plainly<T>::value, detail::keeps_terminator<T>::value);
    return channel;
}

template <class T, class... Args>
handle<T> loop::create(Args&&... args)
{
    const auto channel = make<T>(std::forward<Args>(args)...);
    begin(channel);
    return handle<T>(*this, channel);
}

template <class F>
void loop::on_signals(F f)
{
    static_assert(std::is_invocable_v<F&>, "on_signals: the function is called without arguments");
    set_signal_handler(std::move(f));
}

template <class F>
void loop::log_sink(F f)
{
    static_assert(std::is_invocable_v<F&, log_type, std::string_view>,
                  "log_sink: the function is called with a log_type and a std::string_view");
    check_thread();
    log_sink_ = std::make_shared<sink>(std::move(f));
}

template <class F>
void loop::on_turn(F f)
{
    static_assert(std::is_invocable_v<F&, duration>,
                  "on_turn: the function is called with a duration");
    check_thread();
    turn_watch_ = std::make_unique<turn_watch>(turn_watch{std::move(f), now()});
}

template <class F>
timer loop::call_later(duration delay, F f)
{
    static_assert(std::is_invocable_v<F&>, "call_later: the function is called without arguments");
    return start_timer(delay, duration::zero(), std::move(f));
}

template <class F>
timer loop::call_every(duration period, F f)
{
    static_assert(std::is_invocable_v<F&>, "call_every: the function is called without arguments");
    return start_timer(period, require_period(period), std::move(f));
}

template <class F>
void loop::post(F f)
{
    static_assert(std::is_invocable_v<F&>, "post: the function is called without arguments");
    asio::post(*context_,
               [anchor = std::weak_ptr<detail::loop_anchor>(anchor_), f = std::move(f)]() mutable {
                   if (const auto alive = anchor.lock()) {
                       const turn in_turn(*alive->owner);
                       f();
                   }
               });
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
