// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_LOOP_HPP
#define ASYNCHAT_LOOP_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/asio_abi.hpp>
#include <asynchat/detail/asio_fwd.hpp>
#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/detail/io/lingerer.hpp>
#include <asynchat/detail/io/receive_buffer.hpp>
#include <asynchat/detail/log_limit.hpp>
#include <asynchat/detail/output/output_queue.hpp>
#include <asynchat/detail/output/string_pool.hpp>
#include <asynchat/detail/overrides.hpp>
#include <asynchat/detail/random.hpp>
#include <asynchat/detail/timing/clock.hpp>
#include <asynchat/detail/timing/timer_queue.hpp>
#include <asynchat/detail/unique_function.hpp>
#include <asynchat/fifo.hpp>
#include <asynchat/fwd.hpp>
#include <asynchat/handle.hpp>
#include <asynchat/run_guard.hpp>
#include <asynchat/timer.hpp>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <atomic>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

class dispatcher;

namespace detail {

class network;
struct address_slot;
struct channel_access;
struct server_state;

/// Lets posted functions find out whether their loop still lives.
struct loop_anchor {
    loop* owner;
};

} // namespace detail

/// Owns channels and runs them: an asio::io_context with asyncore's socket map.
///
/// Flow: make a loop, create() channels, run(). A channel lives in its loop until it is closed. It
/// is then destroyed when no callback of it is on the stack.
///
/// Thread safety: a loop and its channels belong to the thread that runs them, and assert that.
/// Only post(), handle::post() and stop() may be called from other threads. Several loops in
/// several threads are independent of each other.
/// Lifetime: the loop outlives the channels it owns; its destructor closes them without calling
/// their handle_close().
/// run() and poll() pass on exit_now and the exceptions of posted functions and timers; the loop
/// can be run again.
/// Python: Lib/asyncore.py, socket_map, loop and poll
class ASYNCHAT_API loop {
public:
    /// Of timers and timeouts.
    using duration = std::chrono::steady_clock::duration;
    using time_point = std::chrono::steady_clock::time_point;

    /// A loop with its own io_context.
    loop() : loop(detail::this_asio()) {}

    /// A loop in the caller's io_context. The caller runs it, in one thread, and destroys it after
    /// the loop. run() and poll() may be used too.
    explicit loop(asio::io_context& borrowed) : loop(borrowed, detail::this_asio()) {}

    ASYNCHAT_DECL virtual ~loop();
    loop(const loop&) = delete;
    loop& operator=(const loop&) = delete;

    /// What the loop waits with: its own, or that of the caller.
    [[nodiscard]] asio::io_context& context() noexcept { return *context_; }

    /// Makes a channel, T(loop&, args...), and owns it until it is closed.
    ///
    /// The constructor may create sockets, connect, listen and push; events start after it.
    /// Passes on exceptions of the constructor.
    template <class T, class... Args>
    handle<T> create(Args&&... args);

    /// A handle to a channel of this loop, for example to give to another thread. It equals the
    /// handle that create() returns. In the constructor of the channel it is still empty.
    template <class T>
    [[nodiscard]] handle<T> handle_of(T& channel);

    /// The live channels; in the order of their creation until one is closed. A copy: channels may
    /// be closed and created while you iterate over it.
    [[nodiscard]] ASYNCHAT_DECL std::vector<std::shared_ptr<dispatcher>> channels() const;

    /// The number of live channels.
    [[nodiscard]] std::size_t size() const noexcept { return open() - hidden_; }

    /// Runs until no channel is left or stop() is called. It first calls the functions that were
    /// posted before, so they may create channels. Timers alone do not keep it running: to wait
    /// for timers or posted functions without a channel, use keep_running().
    /// Python: Lib/asyncore.py, loop
    ASYNCHAT_DECL void run();

    /// Makes at most `count` passes, each as poll(timeout), until no channel is left.
    /// Python: Lib/asyncore.py, loop(timeout, count=count)
    ASYNCHAT_DECL void run(std::size_t count, duration timeout = std::chrono::seconds(30));

    /// One pass: waits up to `timeout` for an event, then handles each event that is ready at that
    /// moment once. Returns false when no event was ready.
    /// Python: Lib/asyncore.py, poll
    ASYNCHAT_DECL bool poll(duration timeout = duration::zero());

    /// While the result lives, run() continues without a channel until stop() is called, and poll()
    /// waits without a channel. The result may be given to another thread.
    /// Differs: not in Python.
    [[nodiscard]] ASYNCHAT_DECL run_guard keep_running();

    /// Makes run() or poll() return soon; if neither is running, the next call returns at once. May
    /// be called from any thread and in callbacks. A borrowed io_context is not stopped.
    ASYNCHAT_DECL void stop();

    /// Calls stop() on the first SIGINT or SIGTERM from now on, instead of ending the process.
    ASYNCHAT_DECL void stop_on_signals();

    /// Calls `f()` in the loop's thread, once, on the first SIGINT or SIGTERM from now on, instead
    /// of ending the process. The next signal ends the process. Call server_base::stop() in `f`. A
    /// new function replaces the previous one.
    template <class F>
    void on_signals(F f);

    /// Calls `f()` in the loop's thread, soon, never inside this call. May be called from any
    /// thread. While the loop does not run, `f` waits for the next run() or poll(). It is destroyed
    /// with the loop.
    template <class F>
    void post(F f);

    /// The time of this loop's timers: std::chrono::steady_clock; in testing::loop the simulated
    /// time.
    [[nodiscard]] time_point now() const noexcept { return clock_->now(); }

    /// Calls `f()` once after `delay`, never early. Timers that are due at the same time are called
    /// in the order in which they were made. Dropping the returned timer does not cancel it.
    template <class F>
    timer call_later(duration delay, F f);

    /// Calls `f()` every `period`, first after one period, until it is cancelled or throws. Late
    /// calls are made up for, one in each turn.
    /// Throws std::invalid_argument when `period` is not positive.
    template <class F>
    timer call_every(duration period, F f);

    /// Calls `f(log_type, std::string_view)` for each log line of this loop's channels, instead of
    /// writing it to standard error. The text is one line with unprintable bytes escaped, without
    /// the type; it is valid during the call. Lines of an ignored type, and lines of a class that
    /// overrides handle_log(), do not reach `f`. An exception passes to the caller that logs.
    /// nullptr selects standard error again; the loop then blocks until each line is written.
    /// Differs: not in Python.
    template <class F>
    void log_sink(F f);
    void log_sink(std::nullptr_t) noexcept { log_sink_.reset(); }

    /// Calls `f(duration)` at the end of each turn, with the time that it took, for statistics.
    ///
    /// In a turn the loop calls one channel, or some of those that are ready, and no other channel
    /// is served until it ends. A turn that runs the loop includes the turns in it. `f` must not
    /// throw, and may only look: it must not use the loop or a channel. Each turn costs two more
    /// readings of the clock. nullptr ends it.
    /// Differs: not in Python.
    template <class F>
    void on_turn(F f);
    void on_turn(std::nullptr_t) noexcept { turn_watch_.reset(); }

    /// How many bytes of received input the channels of the loop may keep undelivered, because they
    /// are paused or a turn is over, before each channel receives less at a time: at most
    /// ac_in_buffer_size instead of up to 256 KiB. 16 MiB by default.
    /// Differs: not in Python.
    void max_unread(std::size_t bytes) noexcept { max_unread_ = bytes; }
    [[nodiscard]] std::size_t max_unread() const noexcept { return max_unread_; }

    /// How many bytes of received input they keep.
    [[nodiscard]] std::size_t unread() const noexcept { return *unread_; }

    /// Closes all channels, without their handle_close().
    ///
    /// An exception from an overridden close() stops it, unless the error is a bad descriptor or
    /// `ignore_all` is set; exit_now always stops it.
    /// Python: Lib/asyncore.py, close_all
    ASYNCHAT_DECL void close_all(bool ignore_all = false);

protected:
    /// A loop with its own io_context and the given clock. If `network` is not null, its channels
    /// make their sockets in it; it must outlive the loop.
    ASYNCHAT_DECL explicit loop(std::unique_ptr<detail::clock> clock,
                                detail::network* network = nullptr);

private:
    friend class dispatcher;
    friend class async_chat;
    friend class detail::stream_channel;
    friend class dispatcher_with_send;
    friend class detail::clock;
    friend struct detail::channel_access;
    friend class timer;
    friend class run_guard;

    class turn;
    class creation;
    class running;
    class receive_lease;
    using callback = detail::unique_function<void()>;

    ASYNCHAT_DECL explicit loop(detail::this_asio);
    ASYNCHAT_DECL loop(asio::io_context& borrowed, detail::this_asio);

    // For channels. create() is make() and begin().
    template <class T, class... Args>
    std::shared_ptr<T> make(Args&&... args);
    ASYNCHAT_DECL void adopt(std::shared_ptr<dispatcher> channel, bool sends_plainly,
                             bool keeps_terminator);
    ASYNCHAT_DECL void begin(const std::shared_ptr<dispatcher>& channel);
    ASYNCHAT_PRIVATE void remove(detail::channel_state& state);
    ASYNCHAT_PRIVATE void flush_soon(const detail::state_ptr& state);
    ASYNCHAT_PRIVATE void try_again_soon(const detail::state_ptr& state);

    /// Calls deadline_reached_() of the channel as an event of it, at `at` or up to a tenth of a
    /// second later, so that many channels share one wake-up. A channel has one deadline. An
    /// earlier time replaces it; deadline_reached_() sets later times. The second function does not
    /// round the time up.
    ASYNCHAT_PRIVATE void set_deadline(detail::channel_state& state, time_point at);
    ASYNCHAT_PRIVATE void set_exact_deadline(detail::channel_state& state, time_point at);
    ASYNCHAT_PRIVATE void drop_deadline(detail::channel_state& state);

    /// Keeps the connection of a closed channel until the peer ends it, or for `timeout`. `slot` is
    /// the slot of the channel in its server, or null.
    ASYNCHAT_PRIVATE void linger(std::unique_ptr<transport> connection, duration timeout,
                                 detail::address_slot* slot);

    /// Ends the oldest lingering connection: of all, of a server, or of one slot in it.
    ASYNCHAT_PRIVATE void end_oldest_linger(const detail::server_state* server = nullptr,
                                            const detail::address_slot* slot = nullptr);

    detail::output_pool& pool() noexcept { return output_pool_; }
    detail::string_pool& strings() noexcept { return output_pool_.strings(); }

    /// Asserts that this thread runs the loop. Called by everything that only the loop's thread may
    /// do.
    void check_thread() const noexcept
    {
        assert(detail::runs_here(*this)); // else call it by loop::post() or handle::post()
    }
    friend bool detail::runs_here(const loop& owner) noexcept;

    ASYNCHAT_PRIVATE detail::random& random_numbers();
    std::size_t open() const noexcept { return channels_.size() - closed_; }
    bool has_to_run() const noexcept { return open() > 0 || guards_ > 0; }
    void end_run();
    ASYNCHAT_PRIVATE void end_guard() noexcept;
    ASYNCHAT_PRIVATE std::unique_ptr<detail::receive_buffer> new_receive_buffer();
    void enter_thread() noexcept;
    void leave_thread() noexcept;
    ASYNCHAT_DECL void enter_turn() noexcept;
    ASYNCHAT_DECL void leave_turn() noexcept;
    // Apart from enter_turn() and leave_turn(), which else would save registers in each turn.
    [[gnu::cold]] ASYNCHAT_PRIVATE void begin_watch() noexcept;
    [[gnu::cold]] ASYNCHAT_PRIVATE void end_watch() noexcept;
    ASYNCHAT_PRIVATE void destroy_closed() noexcept;
    ASYNCHAT_PRIVATE void find_doomed() noexcept;
    void doom(std::size_t closed) noexcept;
    ASYNCHAT_PRIVATE void swap_channels(std::size_t a, std::size_t b) noexcept;
    /// post() for the library itself: compiled once, not for each function.
    ASYNCHAT_PRIVATE void post_function(callback f);
    /// Calls a function of the loop in a later turn, if the loop still lives.
    ASYNCHAT_PRIVATE void post_call(void (loop::*what)());
    ASYNCHAT_PRIVATE void post_flush();
    ASYNCHAT_PRIVATE void flush_posted();
    ASYNCHAT_PRIVATE void post_look();
    ASYNCHAT_PRIVATE void try_again();
    ASYNCHAT_PRIVATE bool may_open(const detail::state_ptr& state);
    ASYNCHAT_PRIVATE void post_openings();
    ASYNCHAT_PRIVATE void go_on_openings();

    using sink = detail::unique_function<void(log_type, std::string_view)>;

    /// The function of on_turn(), and when the present turn began.
    struct turn_watch {
        detail::unique_function<void(duration)> f;
        time_point began;
    };

    ASYNCHAT_DECL void write_log(log_type type, std::string_view message);

    ASYNCHAT_DECL void set_signal_handler(callback f);

    /// Starts a timer of `channel`, which keeps it in `list`; or of the loop, if both are null.
    /// A `period` of 0 means once.
    ASYNCHAT_DECL timer start_timer(duration delay, duration period, callback f,
                                    detail::channel_state* channel = nullptr,
                                    detail::timer_state** list = nullptr);
    ASYNCHAT_DECL static duration require_period(duration period);
    ASYNCHAT_PRIVATE void forget_timer(detail::timer_state& state);
    ASYNCHAT_PRIVATE void forget_timers(detail::timer_state*& list);
    ASYNCHAT_PRIVATE void run_timers();
    ASYNCHAT_PRIVATE void run_timer(const std::shared_ptr<detail::timer_state>& state,
                                    time_point now);
    ASYNCHAT_PRIVATE void wait_for_timers();

    // The context comes first and so is destroyed last, because sockets refer to it.
    std::unique_ptr<asio::io_context> own_context_;
    asio::io_context* context_;
    std::shared_ptr<detail::loop_anchor> anchor_;
    std::unique_ptr<detail::clock> clock_;
    detail::network* network_ = nullptr; // null: the system's
    detail::output_pool output_pool_;
    std::vector<std::unique_ptr<detail::receive_buffer>> receive_buffers_; // not in use
    std::vector<detail::state_ptr> channels_; // the open ones, then those that go with the turn
    std::size_t closed_ = 0;                  // the number of those
    std::size_t doomed_ = 0;                  // the first of these: they go with the present turn
    std::size_t hidden_ = 0;                  // of the open ones; they are the library's own
    detail::lingerer_list lingerers_;         // of those
    std::shared_ptr<std::size_t> unread_ = std::make_shared<std::size_t>(0); // bytes
    std::size_t max_unread_ = std::size_t{16} << 20;
    fifo<detail::state_ptr> to_flush_;
    fifo<detail::state_ptr> to_look_at_;
    fifo<detail::state_ptr> to_open_; // handshakes that wait for their turn
    detail::timer_queue timers_;
    std::optional<detail::random> random_;    // made when it is first needed
    std::shared_ptr<sink> log_sink_;          // null: standard error
    std::unique_ptr<turn_watch> turn_watch_;  // null: turns are not timed
    detail::loop_log_limit log_limit_;        // of all channels together
    time_point wakes_at_ = time_point::max(); // what the clock was told last
    std::unique_ptr<asio::basic_signal_set<asio::any_io_executor>> signals_;
    callback on_signal_;
    std::atomic<bool> stop_requested_{false};
    std::atomic<int> guards_{0}; // run_guards, and those that have ended and were not counted yet
    dispatcher* current_ = nullptr; // whose event is the innermost: it is flushed when that ends
    int turns_ = 0;                 // turns on the stack: more than one while loops are nested
    int turns_before_ = 0;          // of them outside of the innermost run() or poll()
    unsigned adopted_ = 0;          // channels so far
    unsigned inputs_ = 0;           // events in which a channel received something
    unsigned adopted_before_ = 0;   // of them before that began, if it is nested in a turn
    int running_ = 0;               // run() and poll() on the stack
    bool polls_ = false;            // the innermost of them is a poll()
    std::atomic<std::thread::id> thread_{}; // the one that runs the loop, or no thread
    bool creates_ = false; // create() has called a constructor that has not begun yet
    bool flush_posted_ = false;
    bool look_posted_ = false;
    bool openings_posted_ = false;
    unsigned openings_ = 0; // steps of handshakes in this pass
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#include <asynchat/detail/loop_inline.hpp> // needs the class

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/dispatcher.hpp> // which the implementation needs, and includes
#endif
#endif
