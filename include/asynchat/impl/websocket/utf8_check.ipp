// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_WEBSOCKET_UTF8_CHECK_IPP
#define ASYNCHAT_IMPL_WEBSOCKET_UTF8_CHECK_IPP

#include <asynchat/detail/websocket/utf8_check.hpp>

#include <cstdint>
#include <cstring>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Inside a character: which bytes may come next, and the state behind such a byte.
struct utf8_tail {
    unsigned char first, last, next;
};

inline constexpr utf8_tail utf8_tails[] = {
    {0, 0, 0},       // the start of a character: see utf8_state_behind()
    {0x80, 0xbf, 0}, // 1: one more byte
    {0x80, 0xbf, 1}, // 2: two more bytes
    {0x80, 0xbf, 2}, // 3: three more bytes
    {0xa0, 0xbf, 1}, // 4: behind E0; less would be overlong
    {0x80, 0x9f, 1}, // 5: behind ED; more would be a surrogate
    {0x90, 0xbf, 2}, // 6: behind F0; less would be overlong
    {0x80, 0x8f, 2}, // 7: behind F4; more would be over U+10FFFF
};
inline constexpr unsigned char not_utf8 = 8;

/// The state behind the first byte of a character.
inline unsigned char utf8_state_behind(unsigned char first) noexcept
{
    if (first < 0x80)
        return 0;
    if (first < 0xc2 || first > 0xf4)
        return not_utf8;
    if (first < 0xe0)
        return 1;
    switch (first) {
    case 0xe0: return 4;
    case 0xed: return 5;
    case 0xf0: return 6;
    case 0xf4: return 7;
    }
    return first < 0xf0 ? 2 : 3;
}

ASYNCHAT_DECL bool utf8_check::accepts(std::string_view piece) noexcept
{
    unsigned char state = state_;
    for (std::size_t at = 0; at < piece.size(); ++at) {
        if (state == 0) {
            std::uint64_t bytes = 0; // ASCII, eight bytes at a time
            while (piece.size() - at >= 8) {
                std::memcpy(&bytes, piece.data() + at, 8);
                if ((bytes & 0x8080808080808080U) != 0)
                    break;
                at += 8;
            }
            if (at == piece.size())
                break;
            state = utf8_state_behind(static_cast<unsigned char>(piece[at]));
            if (state == not_utf8)
                return false;
        } else {
            const utf8_tail& tail = utf8_tails[state];
            const auto byte = static_cast<unsigned char>(piece[at]);
            if (byte < tail.first || byte > tail.last)
                return false;
            state = tail.next;
        }
    }
    state_ = state;
    return true;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
