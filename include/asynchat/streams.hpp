// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

/// @file Streams for C++20 coroutines: a reader and a writer, with the names of Python's asyncio.
///
///     asio::awaitable<void> serve(asynchat::stream_reader reader, asynchat::stream_writer writer)
///     {
///         for (auto line = co_await reader.readline(); !line.empty();
///              line = co_await reader.readline()) {
///             writer.write(line);
///             co_await writer.drain();
///         }
///     }
///     asynchat::start_server(loop, serve, asynchat::endpoint("127.0.0.1", 8080));
///
/// Python: Lib/asyncio/streams.py

#ifndef ASYNCHAT_STREAMS_HPP
#define ASYNCHAT_STREAMS_HPP

#include <asynchat/detail/streams/coroutines.hpp>

#if defined(ASIO_HAS_CO_AWAIT) // nothing else would compile

#  include <asynchat/detail/scope_exit.hpp>
#  include <asynchat/detail/streams/stream_channel.hpp>
#  include <asynchat/endpoint.hpp>
#  include <asynchat/frame_source.hpp>
#  include <asynchat/handle.hpp>
#  include <asynchat/listen_options.hpp>
#  include <asynchat/loop.hpp>
#  include <asynchat/server.hpp>
#  include <asynchat/stream_errors.hpp>
#  include <asynchat/terminator.hpp>
#  include <asynchat/timer.hpp>

#  include <asio/awaitable.hpp>
#  include <asio/bind_cancellation_slot.hpp>
#  include <asio/cancellation_signal.hpp>
#  include <asio/co_spawn.hpp>
#  include <asio/post.hpp>
#  include <asio/this_coro.hpp>
#  include <asio/use_awaitable.hpp>

#  include <fmt/core.h>

#  include <cstddef>
#  include <cstdint>
#  include <exception>
#  include <functional>
#  include <memory>
#  include <optional>
#  include <stdexcept>
#  include <string>
#  include <string_view>
#  include <system_error>
#  include <type_traits>
#  include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

// --- reader and writer ---------------------------------------------------------------------------

/// The input of a stream. Views that a read returns are valid until the next read.
///
/// A read that is cancelled, or not awaited to its end, takes no bytes. One read at a time: another
/// one throws std::logic_error. When the connection is lost, what was received before can still be
/// read; then reads throw connection_lost.
///
/// Thread safety: as the loop. Lifetime: may outlive the channel and the loop.
/// Python: asyncio.StreamReader
class stream_reader {
public:
    explicit stream_reader(std::shared_ptr<detail::stream_state> of) noexcept
        : state_(std::move(of))
    {
    }

    /// 1 to `n` bytes as soon as one is there; an empty view at the end of the stream.
    /// Python: StreamReader.read
    asio::awaitable<std::string_view> read(std::size_t n)
    {
        return attempt(state_, [n](detail::stream_buffer& from) { return from.read(n); });
    }

    /// Everything up to the end of the stream, however much that is. Python: StreamReader.read(-1)
    asio::awaitable<std::string_view> read()
    {
        return attempt(state_, [](detail::stream_buffer& from) { return from.read_all(); });
    }

    /// A line with its "\n"; the last line of the stream may have none; an empty view at the end of
    /// the stream. Throws limit_overrun_error for a line of more than the limit, without its end;
    /// the line is skipped. Python: StreamReader.readline
    asio::awaitable<std::string_view> readline()
    {
        return attempt(state_, [](detail::stream_buffer& from) { return from.read_line(); });
    }

    /// So many bytes; may be more than the limit. Throws incomplete_read_error at the end of the
    /// stream. Python: StreamReader.readexactly
    asio::awaitable<std::string_view> readexactly(std::size_t n)
    {
        return attempt(
            state_, [n](detail::stream_buffer& from) { return from.read_exactly(n); }, n);
    }

    /// The bytes up to the separator, with it: a string, or the first of several strings. Throws
    /// incomplete_read_error at the end of the stream; limit_overrun_error when more than the limit
    /// precede it: the bytes then stay. Throws std::invalid_argument for any other terminator.
    /// Python: StreamReader.readuntil
    asio::awaitable<std::string_view> readuntil(terminator separator = "\n")
    {
        if (!separator.is_bytes() || separator.collects_everything())
            throw std::invalid_argument("asynchat: a separator is a string that is not empty");
        return attempt(state_, [separator = std::move(separator)](detail::stream_buffer& from) {
            return from.read_until(separator);
        });
    }

    /// After readline(): the next line if it is complete, without waiting; std::nullopt otherwise.
    /// Views of earlier lines stay valid. For many short lines this is several times faster.
    std::optional<std::string_view> next_line()
    {
        const auto seen = state_->input.next_line();
        after_read(*state_);
        return seen.what == verdict::found ? std::optional(seen.data) : std::nullopt;
    }

    /// The separator that the last readuntil() has found; valid until the next read.
    [[nodiscard]] std::string_view matched_terminator() const noexcept
    {
        return state_->input.matched();
    }

    /// True when the stream has ended and everything was read. Python: StreamReader.at_eof
    [[nodiscard]] bool at_eof() const noexcept
    {
        return state_->input.has_ended() && state_->input.size() == 0;
    }

private:
    using verdict = detail::stream_buffer::verdict;
    using state_ptr = std::shared_ptr<detail::stream_state>;

    static void after_read(detail::stream_state& state)
    {
        if (state.channel)
            state.channel->input_was_read(false);
    }

    /// Repeats a read until it is not starved.
    template <class Read>
    static asio::awaitable<std::string_view> attempt(state_ptr state, Read read,
                                                     std::optional<std::size_t> expected = {})
    {
        if (state->has_reader())
            throw std::logic_error("asynchat: another read of this stream is under way");
        for (;;) {
            const auto seen = read(state->input);
            if (seen.what != verdict::starved)
                after_read(*state);
            switch (seen.what) {
            case verdict::found: co_return seen.data;
            case verdict::incomplete: throw incomplete_read_error(std::string(seen.data), expected);
            case verdict::too_long:
                throw limit_overrun_error(state->input.limit(), seen.data.size());
            case verdict::starved: break;
            }
            if (!state->channel)
                throw connection_lost(state->reason, state->error, state->text);
            state->channel->input_was_read(true);
            co_await state->wait_for_input();
        }
    }

    state_ptr state_;
};

namespace detail {

/// Calls the start_tls() of the context's namespace: this header knows no TLS.
template <class Context, class... Options>
void start_tls_of(dispatcher& channel, const Context& with, Options&&... options)
{
    start_tls(channel, with, std::forward<Options>(options)...);
}

} // namespace detail

/// The output of a stream. The connection is closed when the writer is destroyed, after what was
/// written is sent; as by close().
///
/// Python: asyncio.StreamWriter
class stream_writer {
public:
    explicit stream_writer(std::shared_ptr<detail::stream_state> of) noexcept
        : state_(std::move(of))
    {
    }
    stream_writer(stream_writer&&) noexcept = default;
    stream_writer& operator=(stream_writer&& other) noexcept
    {
        if (this != &other) {
            close();
            state_ = std::move(other.state_);
        }
        return *this;
    }
    ~stream_writer() { close(); }

    /// Queues bytes, as async_chat::push(); never waits. Returns false when they are dropped,
    /// because the stream is closed or lost: drain() says why. Python: StreamWriter.write
    template <class Data>
    bool write(Data&& data)
    {
        return state_->channel && state_->channel->push(std::forward<Data>(data));
    }

    /// write() of each element. Python: StreamWriter.writelines
    template <class Range>
    void writelines(const Range& all)
    {
        for (const auto& each : all)
            write(each);
    }

    /// write() of a text that fmt formats.
    template <class... Args>
    bool print(fmt::format_string<Args...> format, Args&&... args)
    {
        return state_->channel && state_->channel->print(format, std::forward<Args>(args)...);
    }

    /// Waits while the output is over the high mark, until it is down to the low mark; see
    /// async_chat::write_buffer_limits(). Throws connection_lost after the end of the connection,
    /// always. Python: StreamWriter.drain
    asio::awaitable<void> drain() { return drained(state_); }

    /// Ends our stream when everything is sent; reading goes on. Python: StreamWriter.write_eof
    void write_eof()
    {
        if (state_->channel)
            state_->channel->push_eof();
    }

    /// Closes the connection when everything is sent. Python: StreamWriter.close
    void close() noexcept
    {
        if (!state_)
            return;
        state_->is_closing = true;
        if (state_->channel)
            state_->channel->close_when_done();
    }

    /// True after close(), and when the connection has ended. Python: StreamWriter.is_closing
    [[nodiscard]] bool is_closing() const noexcept
    {
        return state_->is_closing || !state_->channel;
    }

    /// Protects the stream from now on, as for STARTTLS: start_tls(context) or start_tls(context,
    /// host), with a tls::context; see tls::start_tls(). Waits for the end of the handshake; throws
    /// connection_lost when it fails. What was written before is sent in the clear. Bytes that are
    /// unread at the call end the connection, with close_reason::early_input: nobody can know
    /// whether they are the peer's. Python: StreamWriter.start_tls
    template <class Context, class... Options>
    asio::awaitable<void> start_tls(Context with, Options... options)
    {
        return secured(state_, std::move(with), std::move(options)...);
    }

    /// Waits until the connection has ended. Throws connection_lost if output was lost: the
    /// timeouts of the channel bound the time. Python: StreamWriter.wait_closed
    asio::awaitable<void> wait_closed() { return closed(state_); }

    /// The channel, for its limits, timeouts, marks, addresses and counters; null after its end.
    /// Python: StreamWriter.transport
    [[nodiscard]] async_chat* channel() const noexcept { return state_->channel; }

private:
    using state_ptr = std::shared_ptr<detail::stream_state>;

    static asio::awaitable<void> drained(state_ptr state)
    {
        for (;;) {
            if (state->channel)
                state->channel->send_if_over_high_mark(); // it may end here
            if (!state->channel)
                throw connection_lost(state->reason, state->error, state->text);
            // A coroutine that goes on writing must not hold up the end, but learn of it.
            if (!state->channel->write_paused() &&
                !detail::channel_access::is_ending(*state->channel))
                co_return;
            co_await state->wait_for_change();
        }
    }
    template <class Context, class... Options>
    static asio::awaitable<void> secured(state_ptr state, Context with, Options... options)
    {
        if (state->channel) {
            // What a callback delivers at this moment would count as early input.
            state->channel->pause_reading();
            const detail::scope_exit go_on([&state] {
                if (state->channel)
                    state->channel->resume_reading();
            });
            co_await asio::post(state->channel->owner().context(), asio::use_awaitable);
            if (state->channel && state->channel->begin_securing())
                detail::start_tls_of(*state->channel, with, std::move(options)...);
        }
        while (state->channel && state->is_securing)
            co_await state->wait_for_change();
        if (!state->channel)
            throw connection_lost(state->reason, state->error, state->text);
    }
    static asio::awaitable<void> closed(state_ptr state)
    {
        while (state->channel)
            co_await state->wait_for_change();
        if (state->lost_output > 0)
            throw connection_lost(state->reason, state->error, state->text);
    }

    state_ptr state_;
};

/// Both sides of a connection. A struct: some compilers destroy a structured binding of a co_await
/// twice, so name it and use its members.
struct stream {
    /// They share the connection.
    stream_reader reader;
    stream_writer writer;
};

/// How streams are made.
struct stream_options {
    /// Largest line and read up to a separator, in bytes, without the separator. Reading stops
    /// while twice as many bytes are unread. Python: limit
    std::size_t limit = 65536;
    /// Called for each new channel, before it connects or begins to read: sets timeouts, marks and
    /// layers such as TLS.
    std::function<void(async_chat&)> configure;
};

// --- coroutines of a loop ------------------------------------------------------------------------

/// Runs a coroutine in the loop's thread, beginning in a later turn. The loop runs until it ends.
/// An exception of it leaves loop::run(). Python: asyncio.create_task
inline void spawn(loop& owner, asio::awaitable<void> work)
{
    // In a function of the loop: if the loop is destroyed before, the work does not begin.
    owner.post([&context = owner.context(), guard = owner.keep_running(),
                work = std::move(work)]() mutable {
        asio::co_spawn(context, std::move(work),
                       [&context, guard = std::move(guard)](std::exception_ptr failure) mutable {
                           if (!failure)
                               return;
                           // Not here: of several in one event only one could leave run().
                           asio::post(context, [failure, guard = std::move(guard)] {
                               std::rethrow_exception(failure);
                           });
                       });
    });
}

namespace detail {

inline asio::awaitable<stream> connected(stream made, std::shared_ptr<stream_state> state)
{
    while (!state->is_open && state->channel)
        co_await state->wait_for_change();
    if (!state->channel)
        throw connection_lost(state->reason, state->error, state->text);
    co_return std::move(made);
}

/// `connect(channel)` begins to connect a channel that has no connection yet.
template <class Connect>
asio::awaitable<stream> open_stream(loop& owner, socket from, const stream_options& options,
                                    Connect connect)
{
    const auto channel = owner.create<stream_channel>(std::move(from), options.limit);
    const auto state = channel->state();
    stream made{stream_reader(state), stream_writer(state)};
    if (options.configure)
        options.configure(*channel);
    connect(*channel);
    return connected(std::move(made), state);
}

} // namespace detail

/// Connects to a host and port by name or number, or to an address, such as that of a UNIX socket.
/// Throws connection_lost when no address accepts the connection in time.
/// Python: asyncio.open_connection, open_unix_connection
inline asio::awaitable<stream> open_connection(loop& owner, std::string_view host,
                                               std::int64_t port,
                                               const stream_options& options = {})
{
    return detail::open_stream(owner, socket(), options,
                               [&](dispatcher& channel) { channel.connect(host, port); });
}
inline asio::awaitable<stream> open_connection(loop& owner, std::string_view host,
                                               std::string_view service,
                                               const stream_options& options = {})
{
    return detail::open_stream(owner, socket(), options,
                               [&](dispatcher& channel) { channel.connect(host, service); });
}
inline asio::awaitable<stream> open_connection(loop& owner, const endpoint& to,
                                               const stream_options& options = {})
{
    return detail::open_stream(owner, socket(), options,
                               [&](dispatcher& channel) { channel.connect(to); });
}

/// A stream over a socket that is connected already. Python: asyncio.open_connection(sock=)
inline asio::awaitable<stream> open_connection(loop& owner, socket connected,
                                               const stream_options& options = {})
{
    return detail::open_stream(owner, std::move(connected), options, [](dispatcher&) {});
}

namespace detail {

/// What the connections of a server share.
struct stream_service {
    std::function<asio::awaitable<void>(stream_reader, stream_writer)> callback;
    stream_options options;
};

/// A connection of a server: its coroutine begins when it is open.
class served_stream : public stream_channel {
public:
    served_stream(loop& owner, socket from, std::shared_ptr<const stream_service> service)
        : stream_channel(owner, std::move(from), service->options.limit),
          service_(std::move(service))
    {
    }

    void handle_open() override
    {
        stream made{stream_reader(state()), stream_writer(state())}; // closed by an exception
        stream_channel::handle_open(); // first: from now on errors are logged
        if (service_->options.configure)
            service_->options.configure(*this);
        // The callback may be a lambda with captures: it must live as long as its coroutine.
        asio::co_spawn(
            owner().context(), service_->callback(std::move(made.reader), std::move(made.writer)),
            [state = state(), service = service_, owner = anchor()](std::exception_ptr failure) {
                const auto alive = owner.lock();
                if (failure && alive)
                    failed(*alive->owner, *state, failure);
            });
    }

private:
    /// The coroutine has ended with an exception: as one that left a callback. When the connection
    /// has ended before, connection_lost says nothing new.
    static void failed(loop& owner, const stream_state& state, const std::exception_ptr& failure)
    {
        const bool is_open = state.channel && !state.channel->closed();
        try {
            std::rethrow_exception(failure);
        } catch (const exit_now&) { // not from here: a callback may be on the stack
            owner.post([] { throw exit_now(); });
        } catch (const connection_lost&) {
            if (is_open)
                state.channel->callback_failed();
        } catch (...) {
            is_open ? state.channel->callback_failed() : log_failure(owner);
        }
    }

    std::shared_ptr<const stream_service> service_;
};

} // namespace detail

/// The server that start_server() makes: server_base, with its limits, stop() and counters.
using stream_server = server<detail::served_stream>;

/// Listens on an address, or as listen_options say, and runs `callback(reader, writer)` as a
/// coroutine for each connection.
/// An exception of it is logged and costs that connection only.
/// Python: asyncio.start_server, start_unix_server
inline handle<stream_server>
start_server(loop& owner,
             std::function<asio::awaitable<void>(stream_reader, stream_writer)> callback,
             const listen_options& where, stream_options options = {})
{
    auto service = std::make_shared<const detail::stream_service>(
        detail::stream_service{std::move(callback), std::move(options)});
    return owner.create<stream_server>(where, std::move(service));
}

namespace detail {

/// Asio makes an empty result when a coroutine that it has begun throws.
template <class T>
auto with_empty_result(asio::awaitable<T> work)
{
    if constexpr (std::is_void_v<T> || std::is_default_constructible_v<T>)
        return work;
    else
        return [](asio::awaitable<T> inner) -> asio::awaitable<std::optional<T>> {
            co_return co_await std::move(inner);
        }(std::move(work));
}

} // namespace detail

// --- time ----------------------------------------------------------------------------------------

/// The result of `work`. When it takes longer than `time`, it is cancelled, and timeout_error is
/// thrown when it has ended. Runs on the timers of the loop. Python: asyncio.wait_for
template <class T>
asio::awaitable<T> with_timeout(loop& owner, loop::duration time, asio::awaitable<T> work)
{
    asio::cancellation_signal cancel;
    bool is_late = false;
    bool is_cancelled = false;
    const scoped_timer limit = owner.call_later(time, [&] {
        is_late = !is_cancelled;
        cancel.emit(asio::cancellation_type::terminal);
    });
    const asio::cancellation_state outside = co_await asio::this_coro::cancellation_state;
    auto outer = outside.slot();
    if (outer.is_connected())
        outer.assign([&](asio::cancellation_type) {
            is_cancelled = true;
            cancel.emit(asio::cancellation_type::terminal); // the only one that `work` listens to
        });
    const detail::scope_exit forget([&] {
        if (outer.is_connected())
            outer.clear(); // it would refer to this frame
    });
    try {
        auto ended =
            asio::co_spawn(owner.context(), detail::with_empty_result(std::move(work)),
                           asio::bind_cancellation_slot(cancel.slot(), asio::use_awaitable));
        if constexpr (std::is_void_v<T> || std::is_default_constructible_v<T>) {
            co_return co_await std::move(ended);
        } else {
            auto result = co_await std::move(ended);
            co_return std::move(*result);
        }
    } catch (const std::system_error& error) {
        if (!is_late || error.code() != asio::error::operation_aborted)
            throw;
    }
    throw timeout_error();
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
#endif
