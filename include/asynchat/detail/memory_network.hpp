// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_MEMORY_NETWORK_HPP
#define ASYNCHAT_DETAIL_MEMORY_NETWORK_HPP

#include <asynchat/config.hpp>
#include <asynchat/const_buffers.hpp>
#include <asynchat/detail/timing/clock.hpp>
#include <asynchat/detail/io/network.hpp>
#include <asynchat/detail/random.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/fwd.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/socket.hpp>
#include <asynchat/timer.hpp>
#include <asynchat/transport.hpp>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace testing {

using random = asynchat::detail::random;

/// How often a fault happens, in a thousand operations of that kind; the seed of the loop decides
/// when. All 0 by default.
struct faults {
    unsigned cut = 0;          ///< a receive or a send of a channel gets only a part
    unsigned block = 0;        ///< a receive or a send of a channel would block once
    unsigned delay = 0;        ///< the bytes of a send arrive after up to `longest_delay`
    unsigned reset = 0;        ///< a receive or a send finds the connection lost
    unsigned refuse = 0;       ///< a connect is refused
    unsigned accept_error = 0; ///< an accept fails because no descriptor is free
    /// Of `delay`.
    std::chrono::steady_clock::duration longest_delay = std::chrono::milliseconds(200);
};

/// The operations of a channel on the network.
enum class operation : unsigned char {
    open,
    bind,
    listen,
    connect,
    accept,
    receive,
    send,
    shutdown
};

} // namespace testing
} // namespace ASYNCHAT_ABI
} // namespace asynchat

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

class memory_socket;

/// A clock whose time passes when the loop has nothing else to do.
class virtual_clock final : public clock {
public:
    time_point now() const noexcept override { return now_; }
    ASYNCHAT_DECL void wake_at(time_point when, const std::weak_ptr<loop_anchor>& owner) override;
    void cancel() override { wakes_at_ = time_point::max(); }
    ASYNCHAT_DECL bool run(asio::io_context& context) override;
    ASYNCHAT_DECL bool run_one_until(asio::io_context& context, time_point until) override;

private:
    void wake_soon();

    time_point now_{std::chrono::hours(24)}; // not 0, so that earlier times are valid too
    time_point wakes_at_ = time_point::max();
    std::weak_ptr<loop_anchor> owner_;
};

/// The connections and listeners of one loop, and their faults.
class memory_network final : public network {
public:
    explicit memory_network(std::uint64_t seed) : random_(seed) {}

    ASYNCHAT_DECL std::unique_ptr<transport> open(int family, int type) override;

    /// Those of a host that was added; for others the name itself is the address.
    ASYNCHAT_DECL std::vector<endpoint> addresses_of(std::string_view host,
                                                     std::string_view service) const override;

    /// A failure that testing::loop::fail() has ordered: the operation in `left` operations, of any
    /// kind or of the kind `what`, fails with `error`.
    struct failure {
        std::size_t left;
        std::error_code error;
        std::optional<testing::operation> what;
    };

    /// Counts an operation. Returns the error with which it must fail, if any.
    ASYNCHAT_DECL std::error_code begin(testing::operation what);

    ASYNCHAT_DECL memory_socket* listener_at(const endpoint& where) const;

    asynchat::loop* owner = nullptr; // null when the loop is destroyed
    testing::faults faults;
    std::vector<failure> failures;
    std::size_t operations = 0;
    std::size_t window = 65536;
    std::vector<memory_socket*> listeners;
    std::vector<endpoint> silent;                                 // addresses that never answer
    std::map<endpoint, std::chrono::steady_clock::duration> slow; // addresses that take this time
    std::map<std::string, std::vector<std::string>, std::less<>> hosts; // their addresses
    std::size_t sockets = 0;                                            // of channels

    /// An unused address in the family of `near`.
    ASYNCHAT_DECL endpoint next_address(const endpoint& near);
    testing::random& random() noexcept { return random_; }
    std::weak_ptr<memory_network> self;

private:
    testing::random random_;
    std::uint16_t next_port_ = 49152;
};

/// One end of a connection. Sent bytes are stored in the other end at once, also while they have
/// not arrived yet.
class memory_end {
public:
    using time_point = std::chrono::steady_clock::time_point;

    memory_end(std::shared_ptr<memory_network> network, endpoint local, endpoint peer);
    memory_end(const memory_end&) = delete;
    memory_end& operator=(const memory_end&) = delete;

    /// Closes: the other end sees the end of the stream, or a reset if this end has unread input.
    ASYNCHAT_DECL ~memory_end();

    static void join(memory_end& a, memory_end& b) noexcept
    {
        a.other_ = &b;
        b.other_ = &a;
    }

    ASYNCHAT_DECL std::size_t read_some(asio::mutable_buffer into, std::error_code& error,
                                        bool keep = false);
    ASYNCHAT_DECL std::size_t write_some(const_buffers from, std::error_code& error);

    /// Takes the bytes that have arrived, up to `max_bytes`.
    ASYNCHAT_DECL std::string take(std::size_t max_bytes);

    /// Sends, ignoring the window.
    ASYNCHAT_DECL void send(std::string piece, time_point arrives);

    /// Ends the stream that this end sends.
    ASYNCHAT_DECL void finish();

    /// Resets the connection from this end, which then reads nothing. The other end can still read
    /// the bytes that have arrived, as with TCP.
    ASYNCHAT_DECL void reset();

    /// Both ends lose the connection: bytes that have arrived can still be read, bytes in flight
    /// are lost.
    ASYNCHAT_DECL void lose();

    ASYNCHAT_DECL bool can_read() const;
    ASYNCHAT_DECL bool can_write() const;

    bool is_reset() const noexcept { return reset_; }
    bool peer_has_finished() const noexcept { return ended_; }
    ASYNCHAT_DECL std::error_code error() const;
    bool has_ended() const noexcept { return ended_ && input_.empty() && !reset_; }
    bool has_finished() const noexcept { return finished_; }

    const std::shared_ptr<memory_network>& network() const noexcept { return network_; }

    /// Sets how many bytes of input may be in flight; more bytes would block the other end.
    ASYNCHAT_DECL void resize_window(std::size_t bytes);
    std::size_t window() const noexcept { return window_; }

    const endpoint local;
    const endpoint peer;
    memory_socket* watcher = nullptr; // is notified of changes

private:
    struct piece {
        std::string bytes;
        std::size_t front = 0; // number of bytes taken
        time_point arrives;
    };

    std::error_code begin(testing::operation what);
    std::size_t cut(std::size_t bytes);
    std::chrono::steady_clock::duration draw_delay();
    void consume(std::size_t bytes);
    void changed();
    void wait_for_arrival();
    void drop_what_is_under_way();

    std::shared_ptr<memory_network> network_;
    memory_end* other_ = nullptr;
    std::deque<piece> input_;
    std::size_t size_ = 0; // of input_, in bytes
    std::size_t window_;
    timer arrival_;         // when the next piece arrives
    bool ended_ = false;    // the incoming stream has ended
    bool finished_ = false; // the outgoing stream has ended
    bool reset_ = false;
};

/// A stream socket in memory: not connected, listening, or one end of a connection. Functions
/// posted to the io_context end the waits, in the order of the events. Waits of one socket that end
/// together end in the order of Asio's reactor.
class memory_socket final : public transport {
public:
    ASYNCHAT_DECL explicit memory_socket(std::shared_ptr<memory_network> network);
    ASYNCHAT_DECL explicit memory_socket(std::unique_ptr<memory_end> end);
    ASYNCHAT_DECL ~memory_socket() override;

    ASYNCHAT_DECL std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override;
    ASYNCHAT_DECL std::size_t write_some(const_buffers from, std::error_code& error) override;
    ASYNCHAT_DECL void async_wait(readiness what, wait_handler ready) override;
    int native_handle() override { return -1; }
    std::error_code take_error() override { return end_ ? end_->error() : std::error_code(); }
    bool peer_has_finished() override { return end_ && end_->peer_has_finished(); }
    bool may_read() override
    {
        return end_ ? end_->can_read() || end_->peer_has_finished() : !waiting_.empty();
    }
    bool is_connection() const noexcept override { return end_ != nullptr; }
    void shutdown_write(std::error_code& error) override
    {
        error = network_->begin(testing::operation::shutdown);
        if (!error)
            end_->finish();
    }
    void reset_on_close() noexcept override
    {
        if (end_)
            end_->reset();
    }

    ASYNCHAT_DECL void bind(const endpoint& where, std::error_code& error) override;
    ASYNCHAT_DECL void listen(int backlog, std::error_code& error) override;
    ASYNCHAT_DECL asynchat::socket accept(std::error_code& error) override;
    ASYNCHAT_DECL void async_connect(const endpoint& to, connect_handler done) override;
    endpoint local_endpoint() const override { return end_ ? end_->local : local_; }
    endpoint peer_endpoint() const override { return end_ ? end_->peer : endpoint(); }

    /// As listen(), but without faults.
    ASYNCHAT_DECL void listen_at(const endpoint& where);
    std::size_t waiting() const noexcept { return waiting_.size(); }

    /// For a listener: makes a new connection and returns its other end; null when the backlog is
    /// full.
    ASYNCHAT_DECL std::unique_ptr<memory_end> connect_from(const endpoint& client);

    /// The end of the next waiting connection, or null.
    ASYNCHAT_DECL std::unique_ptr<memory_end> take_waiting();

    /// Ends the waits that are ready.
    ASYNCHAT_DECL void wake();

private:
    using waiter = std::optional<wait_handler>;

    std::size_t receive_below_(asio::mutable_buffer into, bool keep,
                               std::error_code& error) override
    {
        return end_->read_some(into, error, keep);
    }
    bool is_ready(const waiter& waiting) const;
    void complete_waits();
    void answer(const endpoint& to, const connect_handler& done);

    std::shared_ptr<memory_network> network_;
    std::unique_ptr<memory_end> end_;
    endpoint local_;
    std::size_t backlog_ = 0; // 0: not listening
    std::deque<std::unique_ptr<memory_end>> waiting_;
    scoped_timer answer_; // to its connect, from a slow address
    waiter reader_;
    waiter writer_;
    waiter watcher_;                         // for an error
    std::shared_ptr<memory_socket*> posted_; // complete_waits() is posted; dies with this socket
};

/// The members of a testing::loop that must live longer than its base class loop.
struct memory_world {
    ASYNCHAT_DECL explicit memory_world(std::uint64_t seed);
    ~memory_world() { network->owner = nullptr; }
    memory_world(const memory_world&) = delete;
    memory_world& operator=(const memory_world&) = delete;

    std::shared_ptr<memory_network> network;
    std::unique_ptr<virtual_clock> new_clock; // until the loop has it
    virtual_clock* clock;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/memory_network.ipp>
#endif
#endif
