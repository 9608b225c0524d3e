// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_WEBSOCKET_CHAT_HPP
#define ASYNCHAT_WEBSOCKET_CHAT_HPP

/// @file WebSocket (RFC 6455) for servers; not part of asynchat.hpp. Needs OpenSSL 3 and the CMake
/// target asynchat::websocket.
///
///     class echo : public asynchat::websocket_chat {
///     public:
///         using websocket_chat::websocket_chat;
///         void handle_message(std::string_view data, asynchat::message_kind) override
///         {
///             push_text(data);
///         }
///     };
///     loop.create<asynchat::server<echo>>(asynchat::endpoint("127.0.0.1", 8080));
///
/// For wss:// give the server a certificate: use_tls() of tls.hpp.

#include <asynchat/async_chat.hpp>
#include <asynchat/config.hpp>
#include <asynchat/detail/websocket/websocket_machine.hpp>
#include <asynchat/upgrade_request.hpp>
#include <asynchat/websocket_options.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// What a message is: text, which is UTF-8, or any bytes.
enum class message_kind : unsigned char { text, binary };

/// A message that is sent to many channels and is in memory once, with its header: the frames of a
/// server are the same for all clients. Copies share the bytes.
class ASYNCHAT_API websocket_frame {
public:
    /// `data` is UTF-8 for text; checked in debug builds. Throws std::bad_alloc.
    ASYNCHAT_DECL explicit websocket_frame(std::string_view data,
                                           message_kind kind = message_kind::text);

    /// The bytes as they are sent.
    [[nodiscard]] const std::shared_ptr<const std::string>& bytes() const noexcept
    {
        return bytes_;
    }

private:
    std::shared_ptr<const std::string> bytes_;
};

/// A WebSocket of a server: an async_chat whose messages come whole, each in one callback.
///
/// Flow: a request comes. It is checked, also its origin, and then
///
///     it asks for a WebSocket   handle_upgrade -> true:  handle_websocket_open, then
///                                                        handle_message for each message
///                                                        handle_websocket_close, once
///                                              -> false: 404
///     it asks for a page        handle_http    -> respond()
///
/// Pings are answered, and sent when the peer is silent. A wrong frame ends the connection with the
/// close code that RFC 6455 has for it. A message may have max_message() bytes; what comes and goes
/// is otherwise bounded as in every async_chat.
///
/// The terminator belongs to this class. Inside the callbacks everything else is allowed, as in
/// async_chat. frame_timeout() is for the request, from the beginning of the connection, and later
/// for each header and each payload of a frame; frame_rate() and the counter of frames count both.
/// Python: none; the package websockets is the nearest
class ASYNCHAT_API websocket_chat : public async_chat {
public:
    /// A channel over a connection, for servers.
    ASYNCHAT_DECL websocket_chat(loop& owner, socket from, websocket_options options = {});

    // --- what a subclass overrides -------------------------------------------------------------

    /// Called with a correct request for a WebSocket, from a page that may make it. Returns whether
    /// it becomes one: otherwise the answer is 404, or your call of respond(). `request` is valid
    /// during the call. After an exception, here and in handle_http(), the answer is 500 if
    /// handle_error() leaves the channel open. The default returns true.
    virtual bool handle_upgrade(const upgrade_request& request)
    {
        static_cast<void>(request);
        return true;
    }

    /// Called with a request for something else than a WebSocket. Call respond(), here or later.
    /// There is one request to a connection. `request` is valid during the call. The default
    /// answers 404.
    ASYNCHAT_DECL virtual void handle_http(const upgrade_request& request);

    /// Called when the WebSocket is open: the first call in which something can be pushed. (The
    /// connection is there before that, see handle_open().)
    virtual void handle_websocket_open() {}

    /// Called with each message. `data` is valid until the call returns or take_message() is
    /// called; text is UTF-8. An exception goes to handle_error(); the message is not delivered
    /// again.
    virtual void handle_message(std::string_view data, message_kind kind) = 0;

    /// Called once when a WebSocket that was open ends, except by your own close(). `code` is that
    /// of the peer, 1005 if the peer gave none; that of the fault, if the peer broke the rules or a
    /// limit; or 1006, if the connection ended without a word: close_reason() then says why.
    /// Nothing can be pushed any more.
    virtual void handle_websocket_close(std::uint16_t code, std::string_view reason)
    {
        static_cast<void>(code);
        static_cast<void>(reason);
    }

    // --- output --------------------------------------------------------------------------------

    /// Queues a message as one frame. The bytes are copied or moved as by push(). Returns false and
    /// queues nothing before the WebSocket is open, after push_close() and the peer's close, and
    /// when push() would. Text is UTF-8, which is checked in debug builds only: a peer closes the
    /// connection because of other text. Where memory ends in the middle of a frame, it calls
    /// abort() and throws std::bad_alloc.
    ASYNCHAT_DECL bool push_text(std::string_view text);
    ASYNCHAT_DECL bool push_text(std::string&& text);
    bool push_text(const char* text) { return push_text(std::string_view(text)); }
    ASYNCHAT_DECL bool push_binary(std::string_view data);
    ASYNCHAT_DECL bool push_binary(std::string&& data);
    template <class Text, detail::if_literal<Text> = 0>
    bool push_binary(Text& literal)
    {
        return push_binary(std::string_view(literal, std::extent_v<Text> - 1));
    }

    /// As above, for a message that goes to many channels.
    ASYNCHAT_DECL bool push_frame(const websocket_frame& frame);

    /// Queues a close frame. The channel ends when the peer has answered, after close_timeout() at
    /// the latest. Messages that come meanwhile are dropped. `code` is 1000 to 1003, 1007 to 1014
    /// or 3000 to 4999; otherwise it throws std::invalid_argument. `reason` is UTF-8, which is
    /// checked in debug builds only, and is cut at 123 bytes. Returns false when push_text() would,
    /// but not over max_output().
    ASYNCHAT_DECL bool push_close(std::uint16_t code = 1000, std::string_view reason = {});

    // --- state ---------------------------------------------------------------------------------

    /// Whether messages can be sent: from handle_websocket_open() until one side closes.
    [[nodiscard]] bool is_open() const noexcept { return phase_ == phase::open && !closed(); }

    /// The sub-protocol that was agreed on; empty without one. Already in handle_upgrade().
    [[nodiscard]] ASYNCHAT_DECL std::string_view protocol() const noexcept;

    /// The settings that it was made with.
    [[nodiscard]] const websocket_options& options() const noexcept { return options_; }

    // --- handlers, as in async_chat ------------------------------------------------------------

    /// Calls handle_websocket_close() if that is due, and closes. An override calls the original.
    ASYNCHAT_DECL void handle_close() override;

    /// Ends the channel, or waits for respond(), as the peer still can have the answer to its
    /// request.
    ASYNCHAT_DECL void handle_eof() override;

    /// Closes the WebSocket with the code 1001, "going away".
    ASYNCHAT_DECL void handle_shutdown() override;

    /// Answers a request that has begun and is not complete with 408.
    ASYNCHAT_DECL void handle_frame_timeout() override;

    /// Sends a ping, or ends the channel if the one before had no answer; does neither while output
    /// waits. The interval is that of the options.
    ASYNCHAT_DECL void handle_silence(loop::duration silence) override;

protected:
    /// The message as a string that you own. May be called once in each handle_message(). A message
    /// that came in several pieces is moved without a copy. Throws std::bad_alloc.
    [[nodiscard]] ASYNCHAT_DECL std::string take_message();

    /// Answers the request of handle_http(), or refuses that of handle_upgrade(), and ends the
    /// connection. `fields` are more lines of the header, each with its line end: "Allow:
    /// GET\r\n". Does nothing when the channel has ended. Throws std::logic_error if no request
    /// waits for an answer.
    ASYNCHAT_DECL void respond(int status, std::string_view content_type, std::string_view body,
                               std::string_view fields = {});

private:
    using event = detail::websocket_machine::event;

    /// `answering`: a request was read. `closing`: a close frame was sent. `over`: nothing is sent
    /// or read any more.
    enum class phase : unsigned char { opening, answering, open, closing, over };

    ASYNCHAT_DECL void collect_incoming_data(std::string_view data) final;
    ASYNCHAT_DECL void found_terminator() final;
    ASYNCHAT_DECL overflow handle_overflow() final;
    ASYNCHAT_DECL void deliver_(delivery& input) final;
    ASYNCHAT_PRIVATE void deliver_whole_messages(delivery& input);
    bool takes_whole_messages() const noexcept;
    ASYNCHAT_PRIVATE void read_request(std::string head);
    ASYNCHAT_PRIVATE void answer(const upgrade_request& request);
    ASYNCHAT_PRIVATE void upgrade(const upgrade_request& request);
    ASYNCHAT_PRIVATE void refuse(int status, std::string_view why, std::string_view fields = {});
    ASYNCHAT_PRIVATE void frame_is_complete(event what);
    ASYNCHAT_PRIVATE void answer_ping(std::string_view payload);
    ASYNCHAT_PRIVATE void deliver_message();
    ASYNCHAT_PRIVATE void take_close(std::string_view body);
    ASYNCHAT_PRIVATE void fail();
    ASYNCHAT_PRIVATE void peer_is_there();
    template <class Data>
    bool push_whole(detail::websocket_opcode what, Data&& data);
    ASYNCHAT_PRIVATE bool push_last(std::string_view payload);
    ASYNCHAT_PRIVATE void end(std::uint16_t code, std::string_view reason);

    // Private: they would send between or into frames, or change how frames are read, or when pings
    // are sent.
    using async_chat::_collect_incoming_data;
    using async_chat::_get_data;
    using async_chat::close_when_done;
    using async_chat::discard_buffers;
    using async_chat::print;
    using async_chat::push;
    using async_chat::push_eof;
    using async_chat::push_with_producer;
    using async_chat::set_terminator;
    using async_chat::silence_interval;

    detail::websocket_machine machine_;
    websocket_options options_;
    phase phase_ = phase::opening;
    event event_ = event::none; // what the last piece has completed
    std::uint8_t protocol_ = 0;
    bool awaits_answer_ = false; // to a ping
    bool pong_waits_ = false;    // its payload is in frame_
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/websocket/websocket_chat.ipp>
#endif
#endif
