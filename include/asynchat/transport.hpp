// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TRANSPORT_HPP
#define ASYNCHAT_TRANSPORT_HPP

#include <asynchat/config.hpp>
#include <asynchat/const_buffers.hpp>
#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/error.hpp>
#include <asynchat/fwd.hpp>

#include <asio/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// What a channel waits for: input, room for output, or urgent data and errors.
enum class readiness : unsigned char { read, write, urgent };

/// The handler of one wait: a parameter of transport::async_wait(), which calls it once.
///
/// Small; it can be passed to Asio directly and has an allocator. If the channel is closed, or has
/// another connection, a call does nothing. It may outlive the transport. It belongs to the thread
/// of the loop.
class ASYNCHAT_API wait_handler {
public:
    using allocator_type = detail::operation_allocator<void>;

    wait_handler(detail::state_ptr state, readiness what) noexcept
        : state_(state.release()), epoch_(state_->epoch), what_(what)
    {
    }
    wait_handler(const wait_handler& other) noexcept
        : state_(detail::state_ptr(other.state_).release()), epoch_(other.epoch_),
          what_(other.what_)
    {
    }
    // When a wait cannot begin, Asio asks the handler that it has moved from for the allocator. So
    // that still knows the state, which belongs to whoever begins the wait as well.
    wait_handler(wait_handler&& other) noexcept
        : state_(other.state_), epoch_(other.epoch_), what_(other.what_),
          owns_(std::exchange(other.owns_, false))
    {
    }
    wait_handler& operator=(wait_handler other) noexcept
    {
        std::swap(state_, other.state_);
        std::swap(epoch_, other.epoch_);
        std::swap(what_, other.what_);
        std::swap(owns_, other.owns_);
        return *this;
    }
    ~wait_handler()
    {
        if (owns_)
            detail::state_ptr::adopt(state_);
    }

    /// For Asio: the memory that its wait may use again.
    allocator_type get_allocator() const noexcept
    {
        return allocator_type(detail::state_ptr(state_));
    }

    /// Reports that the wait is over, or has failed with `error`. It calls the channel, which may
    /// destroy the transport.
    ASYNCHAT_DECL void operator()(const std::error_code& error);

    /// The same in a later turn of the loop: for a transport that is ready at once.
    ASYNCHAT_DECL void post() &&;

private:
    friend class transport_layer;

    ASYNCHAT_PRIVATE static void call(const detail::state_ptr& state, unsigned epoch,
                                      readiness what, const std::error_code& error);

    detail::channel_state* state_;
    unsigned epoch_; // of the channel when it had as many layers as the waiting transport
    readiness what_;
    bool owns_ = true; // a part of the state
};

/// Called once, with the result of a connect.
using connect_handler = std::function<void(const std::error_code&)>;

/// What an error of a transport means for its channel.
struct error_explanation {
    close_reason reason; ///< becomes dispatcher::close_reason()
    std::string text;    ///< one readable line, for the log and for close_text()
};

/// Receives and sends the bytes of a channel: the interface below dispatcher::recv() and send().
///
/// For another kind of connection, for example over a pair of pipes, derive from this class and
/// make a channel with socket(std::unique_ptr<transport>, endpoint). For a layer over another
/// transport derive from transport_layer.
///
/// No function blocks, and no function calls the channel back. Errors are set, not thrown; a call
/// that succeeds clears `error`. asio::error::would_block means that nothing can be done now: the
/// channel calls async_wait() and then tries again.
/// Thread safety: none; a transport belongs to the thread of its channel.
/// Lifetime: owned by its channel; destroyed when that is closed, or after the linger.
class ASYNCHAT_API transport {
public:
    /// For subclasses.
    transport() = default;
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;

    /// Closes. Pending waits end without effect; nothing more is sent.
    virtual ~transport() = default;

    /// Whether data can be received and sent: false before and during a handshake.
    virtual bool is_established() const noexcept { return true; }

    /// Continues the handshake. Called until it succeeds: at the beginning, and when a wait for
    /// readiness::read has ended. Until then the channel is not connected(): it calls neither
    /// read_some() nor write_some(). `peer` is the address or the name given to connect(), or the
    /// address of the peer. Errors as for read_some(); any error but would_block ends the channel.
    ASYNCHAT_DECL virtual void establish(const endpoint& peer, std::error_code& error);

    /// The meaning of the last error that this transport has set; empty if the channel shall treat
    /// it as an error of the system. An explained error does not call handle_error(), unless it
    /// ends a connect(): the channel logs the text and ends.
    ASYNCHAT_DECL virtual std::optional<error_explanation> explain(const std::error_code& error);

    /// Receives up to into.size() bytes, which is at least 1; returns 1 or more, or sets `error`.
    ///
    /// asio::error::eof means that the peer has ended its stream in order. Any other error ends the
    /// channel and becomes its close_error(). Report the end after all bytes of the stream. The
    /// channel calls this once for each wait, not until would_block: async_wait(readiness::read)
    /// must end while there is more input. The channel may also call it when there is no input.
    virtual std::size_t read_some(asio::mutable_buffer into, std::error_code& error) = 0;

    /// Sends bytes from the front of `from`, which is not empty. Returns the number of bytes taken,
    /// 1 or more, or sets `error`.
    ///
    /// Bytes that were taken are not offered again. The next call offers the other bytes again, in
    /// the same order. Their address and pieces may differ, and more bytes may follow them; fewer
    /// bytes come only if ac_out_buffer_size was made smaller. See held_output().
    virtual std::size_t write_some(const_buffers from, std::error_code& error) = 0;

    /// How many of the bytes that the last write_some() did not take must still be sent: for
    /// example the rest of a partly sent record. discard_buffers() does not drop these bytes.
    virtual std::size_t held_output() const { return 0; }

    /// Sends up to `count` bytes of a regular file from `offset` on, without reading them into this
    /// process. Returns the bytes sent; 0 without an error at the end of the file. The default sets
    /// operation_not_supported: then the bytes are read and passed to write_some().
    ASYNCHAT_DECL virtual std::size_t write_file(int file, std::uint64_t offset, std::size_t count,
                                                 std::error_code& error);

    /// Calls `ready` once, never inside this call. For readiness::read: when there is input (here
    /// or below), the end or an error. For readiness::write: when output may be taken. For
    /// readiness::urgent: when there is an error or urgent data. A call without a cause is
    /// harmless. At most one wait of each kind is pending; a new one replaces it.
    virtual void async_wait(readiness what, wait_handler ready) = 0;

    /// The descriptor, which the channel polls when a timeout has expired; -1 without one.
    virtual int native_handle() { return -1; }

    /// The error of a lost connection, as far as it is known without reading or writing. Reports an
    /// error once.
    virtual std::error_code take_error() { return {}; }

    /// Whether the end of the incoming stream has arrived; there may be input before it.
    virtual bool peer_has_finished() { return false; }

    /// Bytes that were written and that the peer has not taken yet, as far as it is known. Each
    /// time it decreases, write_timeout() starts again.
    virtual std::size_t in_flight() { return 0; }

    /// Whether read_some() will return input, the end or an error, now or soon. Called when the
    /// connection is lost for output: the channel receives the remaining input first.
    virtual bool may_read() { return true; }

    /// Whether it is one end of a connection, so that shutdown_write() and reset_on_close() apply.
    virtual bool is_connection() const noexcept { return false; }

    /// Ends the outgoing stream; the incoming stream continues. Called when all output is taken,
    /// for push_eof() and at the end of close_when_done(). Called again after would_block. A
    /// further call after success is not an error.
    ASYNCHAT_DECL virtual void shutdown_write(std::error_code& error);

    /// Makes the destructor reset the connection and drop unsent bytes.
    virtual void reset_on_close() noexcept {}

    // --- for sockets; the defaults set operation_not_supported ---------------------------------

    /// As of the system.
    ASYNCHAT_DECL virtual void bind(const endpoint& where, std::error_code& error);
    ASYNCHAT_DECL virtual void listen(int backlog, std::error_code& error);

    /// The next connection of a listening socket; an empty socket when `error` is set.
    ASYNCHAT_DECL virtual socket accept(std::error_code& error);

    /// Calls `done` once, never inside this call, unless the transport is destroyed first.
    ASYNCHAT_DECL virtual void async_connect(const endpoint& to, connect_handler done);

    /// The addresses of both ends; empty without an address.
    virtual endpoint local_endpoint() const { return {}; }
    virtual endpoint peer_endpoint() const { return {}; }

private:
    friend class dispatcher;
    friend class transport_layer;
    friend struct detail::channel_access;

    virtual transport_layer* as_layer_() noexcept { return nullptr; }
    virtual detail::socket_transport* as_socket_() noexcept { return nullptr; } // the lowest

    /// As read_some(), but below all layers. With `keep` the bytes stay, and are received again.
    ASYNCHAT_DECL virtual std::size_t receive_below_(asio::mutable_buffer into, bool keep,
                                                     std::error_code& error);
};

/// What happens to input that a channel has received, but not delivered, when a layer is added. The
/// sender did not send it through the layer; it may come from an attacker.
enum class early_input : unsigned char {
    close,   ///< ends the channel with close_reason::early_input
    discard, ///< drops the input
    feed     ///< passes it through the layer, like later input
};

/// A transport over another one, which it owns: encryption, compression, counting, a tunnel.
///
/// Each function calls the same function of lower(), except write_file(), which would bypass
/// write_some(). A subclass overrides the functions that it changes, mostly read_some() and
/// write_some(), and calls lower() in them. Pass a layer to dispatcher::add_layer(),
/// socket::add_layer() or server_base::use_layer(). Before the library puts it over a transport,
/// do not call lower().
///
/// If read_some() may leave input inside the layer, override has_input(). Do not store output:
/// refuse it with would_block, and it is offered again. A layer sends its own bytes in read_some(),
/// write_some(), establish() and shutdown_write(), and what would block then in send_own(). close()
/// and abort() do not call these functions.
class ASYNCHAT_API transport_layer : public transport {
public:
    ASYNCHAT_DECL bool is_established() const noexcept override;
    ASYNCHAT_DECL void establish(const endpoint& peer, std::error_code& error) override;
    ASYNCHAT_DECL std::optional<error_explanation> explain(const std::error_code& error) override;
    ASYNCHAT_DECL std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override;
    ASYNCHAT_DECL std::size_t write_some(const_buffers from, std::error_code& error) override;
    ASYNCHAT_DECL std::size_t held_output() const override;

    /// Final: override has_input() and waits_for() instead.
    ASYNCHAT_DECL void async_wait(readiness what, wait_handler ready) final;
    ASYNCHAT_DECL int native_handle() override;
    ASYNCHAT_DECL std::error_code take_error() override;
    ASYNCHAT_DECL bool peer_has_finished() override;
    ASYNCHAT_DECL std::size_t in_flight() override;

    /// Also true when has_input() is true.
    ASYNCHAT_DECL bool may_read() override;
    ASYNCHAT_DECL bool is_connection() const noexcept override;

    /// An override sends its last bytes, and then calls the original.
    ASYNCHAT_DECL void shutdown_write(std::error_code& error) override;
    ASYNCHAT_DECL void reset_on_close() noexcept override;
    ASYNCHAT_DECL void bind(const endpoint& where, std::error_code& error) override;
    ASYNCHAT_DECL void listen(int backlog, std::error_code& error) override;
    ASYNCHAT_DECL socket accept(std::error_code& error) override;
    ASYNCHAT_DECL void async_connect(const endpoint& to, connect_handler done) override;
    ASYNCHAT_DECL endpoint local_endpoint() const override;
    ASYNCHAT_DECL endpoint peer_endpoint() const override;

protected:
    /// For subclasses.
    transport_layer() = default;

    /// The transport below.
    transport& lower() noexcept { return *lower_; }

    /// Whether read_some() can return bytes, an end or an error that this layer stores, without new
    /// input from lower(). Called after each event of the channel; while it is true, reading does
    /// not wait. Return false for an incomplete record, or the loop never sleeps.
    virtual bool has_input() { return false; }

    /// What lower() must be ready for before the next read_some() (`what` is read) or write_some()
    /// (`what` is write). For example, a handshake may have to read before it can write. Called
    /// when a wait begins and after each event of the channel; a new result also applies to pending
    /// waits.
    virtual readiness waits_for(readiness what) { return what; }

    /// Sends bytes of the layer itself that would have blocked before, such as the answer to a
    /// change of keys. Returns whether there are more: then it is called again when lower() can
    /// take output. Called after each event of the channel. An error is reported by the next
    /// write_some() instead.
    virtual bool send_own() { return false; }

private:
    friend class dispatcher;
    friend class socket;
    friend class detail::before_layer;
    friend struct detail::channel_access;

    bool holds_input() const noexcept { return holds_input_; }

    transport_layer* as_layer_() noexcept override { return this; }
    ASYNCHAT_DECL detail::socket_transport* as_socket_() noexcept override;
    ASYNCHAT_DECL std::size_t receive_below_(asio::mutable_buffer into, bool keep,
                                             std::error_code& error) override;

    /// A new layer for another connect() after the handshake of this one has failed; null if there
    /// is none.
    virtual std::unique_ptr<transport_layer> renewed_() noexcept { return nullptr; }

    /// Whether a channel with this layer may not watch urgent data, which goes past all layers.
    virtual bool forbids_urgent_data_() const noexcept { return false; }

    /// Puts `next` over the layers that have no transport yet. Throws std::length_error.
    ASYNCHAT_PRIVATE static void stack(std::unique_ptr<transport_layer>& layers,
                                       std::unique_ptr<transport_layer> next, unsigned below);

    /// The layers without the last one.
    ASYNCHAT_DECL static std::unique_ptr<transport_layer>
    unstack(std::unique_ptr<transport_layer> layers) noexcept;

    /// Puts layers that have no transport over `below`, whose pending waits are `armed`.
    ASYNCHAT_PRIVATE static std::unique_ptr<transport>
    put_over(std::unique_ptr<transport> below, std::unique_ptr<transport_layer> layers,
             detail::readiness_set armed) noexcept;

    /// Throws std::logic_error if one of these layers forbids urgent data.
    ASYNCHAT_PRIVATE void require_urgent_data();

    transport_layer* layer_below() noexcept { return lower_ ? lower_->as_layer_() : nullptr; }

    /// Called when another channel owns it: forgets the waits. Returns the number of layers.
    ASYNCHAT_PRIVATE unsigned start_anew() noexcept;

    /// Makes the pending waits, here and below, wait for what waits_for() returns now, and sends
    /// the layers' own bytes.
    ASYNCHAT_PRIVATE void look_again(const detail::state_ptr& state);

    /// A wait of the layer at `level` for `what` of the transport below is over. Returns false when
    /// nothing else waited for it.
    ASYNCHAT_PRIVATE bool wait_ended(unsigned level, readiness what, const std::error_code& error);
    std::optional<wait_handler>& waiter_for(readiness what) noexcept
    {
        return what == readiness::read ? reader_ : writer_;
    }
    ASYNCHAT_PRIVATE void wait(readiness what);

    std::unique_ptr<transport> lower_;
    std::optional<wait_handler> reader_;
    std::optional<wait_handler> writer_;
    detail::readiness_set armed_; // pending waits below
    unsigned char level_ = 1;     // the number of layers up to this one
    bool holds_input_ = false;    // reading does not wait at present
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/dispatcher.hpp> // which has the implementation
#endif
#endif
