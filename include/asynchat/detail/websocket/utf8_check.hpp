// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_WEBSOCKET_UTF8_CHECK_HPP
#define ASYNCHAT_DETAIL_WEBSOCKET_UTF8_CHECK_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Checks a text that comes in pieces for UTF-8 (RFC 3629): no overlong form, no surrogate, nothing
/// over U+10FFFF. It finds the first wrong byte in the piece that has it. One byte of state.
class utf8_check {
public:
    /// Whether the text can still become UTF-8. After false, nothing more may be checked.
    ASYNCHAT_DECL bool accepts(std::string_view piece) noexcept;

    /// Whether the text may end here.
    bool is_complete() const noexcept { return state_ == 0; }

private:
    unsigned char state_ = 0; // what the next byte may be: see the table of accepts()
};

/// Whether the whole text is UTF-8.
inline bool is_utf8(std::string_view text) noexcept
{
    utf8_check check;
    return check.accepts(text) && check.is_complete();
}

/// The longest beginning of a UTF-8 text that has at most `max_bytes` and cuts no character.
inline std::string_view whole_characters(std::string_view text, std::size_t max_bytes) noexcept
{
    if (text.size() <= max_bytes)
        return text;
    while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xc0U) == 0x80)
        --max_bytes;
    return text.substr(0, max_bytes);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/websocket/utf8_check.ipp>
#endif
#endif
