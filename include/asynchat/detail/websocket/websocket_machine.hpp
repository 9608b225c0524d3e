// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_WEBSOCKET_WEBSOCKET_MACHINE_HPP
#define ASYNCHAT_DETAIL_WEBSOCKET_WEBSOCKET_MACHINE_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/websocket/frame_head.hpp>
#include <asynchat/detail/websocket/masking.hpp>
#include <asynchat/detail/websocket/utf8_check.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// What is wrong with the frames of a client.
enum class websocket_fault : unsigned char {
    none,
    reserved_bits,
    unknown_opcode,
    control_in_fragments,
    nothing_to_continue,
    message_inside,
    not_masked,
    long_control,
    long_form,
    huge_length,
    close_of_one_byte,
    bad_close_code,
    bad_close_text,
    bad_text,
    too_long,
};

/// The close code for a fault (RFC 6455, section 7.4.1), and the reason in words.
ASYNCHAT_DECL std::uint16_t close_code_of(websocket_fault what) noexcept;
ASYNCHAT_DECL std::string_view text_of(websocket_fault what) noexcept;

/// Whether a close frame may have this code (section 7.4).
inline bool is_close_code(unsigned code) noexcept
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/// Cuts the bytes of a client into messages and control frames, and checks them.
///
/// Flow: next() reads to the end of a part, the header or the payload of a frame, and says what has
/// become complete. Then take_message() or take_control() takes it, before the next call. The
/// payload of all fragments is appended to one string, and that of a control frame, which may come
/// between them, is kept behind it for the moment.
///
/// It makes no callbacks. Everything wrong is found at the first byte that shows it; a length is
/// judged before memory is taken. Small, because most connections are idle.
class websocket_machine {
public:
    websocket_machine() noexcept
        : position_(0), length_form_(in_second_byte), in_message_(0), is_text_(0)
    {
    }

    enum class event : unsigned char { none, message, ping, pong, close, fault };

    struct step {
        std::size_t size; // bytes that were read
        event what;
    };

    /// Reads to the end of the part at most. `max_message` is in bytes, over all fragments. If
    /// memory is short it throws std::bad_alloc and has read nothing. After a fault it reads
    /// nothing more.
    ASYNCHAT_DECL step next(std::string_view input, std::size_t max_message);

    /// The number of bytes to the end of the part, as far as it is known: over 0.
    ASYNCHAT_DECL std::size_t wanted() const noexcept;

    /// Whether nothing of a frame or of a message has come.
    bool is_at_rest() const noexcept { return position_ == 0 && in_message_ == 0; }

    /// Whether the message is text, from its first byte until the next message.
    bool is_text() const noexcept { return is_text_ != 0; }

    /// After event::message: the view is valid until the message is taken.
    std::string_view message() const noexcept { return data_; }
    ASYNCHAT_DECL std::string take_message() noexcept;

    /// The payload of a ping, pong or close.
    ASYNCHAT_DECL std::string take_control();

    /// After event::fault.
    websocket_fault fault() const noexcept { return static_cast<websocket_fault>(first_); }

private:
    // A header is its first two bytes, the length, and the key.
    unsigned key_at() const noexcept
    {
        return length_form_ == in_8_bytes ? 10 : length_form_ == in_2_bytes ? 4 : 2;
    }
    unsigned header_size() const noexcept { return key_at() + 4; }
    bool has_failed() const noexcept { return position_ == failed; }
    websocket_opcode opcode() const noexcept
    {
        return static_cast<websocket_opcode>(first_ & 0xfU);
    }
    bool is_control() const noexcept { return (first_ & 0x8U) != 0; }
    bool is_last() const noexcept { return (first_ & 0x80U) != 0; }

    step read_header(std::string_view input, std::size_t max_message) noexcept;
    step read_payload(std::string_view input);
    websocket_fault take_header_byte(unsigned byte, std::size_t max_message) noexcept;
    websocket_fault take_first(unsigned byte) noexcept;
    websocket_fault take_second(unsigned byte, std::size_t max_message) noexcept;
    websocket_fault take_length(unsigned byte, std::size_t max_message) noexcept;
    websocket_fault judge_length(std::size_t max_message) const noexcept;
    websocket_fault judge_close() const noexcept;
    event end_frame() noexcept;
    event fail(websocket_fault why) noexcept;

    enum length_form : unsigned char { in_second_byte, in_2_bytes, in_8_bytes };
    static constexpr unsigned failed = 15; // no header is so long

    std::string data_;       // the message so far; behind it `control_size_` bytes
    std::uint64_t left_ = 0; // bytes of the payload to come; in a header, its length so far
    masking_key key_{};
    unsigned char first_ = 0; // the first byte of the header, or the fault
    unsigned char control_size_ = 0;
    utf8_check utf8_;
    unsigned char position_ : 4; // bytes of the header that were read
    unsigned char length_form_ : 2;
    unsigned char in_message_ : 1; // the first frame of a message has begun, and the last not ended
    unsigned char is_text_ : 1;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/websocket/websocket_machine.ipp>
#endif
#endif
