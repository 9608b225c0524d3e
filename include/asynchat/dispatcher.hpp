// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DISPATCHER_HPP
#define ASYNCHAT_DISPATCHER_HPP

#include <asynchat/channel_log.hpp>
#include <asynchat/config.hpp>
#include <asynchat/const_buffers.hpp>
#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/detail/format.hpp>
#include <asynchat/detail/server_state.hpp>
#include <asynchat/detail/rare_state.hpp>
#include <asynchat/detail/gate.hpp>
#include <asynchat/detail/unique_function.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/error.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/socket.hpp>
#include <asynchat/timer.hpp>
#include <asynchat/transport.hpp>

#include <asio/buffer.hpp>
#include <fmt/core.h>

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// A channel: one socket, what it waits for, and the handlers to override.
///
/// Flow: readable() and writable() say what the channel waits for. When the socket is ready, the
/// loop calls an event method, and this calls a handler:
///
///     listening   handle_read_event  -> handle_accept -> accept, handle_accepted
///     connecting  handle_write_event -> handle_connect, then as connected
///     connected   handle_read_event  -> handle_read        handle_write_event -> handle_write
///     the end     handle_eof -> handle_close               an exception -> handle_error
///
/// Inside any handler everything is allowed: send, close, throw, close or create other channels,
/// run the loop. After close() only handle_end() is called. handle_close() is called at most once,
/// and not because of your own close(). If it does not close the channel, the library does.
///
/// Thread safety: none; a channel belongs to the thread of its loop, and asserts that.
/// Lifetime: made by loop::create(), otherwise its constructor throws std::logic_error; destroyed
/// some time after close(), and never while one of its handlers is on the stack.
/// Python: Lib/asyncore.py, dispatcher
class ASYNCHAT_API dispatcher : public channel_log {
public:
    /// A channel without a socket; see create_socket() and connect().
    ASYNCHAT_DECL explicit dispatcher(loop& owner);

    /// A channel over a socket, usually a connected one from accept() or from Asio. The socket
    /// becomes non-blocking. With an empty `from` the channel has no socket.
    /// Throws std::system_error.
    ASYNCHAT_DECL dispatcher(loop& owner, socket from);

    ASYNCHAT_DECL virtual ~dispatcher();
    dispatcher(const dispatcher&) = delete;
    dispatcher& operator=(const dispatcher&) = delete;

    // --- making connections ------------------------------------------------------------------

    /// Makes a socket: AF_INET, AF_INET6 or AF_UNIX; SOCK_STREAM or SOCK_DGRAM. Non-blocking, not
    /// inherited by child processes, TCP_NODELAY set.
    ///
    /// Closes the previous socket. If it was connected, all state of that connection is dropped:
    /// its end, its clocks, its undelivered input and its unsent output. Settings stay: terminator,
    /// limits, timeouts. Throws std::system_error; std::logic_error after close(), in
    /// handle_close(), and for datagrams while a layer waits. Python: dispatcher.create_socket
    ASYNCHAT_DECL void create_socket(int family = AF_INET, int type = SOCK_STREAM);

    /// Allows binding to an address that was in use a moment ago (SO_REUSEADDR). Ignores errors.
    /// Python: dispatcher.set_reuse_addr
    ASYNCHAT_DECL void set_reuse_addr();

    /// Gives the socket an address; port 0 lets the system choose, see local_endpoint().
    /// On success addr() is `where`. Throws std::system_error. Python: dispatcher.bind
    ASYNCHAT_DECL void bind(const endpoint& where);
    ASYNCHAT_DECL void bind(const endpoint& where, std::error_code& error);

    /// Starts to accept connections; up to `backlog` of them wait in the system.
    /// Throws std::system_error. Python: dispatcher.listen
    ASYNCHAT_DECL void listen(int backlog = SOMAXCONN);
    ASYNCHAT_DECL void listen(int backlog, std::error_code& error);

    /// The next waiting connection and its address; std::nullopt when no connection waits or the
    /// next one is already lost. Throws std::system_error for other errors, such as too many open
    /// files; the channel then tries again a tenth of a second later.
    /// Python: dispatcher.accept
    [[nodiscard]] ASYNCHAT_DECL virtual std::optional<std::pair<socket, endpoint>> accept();

    /// Connects to an address; makes a stream socket if the channel has no socket.
    ///
    /// Calls no handler inside the call. A later turn calls handle_connect(), or handle_error()
    /// with a std::system_error as the current exception. Python: dispatcher.connect
    ASYNCHAT_DECL void connect(const endpoint& to);

    /// As above, but to a host and service by name or number ("localhost", "http"). The names are
    /// looked up without blocking (Asio's resolver, which keeps a thread of its own for it). Then
    /// up to 16 addresses are tried, the families in turns, until one accepts: the next one when an
    /// attempt has failed, or when none has succeeded for happy_eyeballs_delay(). Up to 4 attempts
    /// are under way. The first that succeeds is the connection; the others are closed. Until then
    /// the channel has no socket. A socket made by create_socket() restricts the addresses to its
    /// family and serves the first one; then each attempt waits for the end of the one before.
    ///
    /// A service is a port (0 to 65535 in decimal digits) or a name that begins with a letter or a
    /// digit. Any other service fails with close_reason::lookup_failed in a later turn.
    /// Throws std::invalid_argument when the host or the service is empty or has a NUL inside.
    /// Differs: in Python an empty host means this machine, and an empty service means port 0.
    ASYNCHAT_DECL void connect(std::string_view host, std::string_view service);

    /// As above, to a port by number, 0 to 65535.
    ASYNCHAT_DECL void connect(std::string_view host, std::int64_t port);
    template <class Unsigned, detail::if_wide_unsigned<Unsigned> = 0>
    void connect(std::string_view host, Unsigned port);

    /// How long connect() to a name waits for an attempt before it tries the next address beside
    /// it; 250 ms by default. With zero the next address is tried only when the attempt has failed.
    /// Throws std::invalid_argument when it is negative, or over zero and under 10 ms.
    /// Python: create_connection(happy_eyeballs_delay=) of asyncio, where the default is zero
    ASYNCHAT_DECL void happy_eyeballs_delay(loop::duration delay);
    [[nodiscard]] ASYNCHAT_DECL loop::duration happy_eyeballs_delay() const noexcept;

    /// How many addresses of the first family connect() to a name tries before the families take
    /// turns; 1 by default. With zero it keeps the order of the look-up.
    /// Python: create_connection(interleave=) of asyncio
    ASYNCHAT_DECL void interleave(std::size_t first_family);
    [[nodiscard]] ASYNCHAT_DECL std::size_t interleave() const noexcept;

    /// The addresses that the last connect() has tried, and why each failed, in the order of the
    /// failures. Read it in handle_error() or later. Empty after a success.
    [[nodiscard]] ASYNCHAT_DECL std::vector<connect_error> connect_errors() const;

    // --- data ----------------------------------------------------------------------------------

    /// Sends at once what the socket takes. Returns the bytes sent, 0 when it would block.
    ///
    /// If the connection is lost, it calls handle_close() and returns 0; a channel with an output
    /// queue ends later, when it has delivered the input that it received. Other errors throw
    /// std::system_error. A layer overrides it and calls the original. Python: dispatcher.send
    ASYNCHAT_DECL virtual std::size_t send(const_buffers data);

    /// Receives at once what the socket has. Returns the number of bytes, 0 when there is no input.
    ///
    /// At the end of the stream it calls handle_eof(), if the connection is lost handle_close(); in
    /// both cases it returns 0.
    /// Other errors throw std::system_error. A layer overrides it and calls the original.
    /// Python: dispatcher.recv
    ASYNCHAT_DECL virtual std::size_t recv(asio::mutable_buffer into);

    /// Receives and sends through `layer` from now on. It lies over the layers added before.
    ///
    /// Output that was pushed earlier is sent without the layer, later output through it. Until the
    /// earlier output is sent, the channel receives nothing. A channel that is not connected yet
    /// gets the layer when it is connected, before handle_connect().
    ///
    /// In the middle of a stream, call it in found_terminator() or found_frame(), when the line
    /// that agrees on the layer is complete. Input that was already received after that line, or an
    /// incomplete frame, did not come through the layer; `early` says what happens to it. With
    /// early_input::feed an incomplete frame closes the channel too. In collect_incoming_data() the
    /// current piece counts as not delivered.
    /// Throws std::invalid_argument for a null pointer, std::length_error for more than 31 layers,
    /// on a connection for more than 30, std::logic_error after close(), when the channel listens,
    /// or over datagrams.
    /// Differs: not in Python, where a program wraps the socket.
    ASYNCHAT_DECL void add_layer(std::unique_ptr<transport_layer> layer,
                                 early_input early = early_input::close);

    /// Sends one datagram. Returns its size in bytes, 0 when it would block.
    /// Throws std::system_error.
    ASYNCHAT_DECL std::size_t sendto(std::string_view datagram, const endpoint& to);

    /// Receives one datagram and sets `from` to its sender. Returns its size, 0 for an empty
    /// datagram; std::nullopt when no datagram waits. Bytes that do not fit into `into` are lost.
    /// Throws std::system_error.
    ASYNCHAT_DECL std::optional<std::size_t> recvfrom(asio::mutable_buffer into, endpoint& from);

    /// Ends the channel now. Unsent output is lost, and only handle_end() is still called.
    ///
    /// May be called everywhere, any number of times; throws nothing.
    /// An override calls the original. Python: dispatcher.close
    ASYNCHAT_DECL virtual void close();

    /// As close(), but the peer sees a reset instead of the end of the stream: it must not take the
    /// bytes that it has received for a complete message.
    ASYNCHAT_DECL void abort();

    /// Ends our stream after the bytes already sent. The peer sees the end of the stream; it may
    /// continue to send. If the connection is lost, the channel ends as in send(). Throws
    /// std::system_error, also when the last bytes of a layer would block: then call it again in
    /// handle_write(). Throws std::logic_error without a connection.
    /// Python: socket.shutdown(SHUT_WR)
    ASYNCHAT_DECL void shutdown_output();

    // --- time ----------------------------------------------------------------------------------
    // A timeout ends the channel with the close_reason of the same name: never early, and at most a
    // tenth of a second late. Zero means no limit. May be called at any time; a clock that runs
    // keeps its start. Throw std::invalid_argument for a negative time.

    /// From connect() to handle_connect(), including the look-up and all addresses; 30 seconds by
    /// default. After it handle_error() is called, as for every failure to connect.
    ASYNCHAT_DECL void connect_timeout(loop::duration timeout);
    [[nodiscard]] ASYNCHAT_DECL loop::duration connect_timeout() const noexcept;

    /// How long a handshake, for example of TLS, may take after the connection is made or the layer
    /// was added: 30 seconds by default, 10 on accepted connections. After it the channel
    /// ends; when it has called connect(), handle_error() is called. Python: ssl_handshake_timeout
    /// of asyncio, 60 seconds
    ASYNCHAT_DECL void handshake_timeout(loop::duration timeout);
    [[nodiscard]] ASYNCHAT_DECL loop::duration handshake_timeout() const noexcept;

    /// How long the channel may neither receive nor send a byte; no limit by default. After it
    /// handle_idle_timeout() is called.
    ASYNCHAT_DECL void idle_timeout(loop::duration timeout);
    [[nodiscard]] ASYNCHAT_DECL loop::duration idle_timeout() const noexcept;

    /// Calls handle_silence() each time when no input has come for `interval`; off by default.
    /// Unlike a timeout it does not end the channel.
    ASYNCHAT_DECL void silence_interval(loop::duration interval);
    [[nodiscard]] ASYNCHAT_DECL loop::duration silence_interval() const noexcept;

    /// How long output may wait while the peer takes nothing; 60 seconds by default. For channels
    /// that queue their output.
    ASYNCHAT_DECL void write_timeout(loop::duration timeout);
    [[nodiscard]] ASYNCHAT_DECL loop::duration write_timeout() const noexcept;

    /// How long the connection lingers after close_when_done() has sent everything and the channel
    /// is closed; 2 seconds by default. It ends earlier when the peer ends it. Further input is
    /// dropped. Without the linger, unread input would make the system reset the connection, and
    /// the peer could lose the last output. loop::run() waits for it. With zero the connection does
    /// not linger.
    ASYNCHAT_DECL void linger_timeout(loop::duration timeout);
    [[nodiscard]] ASYNCHAT_DECL loop::duration linger_timeout() const noexcept;

    // --- what it waits for ---------------------------------------------------------------------

    /// Says whether the channel waits for input (or connections): true unless overridden.
    ///
    /// Called before a wait and after every event of this channel. If its result changes at
    /// another time, call update_interest(). An exception goes to handle_error().
    /// Python: dispatcher.readable
    virtual bool readable() { return true; }

    /// As above, for output. False unless overridden (Python: true, which spins).
    virtual bool writable() { return false; }

    /// Calls readable() and writable(), and waits accordingly.
    ASYNCHAT_DECL void update_interest();

    /// Calls handle_expt() when urgent data arrives, once for each urgent mark. Off by default
    /// because it costs a system call for each event. Throws std::logic_error over TLS, which does
    /// not protect urgent data.
    ASYNCHAT_DECL void watch_urgent_data(bool on = true);

    // --- events: the loop calls them; a handshake, for example, overrides them -------------------
    /// The socket is ready for this. They call the handlers, in the order above the class.
    ASYNCHAT_DECL virtual void handle_read_event();
    ASYNCHAT_DECL virtual void handle_write_event();
    ASYNCHAT_DECL virtual void handle_connect_event();
    ASYNCHAT_DECL virtual void handle_expt_event();

    // --- handlers: what a subclass overrides ---------------------------------------------------

    /// Called once for each connection, before its first input: an accepted one, one that connected
    /// (then handle_connect() follows), or one that was given to the constructor. Set the first
    /// terminator and the limits here, and push a greeting. Everything is allowed inside. If it
    /// throws and the channel stays open, handle_connect() does not follow. Not called for a
    /// listener or for datagrams. Python: none; asyncio has Protocol.connection_made
    virtual void handle_open() {}

    /// Called when a layer, for example of TLS, has completed its handshake: once for each, before
    /// handle_open() and handle_connect(), and before the first input that comes through the layer.
    /// No output has been sent through the layer yet. Check the peer's certificate here; close()
    /// refuses it. Everything is allowed inside. If it throws and the channel stays open,
    /// handle_open() does not follow. Python: none; asyncio has Protocol.connection_made
    virtual void handle_handshake() {}

    /// Input is there: call recv(). The default logs a warning.
    ASYNCHAT_DECL virtual void handle_read();

    /// Output is possible: call send(). The default logs a warning.
    ASYNCHAT_DECL virtual void handle_write();

    /// The connection is made; connected() is still false. The default logs a warning.
    ASYNCHAT_DECL virtual void handle_connect();

    /// A connection waits. The default accepts up to 64 waiting connections while readable() is
    /// true, and calls handle_accepted() for each.
    ASYNCHAT_DECL virtual void handle_accept();

    /// A connection was accepted. The default logs a warning and closes it. An exception ends only
    /// that connection: it goes to handle_error(), and the listener stays open.
    ASYNCHAT_DECL virtual void handle_accepted(socket connection, const endpoint& peer);

    /// Urgent data arrived. The default logs a warning.
    ASYNCHAT_DECL virtual void handle_expt();

    /// The other side has ended its stream. The default calls handle_close().
    ASYNCHAT_DECL virtual void handle_eof();

    /// The channel ends, for the reason that close_reason() tells. The default logs a warning and
    /// closes. Not called after the user's own close(): see handle_end().
    ASYNCHAT_DECL virtual void handle_close();

    /// Called once for every channel that ends, also after your own close(). It is the last call to
    /// the channel: no other callback of it is on the stack, and it is destroyed afterwards. It may
    /// only read: close_reason(), close_text(), counters, members. An exception is logged. If the
    /// loop is destroyed first, its destructor makes the call. Python: none; asyncio has
    /// Protocol.connection_lost
    virtual void handle_end() {}

    /// Called when the channel received and sent nothing for idle_timeout(), before it ends with
    /// close_reason::idle_timeout. You may send a last message: call push(), then
    /// close_when_done(). The reason is then close_reason::local. Python: none
    virtual void handle_idle_timeout() {}

    /// Called when no input has come for silence_interval(), and again after each further interval,
    /// until input comes: any byte counts. `silence` is the time since the last input. Send a
    /// message that the peer answers, or finish() when too many of them had no answer. Input that
    /// is not received yet counts too. Not called before the connection, after the peer's end of
    /// the stream, while the channel closes, and while it is idle in a pool. The default does
    /// nothing. Everything is allowed inside. Python: none; websockets has ping_interval
    virtual void handle_silence(loop::duration silence) { static_cast<void>(silence); }

    /// Called when the server of this channel stops. The server closes the channel at its deadline.
    /// You may push a last message and finish soon. The default ends the channel at once, with
    /// close_reason::shutdown. Differs: not in Python.
    ASYNCHAT_DECL virtual void handle_shutdown();

    /// Called when an exception left a callback, or when connecting failed. The exception is
    /// std::current_exception(). The default logs it and ends the channel with handle_close(); a
    /// channel that listens stays open. An exception from an override is logged and ends the
    /// channel, unless it listens; only exit_now leaves loop::run(). After a failed connect the
    /// channel waits for nothing: an override that keeps it open calls connect() again.
    ASYNCHAT_DECL virtual void handle_error();

    // --- state ---------------------------------------------------------------------------------
    /// A listener is accepting; a channel is connecting, then connected; closed is for good.
    [[nodiscard]] bool connected() const noexcept { return connected_; }
    [[nodiscard]] bool accepting() const noexcept { return accepting_; }
    [[nodiscard]] bool connecting() const noexcept { return connecting_; }
    [[nodiscard]] bool closed() const noexcept { return gate_.has(detail::gate::closed); }

    /// Why the channel was closed. It is set before handle_close() and handle_error() are called.
    [[nodiscard]] asynchat::close_reason close_reason() const noexcept { return reason_; }

    /// The system's error behind that reason; empty without one.
    [[nodiscard]] inline std::error_code close_error() const noexcept;

    /// Why the channel ended, in one line for people: "frame limit: 65536 bytes, set by
    /// max_frame()", "connect to 127.0.0.1:2601: Connection refused", "peer finished". Empty while
    /// it is open.
    [[nodiscard]] ASYNCHAT_DECL std::string close_text() const;

    /// The address given to bind() or connect(), or the peer of an accepted connection. It stays
    /// after the close. Python: dispatcher.addr
    [[nodiscard]] const endpoint& addr() const noexcept { return addr_; }

    /// The addresses that the system reports; empty when there is no address.
    [[nodiscard]] ASYNCHAT_DECL endpoint local_endpoint() const;
    [[nodiscard]] ASYNCHAT_DECL endpoint peer_endpoint() const;

    /// The descriptor, -1 without one. The channel keeps its ownership. Python: dispatcher.fileno
    [[nodiscard]] ASYNCHAT_DECL int native_handle() const;

    [[nodiscard]] loop& owner() const noexcept { return loop_; } ///< the loop that it was made for

    // --- socket options: throw std::system_error, std::logic_error without a socket --------------
    /// TCP_NODELAY and SO_KEEPALIVE of the system.
    ASYNCHAT_DECL void set_no_delay(bool on);
    ASYNCHAT_DECL void set_keep_alive(bool on);

    /// TCP, not on OpenBSD: after `idle` without a byte, the system asks at each `interval` whether
    /// the other side is there; after `count` questions without an answer (Linux: up to 127) it is
    /// lost. Times are rounded up to seconds; 0 is an error. A refused value changes nothing.
    ASYNCHAT_DECL void set_keep_alive(loop::duration idle, loop::duration interval, int count);

    /// TCP, on Linux only: the connection is lost when sent bytes are not acknowledged in
    /// `timeout`, rounded up to milliseconds. 0 is the system's default, a quarter of an hour.
    ASYNCHAT_DECL void set_user_timeout(loop::duration timeout);

    /// Allows other sockets with this option, of the same user, to listen on the same port
    /// (SO_REUSEPORT; SO_REUSEPORT_LB on FreeBSD). Call it before bind().
    ASYNCHAT_DECL void set_reuse_port();

    /// For a listener, on Linux only: a connection is accepted when its first bytes are there, or
    /// about `timeout` later, rounded up to seconds; 0 turns it off. Saves a wake-up for each
    /// connection. Not for protocols in which the server speaks first.
    ASYNCHAT_DECL void set_defer_accept(loop::duration timeout);

    /// Whether an IPv6 socket also serves IPv4. Call it before bind().
    ASYNCHAT_DECL void set_dual_stack(bool on);

    // --- logging: with log() and log_info() of channel_log --------------------------------------

    /// Called for each line of log(), log_info() and the library. The default passes it to the log
    /// of the loop, unless the type is ignored: see loop::log_sink(). An exception passes to the
    /// caller that logs.
    ///
    /// The library escapes foreign bytes in its lines, and cuts names at 256 bytes. Lines that a
    /// peer can cause are limited to 10 a second for a channel, 40 for all channels of a server<>,
    /// and 100 for a loop. `message` is valid during the call.
    /// Differs: in Python log() and log_info() are overridden.
    ASYNCHAT_DECL void handle_log(log_type type, std::string_view message) override;

    /// Sets the types that the default handle_log() ignores; log_type::warning by default.
    /// Python: dispatcher.ignore_log_types
    ASYNCHAT_DECL void ignore_log_types(std::initializer_list<log_type> types);

    /// For logs: "<echo_handler connected 127.0.0.1:80 at 0x55d0c0ffee>". Python: __repr__
    [[nodiscard]] ASYNCHAT_DECL virtual std::string repr() const;

protected:
    /// For a channel without a socket that overrides recv() and send(): says whether it can send.
    /// With a socket the library sets this state.
    inline void set_connected(bool on);

    /// Ends the channel: handle_close(), once, with this reason, then close().
    ASYNCHAT_DECL void finish(asynchat::close_reason reason, std::error_code error = {});

    /// As above, for close_reason::user and with a text for close_text().
    ASYNCHAT_DECL void finish(std::string why);

    /// Tells the reconnecting<T> that has made this channel that the protocol has succeeded, for
    /// example after the login: the next wait before it connects again is short. Without the call a
    /// connection is good when it has stood for 10 seconds. Does nothing on other channels.
    ASYNCHAT_DECL void connection_is_good();

    /// In handle_error(): the current exception as "type: text", with unprintable bytes escaped.
    ASYNCHAT_DECL static std::string exception_text();

    /// Calls `f()` once after `delay`, never early, as an event of this channel: its output is sent
    /// at the end of the call, and an exception goes to handle_error().
    ///
    /// The timer belongs to this object, not to its connection: another socket changes nothing. It
    /// ends when the channel is closed or destroyed; `f` is then destroyed inside close(). On a
    /// closed channel no timer starts. May be called in a constructor. Dropping the returned timer
    /// does not cancel it. `f` may be move-only.
    /// Differs: not in Python.
    template <class F>
    timer call_later(loop::duration delay, F f);

    /// Calls `f()` every `period`, first after one period, until it is cancelled or throws, or the
    /// channel is closed; otherwise as call_later(). Late calls are made up for, one in each turn.
    /// Throws std::invalid_argument when `period` is not positive.
    /// Differs: not in Python.
    template <class F>
    timer call_every(loop::duration period, F f);

    /// Call it when you have queued output: it is sent at the end of the running event of this
    /// channel, or else before the loop sleeps.
    inline void flush_soon();

private:
    friend struct detail::channel_access; // for the rest of the library
    friend class async_chat;
    friend class dispatcher_with_send;

    class running_event;

    /// handle_accept() has accepted a connection.
    ASYNCHAT_DECL virtual void accepted_(socket connection, const endpoint& peer);

    /// For subclasses with an output queue: called at the end of each event, sends.
    virtual void end_of_event_() {}

    /// Calls `body` as one event: exceptions go to handle_error(), then output is flushed and the
    /// interest updated.
    template <class Body>
    void in_event(Body&& body);

    /// Returns false when an exception went to handle_error().
    template <class Body>
    bool guarded(Body&& body);
    ASYNCHAT_DECL void handle_exception();
    ASYNCHAT_PRIVATE void end_after_failed_handler();
    ASYNCHAT_PRIVATE void close_after_exception();
    ASYNCHAT_PRIVATE void input_failed(asynchat::close_reason reason, const std::error_code& error);

    /// No more input comes: calls handle_eof(), or ends a lost connection. For subclasses that have
    /// something to deliver before it.
    virtual void end_of_input_() { is_lost() ? end_lost() : handle_eof(); }

    /// An operation has found that the connection is lost. The default ends the channel at once.
    /// Subclasses that queue their output call no handler inside a send: they record the loss with
    /// lose_connection(), and end when the received input is delivered.
    inline virtual void connection_lost_(asynchat::close_reason reason,
                                         const std::error_code& error);
    /// Returns false when the connection was lost before, or the channel already ends.
    ASYNCHAT_PRIVATE bool lose_connection(asynchat::close_reason reason,
                                          const std::error_code& error);
    ASYNCHAT_DECL void end_lost();
    ASYNCHAT_PRIVATE void time_lost();
    bool is_lost() const noexcept { return gate_.has(detail::gate::lost); }

    /// Whether a lost connection may still have input to receive.
    ASYNCHAT_PRIVATE bool may_receive();

    /// Called when a layer is added. Returns the input to feed to it. May end the channel.
    virtual std::string take_early_input_(early_input) { return {}; }

    /// Called when a layer is added. Returns whether output that was pushed before is left; then
    /// make_layer_switch() is queued behind it.
    virtual bool switches_later_() { return false; }

    /// create_socket() has replaced the socket of a connection.
    virtual void forget_connection_() {}

    /// Whether no message has begun and no output is left.
    virtual bool is_at_rest_() const noexcept { return true; }

    /// A callback of this channel begins, or has ended, to run the loop.
    virtual void nested_run_(bool) {}

    /// In its event this channel has pushed more to another channel than that one can send.
    virtual void fed_too_much_() {}

    /// The server of this channel has a rate.
    virtual void obey_rates_() {}

    /// The time of loop::set_deadline() has come. Ends the channel if it took too long, or sets the
    /// next deadline.
    ASYNCHAT_DECL virtual void deadline_reached_();
    ASYNCHAT_PRIVATE void deadline_reached();

    /// Whether handle_read() may be called when it is only possible that input is there.
    virtual bool reads_speculatively_() const { return false; }

    ASYNCHAT_PRIVATE void handle_readiness(readiness what, const std::error_code& error);
    ASYNCHAT_PRIVATE void ask_for_interest();
    ASYNCHAT_DECL void interest_refused();
    ASYNCHAT_PRIVATE bool is_stale(readiness what);
    ASYNCHAT_PRIVATE void speculative_read(bool alone);
    ASYNCHAT_PRIVATE void wait_for_input();
    ASYNCHAT_DECL void flush_later();
    ASYNCHAT_DECL void try_flush_soon() noexcept;
    ASYNCHAT_PRIVATE void wait_for(readiness what);
    ASYNCHAT_PRIVATE void set_transport(std::unique_ptr<transport> next);
    ASYNCHAT_PRIVATE void add_layer_now(std::unique_ptr<transport_layer> layer, early_input early);
    ASYNCHAT_PRIVATE void put_on_layers() noexcept;
    ASYNCHAT_PRIVATE void put_on(std::unique_ptr<transport_layer> layers) noexcept;
    ASYNCHAT_PRIVATE std::unique_ptr<producer> make_layer_switch();
    /// Whether add_layer() waits for output, or for a connection; and whether for output.
    bool has_waiting_layers() const noexcept { return rare_ && rare_->layers; }
    ASYNCHAT_PRIVATE bool layers_wait_for_output() const noexcept;
    ASYNCHAT_PRIVATE bool end_output();
    ASYNCHAT_PRIVATE bool has_said_last_words();
    ASYNCHAT_PRIVATE void require_life(const char* what) const;
    ASYNCHAT_PRIVATE transport& require_any_socket(const char* what) const;
    ASYNCHAT_PRIVATE detail::socket_transport& require_socket(const char* what) const;
    template <class Option>
    void set_option(const char* what, const Option& option);
    ASYNCHAT_PRIVATE void set_tcp_option(const char* what, int option, int value);
    ASYNCHAT_PRIVATE std::unique_ptr<transport> make_socket(int family, int type) const;
    ASYNCHAT_PRIVATE void use_socket(std::unique_ptr<transport> next);
    ASYNCHAT_PRIVATE void leave_connection(std::unique_ptr<transport> next);
    ASYNCHAT_PRIVATE detail::connect_record& connects();
    ASYNCHAT_PRIVATE detail::race_settings race_settings() const noexcept;
    ASYNCHAT_PRIVATE void drop_attempt();
    ASYNCHAT_PRIVATE void start_connect(const endpoint& to);
    ASYNCHAT_PRIVATE void looked_up(const std::error_code& error);
    ASYNCHAT_PRIVATE void go_on_connecting();
    ASYNCHAT_PRIVATE void wait_to_connect(loop::time_point until);
    ASYNCHAT_PRIVATE void start_address(std::size_t index);
    ASYNCHAT_PRIVATE void address_failed(std::size_t index, const std::error_code& error);
    ASYNCHAT_PRIVATE void answered(std::size_t index, const std::error_code& error);
    ASYNCHAT_PRIVATE void race_won();
    ASYNCHAT_PRIVATE void connect_ended(std::error_code error);
    ASYNCHAT_PRIVATE void connect_succeeded();
    ASYNCHAT_PRIVATE void connect_failed(asynchat::close_reason reason, std::error_code error);
    ASYNCHAT_PRIVATE void note_connect_error(const endpoint& to,
                                             const std::error_code& error) noexcept;
    ASYNCHAT_PRIVATE void note_unfinished(const std::error_code& error) noexcept;
    ASYNCHAT_PRIVATE detail::connect_attempt* attempt() const noexcept;
    ASYNCHAT_PRIVATE void end_attempt() noexcept;
    ASYNCHAT_PRIVATE void end_connect() noexcept;
    ASYNCHAT_PRIVATE void accept_event();
    ASYNCHAT_PRIVATE void pause_accepting();
    ASYNCHAT_PRIVATE void urgent_event();
    ASYNCHAT_PRIVATE void look_for_error();
    /// Whether the channel would not notice the end of the connection, because it does not read.
    inline bool is_deaf() const noexcept;
    ASYNCHAT_PRIVATE int poll_now(int events) const;
    ASYNCHAT_PRIVATE void look_what_was_taken();
    ASYNCHAT_PRIVATE bool was_met(detail::deadlines::clock what);
    ASYNCHAT_PRIVATE void close_with(asynchat::close_reason reason);
    ASYNCHAT_PRIVATE void tell_end() noexcept;
    ASYNCHAT_PRIVATE void note_error(const std::error_code& error) noexcept;
    ASYNCHAT_PRIVATE void note_text(std::string text) noexcept;
    inline void count_received(std::size_t bytes) noexcept;
    inline void count_sent(std::size_t bytes) noexcept;
    inline void count_frames(std::size_t frames) noexcept;
    /// Logs a line that a peer can cause. Such lines have a limit per second for the channel, for
    /// its server and for the loop. The next line says how many were left out. Lines of an ignored
    /// type do not count.
    template <class... Args>
    void log_of_peer(log_type type, fmt::format_string<Args...> format, const Args&... args);
    ASYNCHAT_PRIVATE void log_line_of_peer(log_type type, fmt::string_view format,
                                           fmt::format_args args);
    inline bool ignores(log_type type) const noexcept;
    inline const detail::timeouts& active_timeouts() const noexcept;
    inline const detail::output_limits& active_output_limits() const noexcept;
    ASYNCHAT_DECL detail::rare_state& rare();
    ASYNCHAT_PRIVATE void set_marks(std::size_t high, std::size_t low);
    ASYNCHAT_PRIVATE void set_timeout(loop::duration detail::timeouts::*which,
                                      loop::duration timeout);
    ASYNCHAT_PRIVATE void start_clock(detail::deadlines::clock what);
    ASYNCHAT_PRIVATE void close_at(loop::time_point time);
    ASYNCHAT_DECL timer start_timer(loop::duration delay, loop::duration period,
                                    detail::unique_function<void()> f);
    ASYNCHAT_PRIVATE void end_timers();
    ASYNCHAT_PRIVATE void look_at_clocks_by(loop::time_point time);
    bool has_rates() const noexcept { return rare_ && rare_->rates; }
    bool is_held() const noexcept { return has_rates() && rare_->rates->is_held; }
    ASYNCHAT_PRIVATE void clock_ran_out(detail::deadlines::clock what);
    detail::deadlines::clock_set counting_clocks() const noexcept;
    ASYNCHAT_PRIVATE void close_time_reached();
    ASYNCHAT_PRIVATE void idle_time_is_over();
    ASYNCHAT_PRIVATE void log_timeout(std::string_view what, std::string_view setter,
                                      loop::duration limit);
    inline void note_activity(bool is_input);
    ASYNCHAT_PRIVATE void restart_clocks(bool is_input);
    /// For channels with an output queue, after an attempt to send: output is left after the peer
    /// took `sent` bytes; or no output is left.
    ASYNCHAT_PRIVATE void output_waits(std::size_t sent);
    ASYNCHAT_PRIVATE void output_flows() noexcept;
    ASYNCHAT_PRIVATE void leave_to_linger() noexcept;
    ASYNCHAT_PRIVATE void log_exception(const char* where);
    ASYNCHAT_PRIVATE void log_failure(const char* follows);
    ASYNCHAT_PRIVATE std::error_code pending_error();
    ASYNCHAT_PRIVATE std::string safe_repr() const;

    inline detail::handshake_stage opening() const noexcept;
    ASYNCHAT_PRIVATE void begin_opening() noexcept;
    inline void end_opening() noexcept;
    ASYNCHAT_PRIVATE void count_opening() noexcept;
    ASYNCHAT_PRIVATE void uncount_opening() noexcept;
    ASYNCHAT_PRIVATE void step_opening();
    ASYNCHAT_PRIVATE void tell_opened(detail::handshake_stage stage);
    ASYNCHAT_PRIVATE void wait_for_opening();
    ASYNCHAT_PRIVATE void go_on_opening();
    ASYNCHAT_PRIVATE void opened();
    ASYNCHAT_PRIVATE void opening_failed(const std::error_code& error);
    ASYNCHAT_PRIVATE void opening_took_long();
    ASYNCHAT_PRIVATE void fail_to_open(asynchat::close_reason reason, const std::error_code& error,
                                       std::string text);
    ASYNCHAT_PRIVATE std::unique_ptr<transport_layer> renewed_layer(detail::handshake_stage stage);
    ASYNCHAT_PRIVATE void now_connected() noexcept;
    ASYNCHAT_PRIVATE void connection_made();
    ASYNCHAT_PRIVATE bool end_with_explanation(const std::error_code& error, bool of_input);

    loop& loop_;
    detail::state_ptr state_;
    std::unique_ptr<transport> transport_;
    detail::address_slot* slot_ = nullptr;     // in the server that made the channel, or null
    std::unique_ptr<detail::rare_state> rare_; // see rare()
    endpoint addr_;
    detail::gate gate_;
    asynchat::close_reason reason_ = asynchat::close_reason::open;
    unsigned char ignored_log_types_ = 1U << static_cast<unsigned>(log_type::warning);
    bool is_socket_ : 1; // the lowest of transport_ is a socket_transport
    bool in_memory_ : 1; // transport_ is a connection, or a socket, of another network
    bool connected_ : 1;
    bool accepting_ : 1;
    bool connecting_ : 1;
    bool was_accepted_ : 1;    // the connection, by a listener
    bool lingers_ : 1;         // close() leaves the connection to leave_to_linger()
    bool was_lost_ : 1;        // the connection was lost before the channel got it
    bool eof_ : 1;             // the peer has ended its stream
    bool reading_ : 1;         // handle_read_event() is on the stack
    bool received_ : 1;        // recv() found input since the interest was updated
    bool ended_unheard_ : 1;   // the peer is gone without an error: do not wait for it
    bool marked_unheard_ : 1;  // an urgent mark makes waits useless: a deadline checks
    bool interest_failed_ : 1; // the last readable() or writable() has thrown
    bool sends_plainly_ : 1;   // send() is not overridden, as create() has found
    bool has_event_ : 1;       // an event of the present transport was found to be its own
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

// These need the class.
#include <asynchat/detail/channel_event.hpp>
#include <asynchat/detail/channel_access.hpp>
#include <asynchat/detail/dispatcher_inline.hpp>

#endif
