// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_WEBSOCKET_WHOLE_MESSAGE_HPP
#define ASYNCHAT_DETAIL_WEBSOCKET_WHOLE_MESSAGE_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/websocket/frame_head.hpp>
#include <asynchat/detail/websocket/masking.hpp>
#include <asynchat/detail/websocket/utf8_check.hpp>

#include <cstddef>
#include <cstring>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// A message at the beginning of the input that is there as a whole, in one frame of less than
/// 64 KiB: nearly all are. Anything else, and all that is wrong, is for the websocket_machine.
class whole_message {
public:
    /// `input` begins where a message may. `max_message` is in bytes.
    whole_message(std::string_view input, std::size_t max_message) noexcept
    {
        const auto byte = [input](std::size_t i) {
            return std::size_t{static_cast<unsigned char>(input[i])};
        };
        if (input.size() < short_head || (byte(0) != last_text && byte(0) != last_binary))
            return;
        std::size_t head = short_head;
        std::size_t size = byte(1) ^ masked; // large without the mask
        if (size == length_in_2_bytes) {
            head = short_head + 2;
            size = byte(2) << 8 | byte(3);
            if (size <= max_control_payload)
                return;
        } else if (size > max_control_payload) {
            return;
        }
        if (size == 0 || size > max_message || input.size() < head + size)
            return;
        head_ = head;
        size_ = size;
        is_text_ = byte(0) == last_text;
    }

    explicit operator bool() const noexcept { return size_ > 0; }
    std::size_t frame_size() const noexcept { return head_ + size_; }
    bool is_text() const noexcept { return is_text_; }

    /// Unmasks the payload where it lies, at the beginning of `frame`. Returns an empty view, and
    /// leaves the bytes as they were, if it is text that is not UTF-8.
    std::string_view read(char* frame) const noexcept
    {
        masking_key key;
        std::memcpy(key.data(), frame + head_ - key.size(), key.size());
        const std::string_view payload(frame + head_, size_);
        const masking_key at_first = key;
        if (unmask(frame + head_, size_, key) || !is_text_ || is_utf8(payload))
            return payload;
        key = at_first;
        unmask(frame + head_, size_, key);
        return {};
    }

private:
    static constexpr std::size_t short_head = 6; // with the key
    static constexpr std::size_t masked = 0x80;
    static constexpr std::size_t last_text = 0x80U | static_cast<unsigned>(websocket_opcode::text);
    static constexpr std::size_t last_binary =
        0x80U | static_cast<unsigned>(websocket_opcode::binary);

    std::size_t head_ = 0; // bytes
    std::size_t size_ = 0; // of the payload; 0 if there is no such message
    bool is_text_ = false;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
