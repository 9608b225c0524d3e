// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TRANSPORT_HPP
#define ASYNCHAT_TRANSPORT_HPP

#include <asynchat/config.hpp>
#include <asynchat/const_buffers.hpp>
#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/fwd.hpp>

#include <asio/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

namespace asynchat {

/// What a channel waits for: input, room for output, or urgent data and errors.
enum class readiness : unsigned char { read, write, urgent };

/// The end of one wait: what transport::async_wait() is given and calls once.
///
/// Small, and a handler for Asio as it is, with its allocator. Once the channel is closed, or has
/// another connection, a call does nothing. It may outlive the transport, and belongs to the thread
/// of the loop.
class wait_handler {
public:
    using allocator_type = detail::operation_allocator<void>;

    wait_handler(detail::state_ptr state, readiness what) noexcept
        : state_(std::move(state)), epoch_(state_->epoch), what_(what)
    {
    }

    allocator_type get_allocator() const noexcept { return allocator_type(state_); }

    /// The wait is over, or has failed with `error`. The channel is called from inside, and may
    /// destroy the transport.
    ASYNCHAT_DECL void operator()(const std::error_code& error);

    /// The same in a later turn of the loop: for what is ready at once.
    ASYNCHAT_DECL void post() &&;

private:
    friend class transport_layer;

    ASYNCHAT_DECL static void call(const detail::state_ptr& state, unsigned epoch, readiness what,
                                   const std::error_code& error);

    detail::state_ptr state_;
    unsigned epoch_; // of the channel when it had as many layers as the transport that waits
    readiness what_;
};

using connect_handler = std::function<void(const std::error_code&)>;

/// Where the bytes of a channel come from and go to: the seam below dispatcher::recv() and send().
///
/// A connection of another kind, over a pair of pipes say, derives from it and becomes a channel
/// with socket(std::unique_ptr<transport>, endpoint). What goes over another transport derives from
/// transport_layer.
///
/// No call blocks, and none calls the channel back from inside. Errors are set, not thrown; a call
/// that succeeds clears `error`. asio::error::would_block means nothing can be done now: the
/// channel calls async_wait() and then tries again.
/// Thread safety: none; a transport belongs to the thread of its channel.
/// Lifetime: owned by its channel; goes when that is closed, or some time later if it lingers.
class transport {
public:
    transport() = default;
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;

    /// Closes. Waits under way end without effect; nothing more is sent.
    virtual ~transport() = default;

    /// Receives up to into.size() bytes, which is at least 1; returns 1 or more, or sets `error`.
    ///
    /// The end of the stream is asio::error::eof: the other side has ended it in order. Any other
    /// error ends the channel, and is its close_error(); the end comes after all that was returned
    /// before. The channel calls it once for each wait, and does not come back until would_block:
    /// async_wait(readiness::read) ends as long as there is more. It may also call it when nothing
    /// is there.
    virtual std::size_t read_some(asio::mutable_buffer into, std::error_code& error) = 0;

    /// Sends a part of `from`, which is not empty, from its front; returns 1 or more bytes, or sets
    /// `error`.
    ///
    /// A byte that was returned is not offered again. What was not taken is offered again, in the
    /// next call: the same bytes come first, perhaps at another address, cut otherwise, and with
    /// more behind them; fewer only if ac_out_buffer_size was made smaller. See held_output().
    virtual std::size_t write_some(const_buffers from, std::error_code& error) = 0;

    /// How many of the bytes that write_some() was offered last, and did not take, are bound: part
    /// of a record that is half sent, say. Asked by discard_buffers(), which does not drop these.
    virtual std::size_t held_output() const { return 0; }

    /// Sends up to `count` bytes of a regular file from `offset` on, without bringing them here; 0
    /// bytes and no error at its end. The default, and what cannot, says operation_not_supported:
    /// then the bytes are read and given to write_some().
    ASYNCHAT_DECL virtual std::size_t write_file(int file, std::uint64_t offset, std::size_t count,
                                                 std::error_code& error);

    /// Calls `ready` once, never from inside, when another call of read_some() or write_some() is
    /// worth while: for read when there is input, here or below, an end or an error; for write when
    /// output may be taken; for urgent when there is an error, or urgent data. A call for nothing
    /// is harmless. Of each kind one wait is under way at most; another one takes its place.
    virtual void async_wait(readiness what, wait_handler ready) = 0;

    /// The descriptor, which the channel polls when a time has run out; -1 if there is none.
    virtual int native_handle() { return -1; }

    /// The error that the connection was lost by, as far as one can know without reading or
    /// writing; it is told once.
    virtual std::error_code take_error() { return {}; }

    /// Whether the end of the incoming stream is there, behind what there is to read.
    virtual bool peer_has_finished() { return false; }

    /// Bytes that were written and that the other side has not taken yet, as far as one can know.
    /// While it goes down, write_timeout() is measured anew.
    virtual std::size_t in_flight() { return 0; }

    /// Whether read_some() has something to give, an end or an error included, now or soon. Asked
    /// when the connection is lost for output: what is left is received first.
    virtual bool may_read() { return true; }

    /// Whether it is one end of a connection, which shutdown_write() and reset_on_close() are for.
    virtual bool is_connection() const noexcept { return false; }

    /// Ends the outgoing stream; the incoming one goes on. Called when all output was taken, by
    /// push_eof() and at the end of close_when_done(); again after would_block, and once more when
    /// it has been done, which is no error.
    ASYNCHAT_DECL virtual void shutdown_write(std::error_code& error);

    /// Has the other side see a reset when the transport goes, and drops what is not sent.
    virtual void reset_on_close() noexcept {}

    // --- for sockets; the defaults say operation_not_supported ---------------------------------

    ASYNCHAT_DECL virtual void bind(const endpoint& where, std::error_code& error);
    ASYNCHAT_DECL virtual void listen(int backlog, std::error_code& error);

    /// The next connection of a listening socket; no socket when `error` is set.
    ASYNCHAT_DECL virtual socket accept(std::error_code& error);

    /// Calls `done` once, never from inside, unless the transport goes first.
    ASYNCHAT_DECL virtual void async_connect(const endpoint& to, connect_handler done);

    /// Empty when there is none.
    virtual endpoint local_endpoint() const { return {}; }
    virtual endpoint peer_endpoint() const { return {}; }

private:
    friend class dispatcher;
    friend class transport_layer;
    friend struct detail::channel_access;

    virtual transport_layer* as_layer_() noexcept { return nullptr; }
    virtual detail::socket_transport* as_socket_() noexcept { return nullptr; } // the lowest
};

/// What becomes of input that a channel received before a layer was added, and has not delivered.
/// It was not sent through the layer, whoever sent it.
enum class early_input : unsigned char {
    close,   ///< ends the channel with close_reason::early_input
    discard, ///< is forgotten
    feed     ///< goes through the layer, as what is received later
};

/// A transport over another one, which it owns: encryption, compression, counting, a tunnel.
///
/// Passes everything on, but write_file(), which would go past write_some(). A subclass overrides
/// what it changes, mostly read_some() and write_some(), and calls that of lower() in it. Handed to
/// dispatcher::add_layer(), socket::add_layer() or server_base::use_layer(); until the library puts
/// it over a transport, lower() must not be called.
///
/// What it keeps inside: input that is left when read_some() has filled its buffer needs
/// has_input(); output is not kept but refused, with would_block, and offered again. It sends
/// nothing by itself: what it has to say goes out in the next read_some(), write_some() or
/// shutdown_write(). close() and abort() do not call them.
class transport_layer : public transport {
public:
    ASYNCHAT_DECL std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override;
    ASYNCHAT_DECL std::size_t write_some(const_buffers from, std::error_code& error) override;
    ASYNCHAT_DECL std::size_t held_output() const override;

    /// Not to be overridden: see has_input() and waits_for().
    ASYNCHAT_DECL void async_wait(readiness what, wait_handler ready) final;
    ASYNCHAT_DECL int native_handle() override;
    ASYNCHAT_DECL std::error_code take_error() override;
    ASYNCHAT_DECL bool peer_has_finished() override;
    ASYNCHAT_DECL std::size_t in_flight() override;

    /// True also when has_input().
    ASYNCHAT_DECL bool may_read() override;
    ASYNCHAT_DECL bool is_connection() const noexcept override;

    /// An override says its last words, and then calls this one.
    ASYNCHAT_DECL void shutdown_write(std::error_code& error) override;
    ASYNCHAT_DECL void reset_on_close() noexcept override;
    ASYNCHAT_DECL void bind(const endpoint& where, std::error_code& error) override;
    ASYNCHAT_DECL void listen(int backlog, std::error_code& error) override;
    ASYNCHAT_DECL socket accept(std::error_code& error) override;
    ASYNCHAT_DECL void async_connect(const endpoint& to, connect_handler done) override;
    ASYNCHAT_DECL endpoint local_endpoint() const override;
    ASYNCHAT_DECL endpoint peer_endpoint() const override;

protected:
    transport_layer() = default;

    /// The transport below.
    transport& lower() noexcept { return *lower_; }

    /// Whether read_some() has something to give, whatever lower() has: bytes, an end or an error
    /// that it keeps. Asked after each event of the channel; while it is true, reading does not
    /// wait. An incomplete record does not count: it would be asked for for ever.
    virtual bool has_input() { return false; }

    /// What lower() has to be ready for, before read_some() (`what` is read) or write_some()
    /// (write) is worth another call: the other one, if a handshake reads before it can write, say.
    /// Asked when a wait begins, and after each event of the channel: what a call has changed holds
    /// for the waits under way as well.
    virtual readiness waits_for(readiness what) { return what; }

private:
    friend class dispatcher;
    friend class socket;
    friend class detail::before_layer;
    friend struct detail::channel_access;

    bool holds_input() const noexcept { return holds_input_; }

    transport_layer* as_layer_() noexcept override { return this; }
    ASYNCHAT_DECL detail::socket_transport* as_socket_() noexcept override;

    /// Puts `next` over the layers that have no transport yet. Throws std::length_error.
    ASYNCHAT_DECL static void stack(std::unique_ptr<transport_layer>& layers,
                                    std::unique_ptr<transport_layer> next, unsigned below);

    /// Puts layers that have no transport over `below`, whose waits under way are `armed`.
    ASYNCHAT_DECL static std::unique_ptr<transport>
    put_over(std::unique_ptr<transport> below, std::unique_ptr<transport_layer> layers,
             detail::readiness_set armed) noexcept;

    transport_layer* layer_below() noexcept { return lower_ ? lower_->as_layer_() : nullptr; }

    /// Another channel owns it: forgets the waits. Returns the number of layers.
    ASYNCHAT_DECL unsigned start_anew() noexcept;

    /// Has the waits under way, here and below, wait for what they have to wait for by now.
    ASYNCHAT_DECL void look_again();

    /// A wait of the layer at this level for `what` of the transport below is over.
    ASYNCHAT_DECL void wait_ended(unsigned level, readiness what, const std::error_code& error);
    std::optional<wait_handler>& waiter_for(readiness what) noexcept
    {
        return what == readiness::read ? reader_ : writer_;
    }
    ASYNCHAT_DECL void wait(readiness what);

    std::unique_ptr<transport> lower_;
    std::optional<wait_handler> reader_;
    std::optional<wait_handler> writer_;
    detail::readiness_set armed_; // waits under way below
    unsigned char level_ = 1;     // the number of layers up to this one
    bool holds_input_ = false;    // reading waits for nothing, for now
};

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/dispatcher.hpp> // which has the implementation
#endif
#endif
