// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_POOL_HPP
#define ASYNCHAT_POOL_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/detail/unique_function.hpp>
#include <asynchat/dispatcher.hpp>
#include <asynchat/handle.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/run_guard.hpp>
#include <asynchat/target.hpp>
#include <asynchat/terminator.hpp>
#include <asynchat/timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// The base of every pool<T>: connected channels that are lent, one user at a time.
///
/// Flow:
///
///     checkout() -> an idle channel, or a new one that connects, or a wait -> done(channel)
///     give_back() -> idle again, or lent to the next one that waits
///     an idle channel: input, an end, an error, or its time is over -> it ends
///
/// It never tries again by itself: if a channel cannot connect, the oldest checkout() fails.
/// Thread safety: none; it belongs to the thread of its loop.
/// Lifetime: destroy it before its loop; never inside a constructor of T. The checkouts that wait
/// then fail with std::errc::operation_canceled, the idle channels end, and the channels in use go
/// on without it. What their functions ask for is refused, as after stop().
/// Python: none; aiohttp has TCPConnector, redis-py has ConnectionPool
class ASYNCHAT_API pool_base {
public:
    pool_base(const pool_base&) = delete;
    pool_base& operator=(const pool_base&) = delete;

    /// The largest number of channels: those that connect, are idle or in use; 8 by default. A
    /// smaller number than before ends channels when they are handed back.
    /// Throws std::invalid_argument for 0.
    ASYNCHAT_DECL void max_size(std::size_t n);
    [[nodiscard]] std::size_t max_size() const noexcept { return max_size_; }

    /// How long a channel may be idle before it ends; 60 seconds by default. The time is shorter by
    /// a random part of up to a tenth, so that not all channels end together. Zero means no limit.
    /// Applies to channels that become idle later. Throws std::invalid_argument when it is
    /// negative.
    ASYNCHAT_DECL void idle_limit(loop::duration limit);
    [[nodiscard]] loop::duration idle_limit() const noexcept { return idle_limit_; }

    /// How long after its connection a channel is lent again; no limit by default. An older one
    /// ends when it is idle or handed back. Shorter by up to a tenth, as idle_limit(). Applies to
    /// channels that connect later. Throws std::invalid_argument when it is negative.
    ASYNCHAT_DECL void life_limit(loop::duration limit);
    [[nodiscard]] loop::duration life_limit() const noexcept { return life_limit_; }

    /// The number of channels: those that connect, are idle or in use.
    [[nodiscard]] ASYNCHAT_DECL std::size_t size() const noexcept;

    /// The number of those that are connected and not in use.
    [[nodiscard]] ASYNCHAT_DECL std::size_t idle() const noexcept;

    /// The number of checkouts that wait.
    [[nodiscard]] std::size_t waiting() const noexcept { return waiters_.size(); }

    /// Lends no more. In later turns the checkouts that wait, and all later ones, fail with
    /// std::errc::operation_canceled. handle_shutdown() is called for the channels that connect or
    /// are idle; for those in use when they are handed back. May be called everywhere, any number
    /// of times.
    ///
    /// While a function is told so, checkout() throws std::system_error with
    /// std::errc::operation_canceled: a function that asks again after each error would otherwise
    /// do so for ever.
    ASYNCHAT_DECL void stop();

    /// True after stop().
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }

    /// The loop of the pool and of its channels.
    [[nodiscard]] loop& owner() const noexcept { return loop_; }

private:
    template <class T>
    friend class pool;
    class link;

    using receiver = detail::unique_function<void(dispatcher*, const std::error_code&)>;

    /// What a channel is doing. `ready` is connected and was never lent. `failed` has ended before
    /// it was lent; its error is for the oldest waiter.
    enum class stage : unsigned char { connecting, ready, idle, lent, failed };

    struct member {
        explicit member(detail::state_ptr of) : state(std::move(of)) {}

        detail::state_ptr state;
        stage at = stage::connecting;
        std::error_code error;
        loop::time_point dies_at = loop::time_point::max();
        loop::time_point ends_at = loop::time_point::max(); // if it stays idle
        terminator at_rest;                                 // what it had when it was first lent
    };
    struct waiter {
        std::uint64_t number;
        receiver done;
        scoped_timer deadline;
    };

    ASYNCHAT_DECL pool_base(loop& owner, std::vector<target> servers, detail::client_maker make);
    ASYNCHAT_DECL ~pool_base();

    ASYNCHAT_DECL void add_waiter(loop::duration timeout, receiver done);
    ASYNCHAT_DECL void take_back(dispatcher& channel);

    ASYNCHAT_PRIVATE waiter take_oldest();
    ASYNCHAT_PRIVATE void fail_oldest(const std::error_code& error);
    ASYNCHAT_PRIVATE void tell(receiver& done, const std::error_code& error);
    ASYNCHAT_PRIVATE void timed_out(std::uint64_t number);

    ASYNCHAT_PRIVATE void work_soon();
    ASYNCHAT_PRIVATE void try_work_soon() noexcept;
    ASYNCHAT_PRIVATE void work();
    ASYNCHAT_PRIVATE std::shared_ptr<dispatcher> find_ready();
    ASYNCHAT_PRIVATE std::shared_ptr<dispatcher> newest_ready() const;
    ASYNCHAT_PRIVATE void lend(const std::shared_ptr<dispatcher>& channel);
    ASYNCHAT_PRIVATE void connect_for_waiters();
    ASYNCHAT_PRIVATE std::error_code connect_one();
    ASYNCHAT_PRIVATE void connected(const dispatcher& channel, loop::time_point now) noexcept;
    ASYNCHAT_PRIVATE void ended(const dispatcher& channel) noexcept;

    ASYNCHAT_PRIVATE std::vector<member>::iterator find(const dispatcher& channel) noexcept;
    ASYNCHAT_PRIVATE std::size_t count(std::initializer_list<stage> stages) const noexcept;
    loop::time_point limit(loop::time_point from, loop::duration max);
    ASYNCHAT_PRIVATE void end_old_ones();
    ASYNCHAT_PRIVATE void end_by(loop::time_point time);
    ASYNCHAT_PRIVATE static void retire(const detail::state_ptr& state);

    loop& loop_;
    detail::target_list servers_;
    std::shared_ptr<link> link_;  // shared with the channels
    std::vector<member> members_; // the one that was handed back last is behind the others
    std::deque<waiter> waiters_;
    run_guard guard_; // while somebody waits
    scoped_timer old_age_;
    loop::time_point old_age_at_ = loop::time_point::max(); // when it is due, or was last
    loop::duration idle_limit_ = std::chrono::seconds(60);
    loop::duration life_limit_ = loop::duration::zero();
    std::size_t max_size_ = 8;
    std::size_t making_ = 0; // constructors of T on the stack
    std::uint64_t last_number_ = 0;
    bool work_posted_ = false;
    bool stopping_ = false;
    bool tells_end_ = false; // a function is told that the pool lends no more
};

/// Lends connected channels, makes new ones when they are needed, and keeps those that are handed
/// back.
///
///     pool<redis_client> clients(loop, target("127.0.0.1", 6379));
///     clients.checkout(2s, [](handle<redis_client> client, const std::error_code& error) {});
///     clients.give_back(client); // when the last answer has come
///
/// T is a dispatcher with a constructor (loop&, args...), which does not connect: the pool does.
/// The args are passed to each T as const references to copies, which live longer than every T
/// (std::ref shares an object). With several servers the list is shuffled once; then each new
/// channel goes to the next one.
///
/// An idle channel is watched: when anything comes, it ends. T gets no such input, but its
/// handle_close() is called. A channel whose end of the stream has arrived is never lent.
template <class T>
class pool : public pool_base {
public:
    template <class... Args>
    explicit pool(loop& owner, target server, Args... args)
        : pool(owner, std::vector<target>(1, std::move(server)), std::move(args)...)
    {
    }

    /// Throws std::invalid_argument when there is no server.
    template <class... Args>
    explicit pool(loop& owner, std::vector<target> servers, Args... args)
        : pool_base(owner, std::move(servers), detail::clients_with<T>(std::move(args)...))
    {
    }

    /// Asks for a channel. `done(handle<T>, const std::error_code&)` is called exactly once, later
    /// and never inside this call: with a connected channel, as an event of it, or with an empty
    /// handle and an error. `done` may be move-only, and may destroy the pool.
    ///
    /// Checkouts that wait are served in order. Errors: std::errc::timed_out when there was no
    /// channel within `timeout` (zero means no limit); the error of a channel that could not
    /// connect, or std::errc::not_connected if it ended without one; std::errc::operation_canceled
    /// after stop() and in the destructor. An exception of `done` goes to handle_error() of the
    /// channel; without a channel it leaves loop::run(). Throws std::invalid_argument for a
    /// negative time; see stop() for another error.
    template <class F>
    void checkout(loop::duration timeout, F done)
    {
        static_assert(std::is_invocable_v<F&, handle<T>, const std::error_code&>,
                      "checkout: the function is called with a handle<T> and a std::error_code");
        add_waiter(timeout, [done = std::move(done)](dispatcher* channel,
                                                     const std::error_code& error) mutable {
            done(channel ? channel->owner().handle_of(static_cast<T&>(*channel)) : handle<T>(),
                 error);
        });
    }

    /// Hands a channel back. It must be between two messages: no frame has begun, all output is
    /// sent, it delivers input, and nothing waits behind the frame of a callback; an async_chat has
    /// the terminator that it had when it was first lent, because another one is for the rest of a
    /// message. Otherwise it is closed. May be called everywhere. Does nothing for a channel that
    /// has ended, and for an empty handle. Do not use the channel afterwards: it may be lent to
    /// another user at once. Throws std::invalid_argument for a channel that the pool has not lent,
    /// or was handed back.
    void give_back(const handle<T>& channel)
    {
        if (T* const back = channel.get())
            take_back(*back);
    }
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/pool.ipp>
#endif
#endif
