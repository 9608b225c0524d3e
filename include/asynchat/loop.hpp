// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_LOOP_HPP
#define ASYNCHAT_LOOP_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/detail/io/lingerer.hpp>
#include <asynchat/detail/timing/clock.hpp>
#include <asynchat/detail/log_limit.hpp>
#include <asynchat/detail/output/output_queue.hpp>
#include <asynchat/detail/output/string_pool.hpp>
#include <asynchat/detail/timing/timer_queue.hpp>
#include <asynchat/fifo.hpp>
#include <asynchat/fwd.hpp>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace asynchat {

class dispatcher;

namespace detail {

class network;
struct address_slot;
struct channel_access;
struct server_state;

/// Whether what T sends goes straight to its transport: no class from dispatcher to T overrides
/// send(). The type of a pointer to a member names the class that declares it. An override that
/// cannot be named here, because it is not public or overloaded, counts as one.
template <class T, class = void>
struct sends_plainly : std::false_type {
};
template <class T>
struct sends_plainly<T, std::void_t<decltype(&T::send)>>
    : std::is_same<decltype(&T::send), std::size_t (dispatcher::*)(const_buffers)> {
};

/// Whether T leaves get_terminator() as it is, found out in the same way.
template <class T, class = void>
struct keeps_terminator : std::false_type {
};
template <class T>
struct keeps_terminator<T, std::void_t<decltype(&T::get_terminator)>>
    : std::is_same<decltype(&T::get_terminator), const terminator& (async_chat::*)() const> {
};

/// Memory that input is received into; more than one is in use only while loops are nested.
struct receive_buffer {
    std::unique_ptr<char[]> memory;
    std::size_t size = 0;

    /// Makes it at least `bytes` large; the content is lost when it has to grow.
    char* reserve(std::size_t bytes)
    {
        if (size < bytes) {
            memory.reset(new char[bytes]); // not initialized: it is about to be written
            size = bytes;
        }
        return memory.get();
    }
};

/// Lets posted functions find out whether their loop still lives.
struct loop_anchor {
    loop* owner;
};

} // namespace detail

/// A running timer. Dropping it changes nothing; the loop keeps the timer until it has run.
class timer {
public:
    timer() = default;

    /// The function will not be called any more. May be called at any time, also by the function
    /// itself, and more than once.
    ASYNCHAT_DECL void cancel();

    /// True until it has run (never for call_every) or was cancelled.
    bool active() const noexcept
    {
        const auto state = state_.lock();
        return state && !state->done;
    }

private:
    friend class loop;
    explicit timer(const std::shared_ptr<detail::timer_state>& state) : state_(state) {}

    std::weak_ptr<detail::timer_state> state_;
};

/// A weak reference to a channel that a loop owns; what loop::create() returns.
///
/// Copyable. All but post() belong to the loop's thread. When the channel is closed the handle
/// becomes empty; who needs the object for longer keeps the result of lock().
template <class T>
class handle {
public:
    handle() = default;

    /// The channel, or null when it is closed. Valid until the next event of the loop.
    T* get() const noexcept
    {
        const auto channel = channel_.lock();
        return channel && !channel->closed() ? channel.get() : nullptr;
    }

    /// The channel, kept alive by the caller beyond its close, or null when it is gone. To be let
    /// go of before the loop is.
    std::shared_ptr<T> lock() const noexcept { return channel_.lock(); }

    explicit operator bool() const noexcept { return get() != nullptr; }

    /// For a call of the channel, which it outlives, whatever the call closes.
    /// Throws std::logic_error when the channel is closed.
    std::shared_ptr<T> operator->() const
    {
        auto channel = channel_.lock();
        if (channel && !channel->closed())
            return channel;
        throw std::logic_error("asynchat: this handle's channel is closed");
    }

    /// Valid until the next event of the loop. Throws as above.
    T& operator*() const { return *operator->(); }

    /// Calls `f(T&)` in the loop's thread, as one event of the channel, unless it is closed by
    /// then. May be called from any thread as long as the loop lives.
    template <class F>
    void post(F f) const;

private:
    friend class loop;
    handle(loop& owner, const std::shared_ptr<T>& channel) : loop_(&owner), channel_(channel) {}

    loop* loop_ = nullptr;
    std::weak_ptr<T> channel_;
};

/// Owns channels and runs them: an asio::io_context with asyncore's socket map.
///
/// Flow: make a loop, create() channels, run(). A channel lives in its loop until it is closed;
/// then it is destroyed as soon as none of its callbacks is on the stack.
///
/// Thread safety: a loop and its channels belong to the thread that runs them. Only post(),
/// handle::post() and stop() may be called from other threads. Several loops in several threads are
/// independent of each other.
/// Lifetime: the loop outlives the channels it owns; its destructor closes them without calling
/// their handle_close().
/// Exceptions thrown by posted functions and timers, and exit_now, come out of run() and poll();
/// the loop can be run again. Python: Lib/asyncore.py, socket_map, loop and poll
class loop {
public:
    using duration = std::chrono::steady_clock::duration;
    using time_point = std::chrono::steady_clock::time_point;

    /// A loop with an io_context of its own.
    ASYNCHAT_DECL loop();

    /// A loop in the caller's io_context, which the caller runs (in one thread) and which outlives
    /// the loop. run() and poll() work here too.
    ASYNCHAT_DECL explicit loop(asio::io_context& borrowed);

    ASYNCHAT_DECL virtual ~loop();
    loop(const loop&) = delete;
    loop& operator=(const loop&) = delete;

    asio::io_context& context() noexcept { return *context_; }

    /// Makes a channel, T(loop&, args...), and owns it until it is closed.
    ///
    /// The constructor may create sockets, connect, listen and push; events start after it.
    /// Exceptions of the constructor are passed on.
    template <class T, class... Args>
    handle<T> create(Args&&... args);

    /// A handle to a channel of this loop, for a channel that gives one to a thread or a timer.
    /// Empty once it is closed, and before create() has returned.
    template <class T>
    handle<T> handle_of(T& channel);

    /// The live channels, oldest first as long as none was closed. A copy: they may be closed, and
    /// new ones created, while it is walked.
    ASYNCHAT_DECL std::vector<std::shared_ptr<dispatcher>> channels() const;

    /// The number of live channels.
    std::size_t size() const noexcept { return open() - lingerers_.open(); }

    /// Runs until no channel is left or stop() is called. Functions posted before are called
    /// first, so that they may create channels; timers alone do not keep it running. A loop that
    /// has to wait for posted work needs a channel: create<dispatcher>() waits for nothing.
    /// Python: Lib/asyncore.py, loop
    ASYNCHAT_DECL void run();

    /// Makes at most `count` passes, each as poll(timeout), until no channel is left.
    /// Python: Lib/asyncore.py, loop(timeout, count=count)
    ASYNCHAT_DECL void run(std::size_t count, duration timeout = std::chrono::seconds(30));

    /// One pass: waits up to `timeout` for something to happen, then serves everything that is
    /// ready at that moment, once. Returns false when nothing was.
    /// Python: Lib/asyncore.py, poll
    ASYNCHAT_DECL bool poll(duration timeout = duration::zero());

    /// Makes run() and poll() return soon, or the next call at once when none is under way.
    /// From any thread, and from a callback. A borrowed io_context is not stopped.
    ASYNCHAT_DECL void stop();

    /// Calls stop() on the first SIGINT or SIGTERM from now on, instead of ending the process.
    ASYNCHAT_DECL void stop_on_signals();

    /// Calls `f()` in the loop's thread, once, on the first SIGINT or SIGTERM from now on, instead
    /// of ending the process; the next one ends it. A server has its stop() called here. The latest
    /// function counts.
    ASYNCHAT_DECL void on_signals(std::function<void()> f);

    /// Calls `f()` in the loop's thread, soon, never inside this call. From any thread.
    template <class F>
    void post(F f);

    /// The time by which this loop's timers go: that of std::chrono::steady_clock, other than in
    /// the loop of a test (testing.hpp).
    time_point now() const noexcept { return clock_->now(); }

    /// Calls `f` once after `delay`, never early. Timers that are due at the same time are called
    /// in the order in which they were made.
    ASYNCHAT_DECL timer call_later(duration delay, std::function<void()> f);

    /// Calls `f` every `period`, first after one period, until it is cancelled or throws. Calls
    /// that are late are made up for, one in each turn.
    /// Throws std::invalid_argument when `period` is not positive.
    ASYNCHAT_DECL timer call_every(duration period, std::function<void()> f);

    /// Closes all channels, without their handle_close().
    ///
    /// An exception out of an overridden close() stops it, unless it is a bad descriptor or
    /// `ignore_all` is set; exit_now always does.
    /// Python: Lib/asyncore.py, close_all
    ASYNCHAT_DECL void close_all(bool ignore_all = false);

protected:
    /// A loop with an io_context of its own, in a time of its own. Its channels make their sockets
    /// in `network`, when that is not null; it outlives the loop.
    ASYNCHAT_DECL explicit loop(std::unique_ptr<detail::clock> clock,
                                detail::network* network = nullptr);

private:
    friend class dispatcher;
    friend class async_chat;
    friend class dispatcher_with_send;
    friend class detail::clock;
    friend struct detail::channel_access;
    friend class timer;

    class turn;
    class running;
    class receive_lease;

    // For channels.
    ASYNCHAT_DECL void adopt(std::shared_ptr<dispatcher> channel, bool sends_plainly,
                             bool keeps_terminator);
    ASYNCHAT_DECL void remove(detail::channel_state& state);
    ASYNCHAT_DECL void flush_soon(const detail::state_ptr& state);
    ASYNCHAT_DECL void try_again_soon(const detail::state_ptr& state);

    /// Has deadline_reached_() of the channel called as an event of it, at `at` or up to a tenth of
    /// a second later, so that many channels share one wake-up. A channel has one deadline: an
    /// earlier one replaces it, a later one is for deadline_reached_() to set.
    ASYNCHAT_DECL void set_deadline(detail::channel_state& state, time_point at);
    ASYNCHAT_DECL void drop_deadline(detail::channel_state& state);

    /// Keeps a connection whose channel is closed until the other side ends it, or for `timeout`.
    /// `slot` is that of the channel in its server, or null.
    ASYNCHAT_DECL void linger(std::unique_ptr<transport> connection, duration timeout,
                              detail::address_slot* slot);

    /// Ends the oldest of the connections that linger: of all, of a server, or of one slot in it.
    ASYNCHAT_DECL void end_oldest_linger(const detail::server_state* server = nullptr,
                                         const detail::address_slot* slot = nullptr);

    detail::output_pool& pool() noexcept { return output_pool_; }
    detail::string_pool& strings() noexcept { return output_pool_.strings(); }

    std::size_t open() const noexcept { return channels_.size() - closed_; }
    ASYNCHAT_DECL std::unique_ptr<detail::receive_buffer> new_receive_buffer();
    ASYNCHAT_DECL void enter_turn() noexcept;
    ASYNCHAT_DECL void leave_turn() noexcept;
    ASYNCHAT_DECL void destroy_closed() noexcept;
    void find_doomed() noexcept;
    void doom(std::size_t closed) noexcept;
    void swap_channels(std::size_t a, std::size_t b) noexcept;
    void post_flush();
    void flush_posted();
    void post_look();
    void try_again();
    timer start_timer(duration delay, duration period, std::function<void()> f);
    ASYNCHAT_DECL void forget_timer(detail::timer_state& state);
    ASYNCHAT_DECL void run_timers();
    void run_timer(const std::shared_ptr<detail::timer_state>& state, time_point now);
    void wait_for_timers();

    // Declared in the order in which they must go: the context last, as sockets refer to it.
    std::unique_ptr<asio::io_context> own_context_;
    asio::io_context* context_;
    std::shared_ptr<detail::loop_anchor> anchor_;
    std::unique_ptr<detail::clock> clock_;
    detail::network* network_ = nullptr; // none: the system's
    detail::output_pool output_pool_;
    std::vector<std::unique_ptr<detail::receive_buffer>> receive_buffers_; // not in use
    std::vector<detail::state_ptr> channels_; // behind the open ones those that go with the turn
    std::size_t closed_ = 0;                  // so many
    std::size_t doomed_ = 0;                  // the first of these: they go with the present turn
    detail::lingerer_list lingerers_;         // of the open ones
    fifo<detail::state_ptr> to_flush_;
    fifo<detail::state_ptr> to_look_at_;
    detail::timer_queue timers_;
    detail::loop_log_limit log_limit_;        // of all channels together
    time_point wakes_at_ = time_point::max(); // what the clock was told last
    std::optional<asio::signal_set> signals_;
    std::function<void()> on_signal_;
    std::atomic<bool> stop_requested_{false};
    dispatcher* current_ = nullptr; // whose event is the innermost: it is flushed when that ends
    int turns_ = 0;                 // turns on the stack: more than one while loops are nested
    int turns_before_ = 0;          // of them outside of the innermost run() or poll()
    unsigned adopted_ = 0;          // channels so far
    unsigned adopted_before_ = 0;   // of them before that began, if it is nested in a turn
    int running_ = 0;               // run() and poll() on the stack
    bool polls_ = false;            // the innermost of them is a poll()
    bool flush_posted_ = false;
    bool look_posted_ = false;
};

/// Marks that the loop or one of its channels is calling user code. Closed channels are destroyed
/// when the outermost turn ends; those that a nested run() or poll() has made, when a turn of it
/// ends: none of their functions can be further out on the stack.
class loop::turn {
public:
    explicit turn(loop& owner) noexcept : loop_(owner) { loop_.enter_turn(); }
    ~turn() { loop_.leave_turn(); }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

private:
    loop& loop_;
};

/// A receive buffer of the loop for the length of one event.
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

template <class T, class... Args>
handle<T> loop::create(Args&&... args)
{
    static_assert(std::is_base_of_v<dispatcher, T>, "create<T>: T must be a dispatcher");
    static_assert(std::is_constructible_v<T, loop&, Args...>,
                  "create<T>(args...): T must be constructible from (loop&, args...)");
    auto channel = std::make_shared<T>(*this, std::forward<Args>(args)...);
    adopt(channel, detail::sends_plainly<T>::value, detail::keeps_terminator<T>::value);
    return handle<T>(*this, channel);
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

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/dispatcher.hpp> // which the implementation needs, and includes
#endif
#endif
