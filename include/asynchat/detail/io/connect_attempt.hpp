// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_CONNECT_ATTEMPT_HPP
#define ASYNCHAT_DETAIL_IO_CONNECT_ATTEMPT_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/io/connect_race.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/timer.hpp>
#include <asynchat/transport.hpp>

#include <asio/io_context.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

class network;

/// Throws std::invalid_argument when a name is empty or has a NUL inside: the system would look up
/// only the part before the NUL.
ASYNCHAT_DECL void require_name(const char* what, std::string_view name);

/// The address if host and service are numeric, so that no look-up is needed.
ASYNCHAT_DECL std::optional<endpoint> numeric_endpoint(std::string_view host,
                                                       std::string_view service);

/// A connect() to a name: the look-up, then the race of the addresses with their sockets.
///
/// Flow: look_up() -> its handler -> begin_race(). Then race() says which attempts to start. After
/// its destruction no handler is called and its sockets are closed. It knows no channel.
class connect_attempt {
public:
    using looked_up = std::function<void(const std::error_code&)>;

    /// `keeps_socket`: the channel has a socket, which is used for the first address. The attempts
    /// then follow each other, with the socket of the channel.
    connect_attempt(asio::io_context& context, bool keeps_socket)
        : context_(context), in_channel_(keeps_socket), keeps_socket_(keeps_socket)
    {
    }
    connect_attempt(const connect_attempt&) = delete;
    connect_attempt& operator=(const connect_attempt&) = delete;
    ~connect_attempt() { close_all(); }

    // --- the look-up ---------------------------------------------------------------------------

    /// Calls `done` once, never inside this call, unless the attempt is destroyed first. A service
    /// with an invalid name is reported as not existing, without asking the system. In a network
    /// that knows its names it is asked, and no look-up is made; otherwise `names` is null.
    ASYNCHAT_DECL void look_up(std::string_view host, std::string_view service,
                               const network* names, looked_up done);

    // --- the race ------------------------------------------------------------------------------

    /// Orders the addresses. With a family the others are dropped.
    ASYNCHAT_DECL void begin_race(const race_settings& settings, std::optional<int> family);

    connect_race& race() noexcept { return race_; }
    const endpoint& address(std::size_t index) const { return addresses_[index]; }

    /// The attempt to this address has failed.
    ASYNCHAT_DECL void failed(std::size_t index, const std::error_code& error,
                              connect_race::time_point now) noexcept;

    /// The error of the attempt that failed last. Without an address: that none is suitable.
    const std::error_code& last_error() const noexcept { return last_error_; }

    /// Whether the attempts use the socket of the channel.
    bool in_channel() const noexcept { return in_channel_; }

    /// Whether that was not used yet.
    bool keeps_socket() const noexcept { return keeps_socket_; }

    /// Whether the socket of the channel is used for this address: only for the first.
    bool take_socket() noexcept { return std::exchange(keeps_socket_, false); }

    /// Connects a socket to this address. `done` is called as by transport::async_connect(), unless
    /// the attempt is destroyed.
    ASYNCHAT_DECL void connect(std::size_t index, std::unique_ptr<transport> socket,
                               looked_up done);

    /// Whether this address has a socket: false when it was closed before its answer was handled.
    ASYNCHAT_DECL bool has_socket(std::size_t index) const noexcept;

    /// Whether a socket was connected to itself: two ends of one machine that connect to a port at
    /// the same moment are connected, and nobody listens there.
    ASYNCHAT_DECL static bool is_self_connected(const transport& socket);

    /// The result of an attempt with a socket: `error`, or that it was connected to itself.
    ASYNCHAT_DECL std::error_code result(std::size_t index, const std::error_code& error) const;

    ASYNCHAT_DECL void close(std::size_t index) noexcept;

    /// This attempt has succeeded: closes the others.
    ASYNCHAT_DECL void won(std::size_t index) noexcept;
    bool is_won() const noexcept { return is_won_; }
    std::unique_ptr<transport> take_winner() noexcept { return std::move(sockets_.front().socket); }

    /// The address of the attempt that has succeeded. Not after this call.
    endpoint take_reached() noexcept
    {
        return std::move(addresses_[in_channel_ ? race_.last_started() : sockets_.front().index]);
    }

    /// Whether an answer has arrived that was not handled yet.
    ASYNCHAT_DECL bool is_answered() const noexcept;

    /// The addresses whose attempts are under way.
    ASYNCHAT_DECL std::vector<endpoint> under_way() const;

    /// Keeps the timer of the next start.
    void wait(timer next) { next_start_ = next; }

    /// A function that does nothing when the attempt is destroyed. Not before look_up().
    template <class F>
    auto unless_gone(F f) const
    {
        return [mark = std::weak_ptr(mark_), f = std::move(f)](const auto&... arguments) {
            if (!mark.expired())
                f(arguments...);
        };
    }

private:
    struct racer {
        std::size_t index;
        std::unique_ptr<transport> socket;
    };

    ASYNCHAT_DECL void ask_system(std::string_view host, std::string_view service, looked_up done);
    ASYNCHAT_DECL void close_all() noexcept;

    asio::io_context& context_;
    std::vector<endpoint> addresses_;
    std::vector<racer> sockets_; // of the attempts under way, unless they use the channel's
    connect_race race_{0, {}};
    std::error_code last_error_;
    scoped_timer next_start_;
    const bool in_channel_;
    bool keeps_socket_;
    bool is_won_ = false;
    std::shared_ptr<void> mark_; // set by look_up(), destroyed with the attempt; the resolver, too
};

/// What a channel keeps of its connects. Allocated for a name, a setting or a failure, and released
/// by a connection, unless there are settings.
struct connect_record {
    bool is_needed() const noexcept { return !settings.are_default(); }

    race_settings settings;
    std::vector<connect_error> errors;        // of the last connect()
    endpoint reached;                         // has accepted; not yet told
    std::unique_ptr<connect_attempt> attempt; // while a name is looked up and tried
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/connect_attempt.ipp>
#endif
#endif
