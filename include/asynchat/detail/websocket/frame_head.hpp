// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_WEBSOCKET_FRAME_HEAD_HPP
#define ASYNCHAT_DETAIL_WEBSOCKET_FRAME_HEAD_HPP

#include <asynchat/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// What a frame is: RFC 6455, section 5.2.
enum class websocket_opcode : unsigned char {
    continuation = 0x0,
    text = 0x1,
    binary = 0x2,
    close = 0x8,
    ping = 0x9,
    pong = 0xa,
};

inline constexpr std::size_t max_control_payload = 125; // bytes
inline constexpr unsigned length_in_2_bytes = 126;      // instead of a length
inline constexpr unsigned length_in_8_bytes = 127;

/// The head of a frame of a server: complete, not masked.
class frame_head {
public:
    frame_head(websocket_opcode what, std::uint64_t length) noexcept
    {
        add(0x80U | static_cast<unsigned>(what));
        if (length <= max_control_payload) {
            add(static_cast<unsigned>(length));
        } else if (length <= 0xffff) {
            add(length_in_2_bytes);
            add_number(length, 2);
        } else {
            add(length_in_8_bytes);
            add_number(length, 8);
        }
    }

    std::string_view bytes() const noexcept { return {bytes_.data(), size_}; }

private:
    void add(unsigned byte) noexcept { bytes_[size_++] = static_cast<char>(byte); }
    void add_number(std::uint64_t number, unsigned width) noexcept
    {
        for (unsigned i = width; i > 0; --i)
            add(static_cast<unsigned>(number >> (8 * (i - 1)) & 0xff));
    }

    std::array<char, 10> bytes_;
    std::size_t size_ = 0;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
