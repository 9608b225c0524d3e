// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_WEBSOCKET_WEBSOCKET_CHAT_IPP
#define ASYNCHAT_IMPL_WEBSOCKET_WEBSOCKET_CHAT_IPP

#include <asynchat/websocket_chat.hpp>

#include <asynchat/detail/fmt_format.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/detail/websocket/http_text.hpp>
#include <asynchat/detail/websocket/accept_key.hpp>
#include <asynchat/detail/websocket/whole_message.hpp>

#include <cassert>
#include <stdexcept>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

inline constexpr std::size_t max_request_head = 8192; // bytes

inline websocket_opcode opcode_of(message_kind kind) noexcept
{
    return kind == message_kind::text ? websocket_opcode::text : websocket_opcode::binary;
}

inline std::string close_code_bytes(std::uint16_t code)
{
    return {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
}

} // namespace detail

ASYNCHAT_DECL websocket_frame::websocket_frame(std::string_view data, message_kind kind)
{
    assert(kind != message_kind::text || detail::is_utf8(data));
    const detail::frame_head head(detail::opcode_of(kind), data.size());
    auto bytes = std::make_shared<std::string>();
    bytes->reserve(head.bytes().size() + data.size());
    bytes->append(head.bytes()).append(data);
    bytes_ = std::move(bytes);
}

ASYNCHAT_DECL websocket_chat::websocket_chat(loop& owner, socket from, websocket_options options)
    : async_chat(owner, std::move(from)), options_(std::move(options))
{
    set_terminator("\r\n\r\n", detail::max_request_head);
    time_frame(); // of a client that sends nothing as well
}

ASYNCHAT_DECL std::string_view websocket_chat::protocol() const noexcept
{
    return options_.protocol(protocol_);
}

ASYNCHAT_DECL std::string websocket_chat::take_message()
{
    delivery* const input = under_way();
    if (!input || input->frame.empty())
        return machine_.take_message();
    std::string copy = frame_memory().take_string(input->frame.size()); // that a push gave back
    copy.assign(std::exchange(input->frame, {}));
    return copy;
}

// --- the request ---------------------------------------------------------------------------------

ASYNCHAT_DECL void websocket_chat::handle_http(const upgrade_request&)
{
    refuse(404, "there is nothing here");
}

ASYNCHAT_DECL overflow websocket_chat::handle_overflow()
{
    refuse(431, "the request is too long");
    return overflow::close; // does not matter: the channel ends when the answer is sent
}

ASYNCHAT_DECL void websocket_chat::handle_frame_timeout()
{
    if (phase_ == phase::opening && !frame_.is_empty())
        refuse(408, "the request was not complete in time");
}

ASYNCHAT_DECL void websocket_chat::read_request(std::string head)
{
    phase_ = phase::answering;
    set_terminator(0); // what follows the request of a page is dropped, however long it is
    try {
        answer(upgrade_request(std::move(head)));
    } catch (...) {
        if (!closed() && phase_ == phase::answering)
            refuse(500, "this server has failed");
        throw;
    }
}

ASYNCHAT_DECL void websocket_chat::answer(const upgrade_request& request)
{
    if (request.status() == 405) // without a body, which an answer to HEAD must not have
        return respond(405, "text/plain", "", "Allow: GET\r\n");
    if (request.status() == 426)
        return refuse(426, request.problem(), "Sec-WebSocket-Version: 13\r\n");
    if (!request.problem().empty())
        return refuse(request.status(), request.problem());
    if (!request.wants_websocket())
        return handle_http(request);
    if (!options_.allows(request))
        return refuse(403, "pages of this origin may not connect");
    protocol_ = options_.choose_protocol(request);
    const bool is_wanted = handle_upgrade(request);
    if (closed() || phase_ != phase::answering)
        return; // it has called respond()
    if (!is_wanted)
        return refuse(404, "there is no WebSocket here");
    upgrade(request);
}

ASYNCHAT_DECL void websocket_chat::upgrade(const upgrade_request& request)
{
    std::string head =
        fmt::format("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n",
                    detail::websocket_accept_key(*request.header("Sec-WebSocket-Key")));
    if (protocol_ != 0)
        head.append("Sec-WebSocket-Protocol: ").append(protocol()).append("\r\n");
    push(head.append("\r\n"));
    phase_ = phase::open;
    set_terminator(machine_.wanted());
    silence_interval(options_.ping_interval());
    handle_websocket_open();
}

ASYNCHAT_DECL void websocket_chat::refuse(int status, std::string_view why, std::string_view fields)
{
    phase_ = phase::answering;
    respond(status, "text/plain; charset=utf-8",
            fmt::format("{} {}: {}\n", status, detail::reason_of(status), why), fields);
}

ASYNCHAT_DECL void websocket_chat::respond(int status, std::string_view content_type,
                                           std::string_view body, std::string_view fields)
{
    if (closed())
        return; // the peer did not wait for an answer that comes later
    if (phase_ != phase::answering)
        throw std::logic_error("asynchat: respond() without a request that waits for an answer");
    std::string whole = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n",
        status, detail::reason_of(status), content_type, body.size(), fields);
    push(whole.append(body));
    phase_ = phase::over;
    close_when_done();
}

// --- messages that lie in the input --------------------------------------------------------------

ASYNCHAT_DECL void websocket_chat::deliver_(delivery& input)
{
    deliver_whole_messages(input);
    async_chat::deliver_(input);
}

/// Delivers those at the front of the input in one step each: to take each of them for a header and
/// a payload would cost twice as much.
ASYNCHAT_DECL void websocket_chat::deliver_whole_messages(delivery& input)
{
    if (!machine_.is_at_rest())
        return;
    const std::size_t max_message = options_.max_message();
    while (takes_whole_messages()) {
        const detail::whole_message next(input.part(), max_message);
        if (!next)
            return;
        const std::string_view message = next.read(input.writable());
        if (message.empty())
            return;
        input.take_frames(next.frame_size(), 2); // its header and its payload
        input.frame = message;
        handle_message(message, next.is_text() ? message_kind::text : message_kind::binary);
        input.frame = {};
    }
}

/// False also when the base class has something to do before the next frame: there is a rate, or
/// much output to send.
inline bool websocket_chat::takes_whole_messages() const noexcept
{
    return input_flows() && phase_ == phase::open && !awaits_answer_ &&
           queue_.size() <= ac_out_buffer_size;
}

// --- frames --------------------------------------------------------------------------------------

/// A piece never goes beyond a part of a frame, because the terminator is what the machine wants.
ASYNCHAT_DECL void websocket_chat::collect_incoming_data(std::string_view data)
{
    if (phase_ == phase::opening)
        return _collect_incoming_data(data);
    if (!is_open() && phase_ != phase::closing)
        return;
    if (awaits_answer_)
        peer_is_there();
    const auto step = machine_.next(data, options_.max_message());
    event_ = step.what;
    if (step.what == event::fault)
        return fail();
    assert(step.size == data.size());
}

ASYNCHAT_DECL void websocket_chat::found_terminator()
{
    if (phase_ == phase::opening) {
        read_request(_get_data());
    } else if (is_open() || phase_ == phase::closing) {
        set_terminator(machine_.wanted());
        frame_is_complete(std::exchange(event_, event::none));
    }
    if (phase_ == phase::open)
        deliver_whole_messages(*under_way());
}

ASYNCHAT_DECL void websocket_chat::frame_is_complete(event what)
{
    switch (what) {
    case event::none:
    case event::fault: return;
    case event::message: return deliver_message();
    case event::ping: return answer_ping(machine_.take_control());
    case event::pong: static_cast<void>(machine_.take_control()); return;
    case event::close: return take_close(machine_.take_control());
    }
}

/// While the peer takes no output, one pong waits, for the last ping until then (section 5.5.3): a
/// peer that reads nothing cannot make us keep as many as it likes.
ASYNCHAT_DECL void websocket_chat::answer_ping(std::string_view payload)
{
    if (!is_open())
        return;
    if (!awaits_writable() && !write_paused()) {
        push_whole(detail::websocket_opcode::pong, payload);
        return;
    }
    frame_.give_back(frame_memory());
    frame_.begin(frame_memory(), payload.size());
    frame_.append(payload, payload.size());
    if (pong_waits_)
        return;
    pong_waits_ = push_with_producer([this]() -> std::string {
        if (!std::exchange(pong_waits_, false))
            return {};
        const std::string last = _get_data();
        const detail::frame_head head(detail::websocket_opcode::pong, last.size());
        return std::string(head.bytes()).append(last);
    });
}

ASYNCHAT_DECL void websocket_chat::deliver_message()
{
    const detail::scope_exit at_end([this] { static_cast<void>(machine_.take_message()); });
    if (is_open()) {
        handle_message(machine_.message(),
                       machine_.is_text() ? message_kind::text : message_kind::binary);
    }
}

/// The peer's close frame: an answer to ours, or it wants one.
ASYNCHAT_DECL void websocket_chat::take_close(std::string_view body)
{
    if (is_open())
        push_last(body.substr(0, 2));
    const std::uint16_t code =
        body.empty() ? std::uint16_t{1005}
                     : static_cast<std::uint16_t>(static_cast<unsigned char>(body[0]) << 8 |
                                                  static_cast<unsigned char>(body[1]));
    end(code, body.substr(std::min<std::size_t>(2, body.size())));
}

ASYNCHAT_DECL void websocket_chat::fail()
{
    const std::uint16_t code = close_code_of(machine_.fault());
    const std::string_view text = text_of(machine_.fault());
    if (is_open())
        push_last(detail::close_code_bytes(code).append(text));
    end(code, text);
}

/// The last frames of both sides are there. The server ends the TCP connection first (section
/// 7.1.1), so that the port is not kept waiting by clients.
ASYNCHAT_DECL void websocket_chat::end(std::uint16_t code, std::string_view reason)
{
    phase_ = phase::over;
    if (options_.close_timeout() > loop::duration::zero())
        close_when_done(options_.close_timeout());
    else
        close_when_done();
    handle_websocket_close(code, reason);
}

// --- output --------------------------------------------------------------------------------------

template <class Data>
bool websocket_chat::push_whole(detail::websocket_opcode what, Data&& data)
{
    const detail::frame_head head(what, data.size());
    if (!push(head.bytes()))
        return false;
    try {
        return push(std::forward<Data>(data));
    } catch (...) {
        abort(); // the peer would take what follows for the payload
        throw;
    }
}

/// A close frame: max_output() does not refuse it. It is short, and the channel would end for it.
ASYNCHAT_DECL bool websocket_chat::push_last(std::string_view payload)
{
    const detail::frame_head head(detail::websocket_opcode::close, payload.size());
    return push_with_producer(
        std::make_unique<simple_producer>(std::string(head.bytes()).append(payload)));
}

ASYNCHAT_DECL bool websocket_chat::push_text(std::string_view text)
{
    assert(detail::is_utf8(text));
    return is_open() && push_whole(detail::websocket_opcode::text, text);
}

ASYNCHAT_DECL bool websocket_chat::push_text(std::string&& text)
{
    assert(detail::is_utf8(text));
    return is_open() && push_whole(detail::websocket_opcode::text, std::move(text));
}

ASYNCHAT_DECL bool websocket_chat::push_binary(std::string_view data)
{
    return is_open() && push_whole(detail::websocket_opcode::binary, data);
}

ASYNCHAT_DECL bool websocket_chat::push_binary(std::string&& data)
{
    return is_open() && push_whole(detail::websocket_opcode::binary, std::move(data));
}

ASYNCHAT_DECL bool websocket_chat::push_frame(const websocket_frame& frame)
{
    return is_open() && push(frame.bytes());
}

ASYNCHAT_DECL bool websocket_chat::push_close(std::uint16_t code, std::string_view reason)
{
    if (!detail::is_close_code(code))
        throw std::invalid_argument(fmt::format("asynchat: {} is no close code to send", code));
    assert(detail::is_utf8(reason));
    constexpr std::size_t max_reason = detail::max_control_payload - 2;
    if (!is_open())
        return false;
    if (options_.close_timeout() > loop::duration::zero()) { // first: this may throw
        call_later(options_.close_timeout(), [this] {
            if (phase_ == phase::closing)
                finish(asynchat::close_reason::close_timeout);
        });
    }
    if (!push_last(
            detail::close_code_bytes(code).append(detail::whole_characters(reason, max_reason))))
        return false;
    phase_ = phase::closing;
    resume_reading(); // for the peer's answer
    return true;
}

// --- time and end --------------------------------------------------------------------------------

/// There was input after a ping; or output waits, and then no ping has to be answered.
ASYNCHAT_DECL void websocket_chat::peer_is_there()
{
    awaits_answer_ = false;
    silence_interval(options_.ping_interval());
}

ASYNCHAT_DECL void websocket_chat::handle_silence(loop::duration)
{
    // A peer that takes output is there, and a ping would wait behind it. For one that takes none
    // there is write_timeout().
    if (!is_open())
        return;
    if (pending_output() > 0) {
        if (awaits_answer_)
            peer_is_there();
        return;
    }
    if (awaits_answer_)
        return finish("no answer to a ping, see pong_timeout()");
    push_whole(detail::websocket_opcode::ping, std::string_view());
    awaits_answer_ = options_.pong_timeout() > loop::duration::zero();
    if (awaits_answer_)
        silence_interval(options_.pong_timeout());
}

ASYNCHAT_DECL void websocket_chat::handle_shutdown()
{
    if (is_open())
        push_close(1001);
    else if (phase_ == phase::opening)
        async_chat::handle_shutdown();
}

ASYNCHAT_DECL void websocket_chat::handle_eof()
{
    if (phase_ != phase::answering) // otherwise it ends with respond()
        async_chat::handle_eof();
}

ASYNCHAT_DECL void websocket_chat::handle_close()
{
    const phase before = std::exchange(phase_, phase::over);
    if (before == phase::open || before == phase::closing)
        handle_websocket_close(1006, "");
    async_chat::handle_close();
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
