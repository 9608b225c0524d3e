// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_WEBSOCKET_WEBSOCKET_MACHINE_IPP
#define ASYNCHAT_IMPL_WEBSOCKET_WEBSOCKET_MACHINE_IPP

#include <asynchat/detail/websocket/websocket_machine.hpp>

#include <asynchat/detail/scope_exit.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL std::uint16_t close_code_of(websocket_fault what) noexcept
{
    switch (what) {
    case websocket_fault::too_long: return 1009;
    case websocket_fault::bad_text:
    case websocket_fault::bad_close_text: return 1007;
    default: return 1002;
    }
}

ASYNCHAT_DECL std::string_view text_of(websocket_fault what) noexcept
{
    switch (what) {
    case websocket_fault::none: break;
    case websocket_fault::reserved_bits: return "a reserved bit is set";
    case websocket_fault::unknown_opcode: return "unknown opcode";
    case websocket_fault::control_in_fragments: return "a control frame in fragments";
    case websocket_fault::nothing_to_continue: return "a continuation without a message";
    case websocket_fault::message_inside: return "a message inside a message";
    case websocket_fault::not_masked: return "a frame without a mask";
    case websocket_fault::long_control: return "a control frame of more than 125 bytes";
    case websocket_fault::long_form: return "a length that has a shorter form";
    case websocket_fault::huge_length: return "a length of more than 63 bits";
    case websocket_fault::close_of_one_byte: return "half a close code";
    case websocket_fault::bad_close_code: return "no close code for the wire";
    case websocket_fault::bad_close_text: return "the close reason is not UTF-8";
    case websocket_fault::bad_text: return "the text is not UTF-8";
    case websocket_fault::too_long: return "the message is too long";
    }
    return "";
}

ASYNCHAT_DECL websocket_machine::step websocket_machine::next(std::string_view input,
                                                              std::size_t max_message)
{
    if (has_failed())
        return {0, event::fault};
    if (position_ == header_size())
        return read_payload(input);
    return read_header(input, max_message);
}

ASYNCHAT_DECL std::size_t websocket_machine::wanted() const noexcept
{
    if (has_failed())
        return 1;
    if (position_ == header_size())
        return static_cast<std::size_t>(left_);
    return header_size() - position_;
}

ASYNCHAT_DECL std::string websocket_machine::take_message() noexcept
{
    assert(is_at_rest() && control_size_ == 0);
    return std::exchange(data_, {});
}

ASYNCHAT_DECL std::string websocket_machine::take_control()
{
    assert(position_ == 0 && control_size_ <= data_.size());
    const std::size_t begin = data_.size() - std::exchange(control_size_, 0);
    if (begin == 0)
        return std::exchange(data_, {});
    const scope_exit at_end([&] { data_.resize(begin); }); // also if there is no memory for a copy
    return data_.substr(begin);
}

// --- the header ----------------------------------------------------------------------------------

inline websocket_machine::step websocket_machine::read_header(std::string_view input,
                                                              std::size_t max_message) noexcept
{
    assert(control_size_ == 0);
    std::size_t size = 0;
    while (size < input.size()) {
        const auto byte = static_cast<unsigned char>(input[size++]);
        const websocket_fault wrong = take_header_byte(byte, max_message);
        if (wrong != websocket_fault::none)
            return {size, fail(wrong)};
        if (position_ == header_size())
            return {size, left_ == 0 ? end_frame() : event::none};
    }
    return {size, event::none};
}

inline websocket_fault websocket_machine::take_header_byte(unsigned byte,
                                                           std::size_t max_message) noexcept
{
    const unsigned at = position_++;
    if (at == 0)
        return take_first(byte);
    if (at == 1)
        return take_second(byte, max_message);
    if (at < key_at())
        return take_length(byte, max_message);
    key_[at - key_at()] = static_cast<unsigned char>(byte);
    return websocket_fault::none;
}

inline websocket_fault websocket_machine::take_first(unsigned byte) noexcept
{
    first_ = static_cast<unsigned char>(byte);
    if ((byte & 0x70U) != 0)
        return websocket_fault::reserved_bits;
    switch (opcode()) {
    case websocket_opcode::continuation:
        return in_message_ ? websocket_fault::none : websocket_fault::nothing_to_continue;
    case websocket_opcode::text:
    case websocket_opcode::binary:
        if (in_message_)
            return websocket_fault::message_inside;
        in_message_ = 1;
        is_text_ = opcode() == websocket_opcode::text;
        assert(utf8_.is_complete());
        return websocket_fault::none;
    case websocket_opcode::close:
    case websocket_opcode::ping:
    case websocket_opcode::pong:
        return is_last() ? websocket_fault::none : websocket_fault::control_in_fragments;
    }
    return websocket_fault::unknown_opcode;
}

inline websocket_fault websocket_machine::take_second(unsigned byte,
                                                      std::size_t max_message) noexcept
{
    const unsigned length = byte & 0x7fU;
    if ((byte & 0x80U) == 0)
        return websocket_fault::not_masked;
    if (is_control() && length > max_control_payload)
        return websocket_fault::long_control;
    if (opcode() == websocket_opcode::close && length == 1)
        return websocket_fault::close_of_one_byte;
    left_ = 0;
    if (length == length_in_2_bytes) {
        length_form_ = in_2_bytes;
    } else if (length == length_in_8_bytes) {
        length_form_ = in_8_bytes;
    } else {
        left_ = length;
        return judge_length(max_message);
    }
    return websocket_fault::none;
}

inline websocket_fault websocket_machine::take_length(unsigned byte,
                                                      std::size_t max_message) noexcept
{
    left_ = left_ << 8 | byte;
    if (length_form_ == in_8_bytes && position_ == 3 && byte >= 0x80)
        return websocket_fault::huge_length;
    if (position_ < key_at())
        return websocket_fault::none;
    if (left_ <= (length_form_ == in_8_bytes ? 0xffffU : max_control_payload))
        return websocket_fault::long_form;
    return judge_length(max_message);
}

/// What of the message is there already may be over a limit that was lowered in the meantime.
inline websocket_fault websocket_machine::judge_length(std::size_t max_message) const noexcept
{
    if (is_control() || left_ <= max_message - std::min(max_message, data_.size()))
        return websocket_fault::none;
    return websocket_fault::too_long;
}

// --- the payload ---------------------------------------------------------------------------------

inline websocket_machine::step websocket_machine::read_payload(std::string_view input)
{
    const std::size_t begin = data_.size();
    data_ +=
        input.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size())));
    const std::size_t size = data_.size() - begin;
    const bool is_ascii = unmask(data_.data() + begin, size, key_);
    left_ -= size;
    if (is_control())
        control_size_ = static_cast<unsigned char>(control_size_ + size);
    else if (is_text_ && !(is_ascii && utf8_.is_complete()) &&
             !utf8_.accepts(std::string_view(data_).substr(begin)))
        return {size, fail(websocket_fault::bad_text)};
    return {size, left_ == 0 ? end_frame() : event::none};
}

inline websocket_machine::event websocket_machine::end_frame() noexcept
{
    position_ = 0;
    length_form_ = in_second_byte;
    switch (opcode()) {
    case websocket_opcode::ping: return event::ping;
    case websocket_opcode::pong: return event::pong;
    case websocket_opcode::close:
        if (const websocket_fault wrong = judge_close(); wrong != websocket_fault::none)
            return fail(wrong);
        return event::close;
    default: break;
    }
    if (!is_last())
        return event::none;
    if (is_text_ && !utf8_.is_complete())
        return fail(websocket_fault::bad_text);
    in_message_ = 0;
    return event::message;
}

inline websocket_fault websocket_machine::judge_close() const noexcept
{
    if (control_size_ == 0)
        return websocket_fault::none;
    const std::string_view body = std::string_view(data_).substr(data_.size() - control_size_);
    if (!is_close_code(static_cast<unsigned char>(body[0]) * 256U +
                       static_cast<unsigned char>(body[1])))
        return websocket_fault::bad_close_code;
    return is_utf8(body.substr(2)) ? websocket_fault::none : websocket_fault::bad_close_text;
}

inline websocket_machine::event websocket_machine::fail(websocket_fault why) noexcept
{
    first_ = static_cast<unsigned char>(why);
    position_ = failed;
    data_ = std::string();
    return event::fault;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
