// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_RECONNECTING_HPP
#define ASYNCHAT_RECONNECTING_HPP

#include <asynchat/async_chat.hpp>
#include <asynchat/config.hpp>
#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/detail/timing/back_off.hpp>
#include <asynchat/dispatcher.hpp>
#include <asynchat/target.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// The base of every reconnecting<T>: makes a channel, and another one when it has ended.
///
/// Flow:
///
///     attempt -> a channel is made, and connects -> it ends -> retry() -> wait -> attempt
///     retry() is false, or max_attempts() have failed -> handle_close() with the channel's reason
///     stop() -> handle_shutdown() of the channel -> when it has ended: handle_close()
///
/// It is a channel itself, without a socket, so loop::run() continues while it waits.
/// Thread safety and lifetime: as dispatcher. Its close() does not close the channel that it made.
class ASYNCHAT_API reconnector : public dispatcher {
public:
    /// The waits between attempts are random. They have an upper bound, `base` after the first
    /// attempt, which doubles after each attempt that fails, up to `cap`; 0.5 and 30 seconds by
    /// default. A wait has at least 50 ms. After a connection that stood for a minute the first
    /// bound is eight times `base`: the server is probably gone for many clients.
    /// Throws std::invalid_argument when `base` is under 50 ms or over `cap`.
    ASYNCHAT_DECL void back_off(loop::duration base, loop::duration cap);
    [[nodiscard]] std::pair<loop::duration, loop::duration> back_off() const noexcept
    {
        return {back_off_.base(), back_off_.cap()};
    }

    /// The number of attempts in a row that may fail; `unlimited` by default. After the last one
    /// the reconnector ends. A good connection starts a new row; see connection_is_good().
    ASYNCHAT_DECL void max_attempts(std::size_t n);
    [[nodiscard]] std::size_t max_attempts() const noexcept { return max_attempts_; }

    /// The attempts since the last good connection.
    [[nodiscard]] std::size_t attempts() const noexcept { return attempts_; }

    /// Makes no further attempt. In a later turn it calls handle_shutdown() of the present channel,
    /// which ends the channel unless it is overridden. Then the reconnector ends, with
    /// close_reason::local and handle_close(). May be called everywhere, any number of times.
    ASYNCHAT_DECL void stop();

    /// True after stop().
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }

    /// Called when a channel has ended, for `why`; `attempt` attempts have failed in a row. Returns
    /// whether another one is made. If not, the reconnector ends for that reason. The default is
    /// false after the channel's own close(), close_when_done() or abort(), and after
    /// loop::close_all(). Override it to give up after errors that stay: a bad certificate, a wrong
    /// password.
    ASYNCHAT_DECL virtual bool retry(asynchat::close_reason why, const std::error_code& error,
                                     std::size_t attempt);

    /// Closes.
    ASYNCHAT_DECL void handle_close() override;

    ASYNCHAT_DECL ~reconnector() override;

protected:
    /// The present channel, or null.
    [[nodiscard]] ASYNCHAT_DECL dispatcher* current_channel() const noexcept;

private:
    template <class T>
    friend class reconnecting;
    class link;

    ASYNCHAT_DECL reconnector(loop& owner, std::vector<target> servers, detail::client_maker make);

    ASYNCHAT_PRIVATE void attempt();
    ASYNCHAT_PRIVATE void attempt_ended(asynchat::close_reason why, const std::error_code& error,
                                        std::string text) noexcept;
    ASYNCHAT_PRIVATE void judge();
    ASYNCHAT_PRIVATE void shut_down();

    detail::target_list servers_;
    std::shared_ptr<link> link_; // shared with the channels
    detail::back_off back_off_;
    std::size_t max_attempts_ = unlimited;
    std::size_t attempts_ = 0;
    asynchat::close_reason why_ = asynchat::close_reason::open; // of the last channel
    std::error_code error_;
    loop::time_point ended_at_;
    bool stopping_ = false;
};

/// Keeps a client connected: makes a T for each attempt, and another T when it has ended.
///
///     auto link = loop.create<reconnecting<feed>>(target("feed.example", 7000), args...);
///     link->current()->push("hello\n");
///
/// T is a dispatcher with a constructor (loop&, args...), which does not connect: the reconnector
/// does. Call connection_is_good() in T when the protocol has succeeded, for example after the
/// login. Each T is a new object, so no state of a lost connection is left. The args are passed to
/// each T as const references to copies, which live longer than every T (std::ref shares an
/// object). If a constructor throws, the attempt has failed: the error is logged.
///
/// With several servers the list is shuffled once; then each attempt goes to the next one.
template <class T>
class reconnecting : public reconnector {
public:
    template <class... Args>
    explicit reconnecting(loop& owner, target server, Args... args)
        : reconnecting(owner, std::vector<target>(1, std::move(server)), std::move(args)...)
    {
    }

    /// Throws std::invalid_argument when there is no server.
    template <class... Args>
    explicit reconnecting(loop& owner, std::vector<target> servers, Args... args)
        : reconnector(owner, std::move(servers), detail::clients_with<T>(std::move(args)...))
    {
    }

    /// The channel of the present attempt, which may still be connecting; an empty handle while
    /// there is none.
    [[nodiscard]] handle<T> current() const
    {
        auto* const channel = current_channel();
        return channel ? owner().handle_of(static_cast<T&>(*channel)) : handle<T>();
    }
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/reconnecting.ipp>
#endif
#endif
