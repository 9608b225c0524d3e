// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_SERVER_GROUP_HPP
#define ASYNCHAT_SERVER_GROUP_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/unique_function.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/handle.hpp>
#include <asynchat/listen_options.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/run_guard.hpp>
#include <asynchat/server.hpp>
#include <asynchat/server_counters.hpp>
#include <asynchat/timer.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// How the connections of a server_group come to its loops.
enum class spread : unsigned char {
    /// Each loop has listeners of its own on the same ports, and the system chooses one for each
    /// connection, by a hash of its addresses. Nothing is passed between threads.
    reuse_port,
    /// One loop accepts, and gives each connection to the loop with the fewest: for few or long
    /// connections, UNIX sockets, and a socket of a service manager.
    hand_off
};

/// Where a server_group listens, and with how many loops. An endpoint and listen_options convert to
/// it.
class ASYNCHAT_API group_options {
public:
    /// Listens there.
    template <class Where, std::enable_if_t<std::is_convertible_v<Where, listen_options>, int> = 0>
    group_options(Where&& where) : where_(std::forward<Where>(where))
    {
    }

    /// The number of loops, and of threads; by default as many as there are processors that this
    /// process may use. Throws std::invalid_argument for 0.
    ASYNCHAT_DECL group_options& loops(std::size_t n);
    [[nodiscard]] ASYNCHAT_DECL std::size_t loops() const;

    /// spread::reuse_port by default.
    group_options& policy(spread how)
    {
        policy_ = how;
        return *this;
    }

private:
    friend class server_group_base;

    listen_options where_;
    std::size_t loops_ = 0; // as many as processors
    spread policy_ = spread::reuse_port;
};

/// The base of every server_group<Handler>: N loops, each with a server, in N threads.
///
/// Flow: the constructor makes the loops and the servers, which listen from then on. run() runs
/// them: the first in the calling thread, each other in a thread of its own. It returns when all
/// servers have ended, after stop(), and no channel is left.
///
/// Thread safety: post(), gather_counters() and stop() may be called in any thread as long as the
/// group lives, everything else only while run() does not run. The loops share nothing but what
/// the program gives them.
/// Lifetime: not movable; destroyed when run() does not run.
class ASYNCHAT_API server_group_base {
public:
    server_group_base(const server_group_base&) = delete;
    server_group_base& operator=(const server_group_base&) = delete;

    /// Runs all loops. An exception that leaves one of them stops the others at once, and is
    /// rethrown here when all threads have ended; the group can be run again. So does stop() of
    /// one loop, without an exception. Throws std::system_error when a thread cannot be made.
    ASYNCHAT_DECL void run();

    /// Calls server_base::stop(deadline) of each server, in its thread.
    ASYNCHAT_DECL void stop(loop::duration deadline);

    /// Calls stop(deadline) on the first SIGINT or SIGTERM from now on, instead of ending the
    /// process. The next signal ends the process.
    ASYNCHAT_DECL void stop_on_signals(loop::duration deadline);

    /// Sends "WATCHDOG=1" to the service manager in a quarter of the time that it allows, as long
    /// as each loop that runs has turned since the last time: so a process with one stuck loop is
    /// started again. The timer is a timer of the first loop, and ends with it. Without a watchdog
    /// there is no timer: see start_watchdog(). Throws std::logic_error while run() runs.
    ASYNCHAT_DECL timer start_watchdog();

    /// The number of loops.
    [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }

    /// The addresses that the group listens on, also after its end.
    [[nodiscard]] const std::vector<endpoint>& local_endpoints() const noexcept { return where_; }
    [[nodiscard]] const endpoint& local_endpoint() const noexcept { return where_.front(); }

    /// The sum of the counters of all servers. Throws std::logic_error while run() runs: then use
    /// gather_counters().
    [[nodiscard]] ASYNCHAT_DECL server_counters counters() const;

    /// Adds up the counters of all servers, each in its thread, and calls
    /// `f(const server_counters&)` in the thread that calls run(). Each server is looked at at
    /// another moment. While run() does not run, `f` waits for it.
    template <class F>
    void gather_counters(F f);

protected:
    ASYNCHAT_DECL ~server_group_base();

private:
    template <class Handler>
    friend class server_group;

    struct member {
        loop owner;
        std::shared_ptr<server_base> server; // also when it is closed, for its counters
        std::atomic<bool> runs{false};
        std::atomic<bool> turned{true}; // since the watchdog was fed
    };
    using maker = std::function<std::shared_ptr<server_base>(loop&, const listen_options&)>;
    using counters_handler = detail::unique_function<void(const server_counters&)>;

    server_group_base() = default;
    ASYNCHAT_DECL void make(group_options options, const maker& make_server);
    ASYNCHAT_PRIVATE void share_ports(listen_options where, const maker& make_server);
    ASYNCHAT_PRIVATE void share_sockets(const listen_options& where, const maker& make_server);
    ASYNCHAT_PRIVATE void share_listener(const listen_options& where, const maker& make_server);
    ASYNCHAT_DECL void require_idle(const char* what) const;
    ASYNCHAT_DECL void gather(counters_handler f);
    ASYNCHAT_PRIVATE void run_member(member& one) noexcept;
    ASYNCHAT_PRIVATE void stop_loops();
    ASYNCHAT_PRIVATE void feed_watchdog();

    /// A server has ended.
    ASYNCHAT_DECL void ended(server_base& server) noexcept;

    std::vector<endpoint> where_;
    std::atomic<std::size_t> serving_{0}; // servers that have not ended
    std::atomic<bool> running_{false};
    std::mutex failure_mutex_;
    std::exception_ptr failure_; // the first that has left a loop
    std::vector<std::unique_ptr<member>> members_;
    std::vector<run_guard> guards_; // of run(), until the last server has ended
};

/// Serves with many processors: N loops in N threads, each with a server<Handler>.
///
///     server_group<echo> group(endpoint("127.0.0.1", 8080));
///     group.stop_on_signals(30s);
///     group.run();
///
/// The args of the constructor are copied for each server, and by it for each Handler, as with
/// server<Handler>. What they refer to is used by several threads.
template <class Handler>
class server_group : public server_group_base {
public:
    /// Throws std::system_error when it cannot listen, also when another program listens on the
    /// port with reuse_port(). With several loops, spread::reuse_port throws std::invalid_argument
    /// for UNIX sockets. Sockets that listen already must come loop by loop, with the same
    /// addresses for each loop, as from a group before this one; otherwise it throws that too, and
    /// has taken none of them.
    template <class... Args>
    explicit server_group(group_options options, Args... args)
    {
        make(std::move(options), [&](loop& owner, const listen_options& where) {
            const auto made = owner.create<of_group>(where, *this, args...);
            servers_.push_back(made);
            return made.lock();
        });
    }

    /// Calls `f(server<Handler>&)` for each server now: before run(), for limits, layers and the
    /// like. Throws std::logic_error while run() runs: then use post().
    template <class F>
    void each(F f)
    {
        require_idle("each");
        for (const auto& one : servers_) {
            if (one)
                f(static_cast<server<Handler>&>(*one));
        }
    }

    /// Calls a copy of `f(server<Handler>&)` in the thread of each server, as an event of it; soon,
    /// and in the order of the posts of this thread. Not for servers that have ended. May be called
    /// in any thread.
    template <class F>
    void post(const F& f)
    {
        for (const auto& one : servers_)
            one.post([f](server<Handler>& here) mutable { f(here); });
    }

private:
    class of_group final : public server<Handler> {
    public:
        template <class... Args>
        of_group(loop& owner, const listen_options& where, server_group& group, Args... args)
            : server<Handler>(owner, where, std::move(args)...), group_(group)
        {
        }
        void handle_end() override { group_.ended(*this); }

    private:
        server_group& group_;
    };

    std::vector<handle<of_group>> servers_;
};

template <class F>
void server_group_base::gather_counters(F f)
{
    static_assert(std::is_invocable_v<F&, const server_counters&>,
                  "gather_counters: the function is called with a const server_counters&");
    gather(std::move(f));
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/server_group.ipp>
#endif
#endif
