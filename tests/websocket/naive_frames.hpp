// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_WEBSOCKET_NAIVE_FRAMES_HPP
#define ASYNCHAT_TESTS_WEBSOCKET_NAIVE_FRAMES_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace support {

/// How many bytes at the start of `bytes` are whole characters of UTF-8, by their bits. Sets
/// `is_wrong` if the character behind them cannot become one.
inline std::size_t size_of_utf8(std::string_view bytes, bool& is_wrong)
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    std::size_t at = 0;
    is_wrong = false;
    while (at < bytes.size()) {
        const unsigned first = byte(at);
        const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        is_wrong = (first >= 0x80 && first < 0xc2) || first > 0xf4;
        for (std::size_t i = 1; i < size && at + i < bytes.size() && !is_wrong; ++i) {
            is_wrong = (byte(at + i) & 0xc0U) != 0x80;
            if (i == 1 && !is_wrong) { // the first six bits of what follows decide
                const unsigned two = (first & (0x7fU >> size)) << 6 | (byte(at + 1) & 0x3fU);
                is_wrong = (size == 3 && (two < 0x20 || (two >= 0x360 && two <= 0x37f))) ||
                           (size == 4 && (two < 0x10 || two > 0x10f));
            }
        }
        if (is_wrong || bytes.size() - at < size)
            return at;
        at += size;
    }
    return at;
}

/// Reads frames of a client that are all there, slowly, in the words of the cases.
class naive_frames {
public:
    naive_frames(std::string_view input, std::size_t max_message) : left_(input), max_(max_message)
    {
        while (!over_ && read_frame()) {
        }
    }

    std::vector<std::string> told;

private:
    bool fail(unsigned code)
    {
        told.push_back("fault " + std::to_string(code));
        over_ = true;
        return false;
    }

    unsigned at(std::size_t i) const { return static_cast<unsigned char>(left_[i]); }

    /// Returns false at the end: what is there decides already, or more would be needed.
    bool read_frame()
    {
        if (left_.empty())
            return false;
        const unsigned opcode = at(0) & 15U;
        const bool is_last = at(0) >= 0x80;
        const bool is_control = opcode >= 8;
        if ((at(0) & 0x70U) != 0 || (opcode > 2 && opcode < 8) || opcode > 10)
            return fail(1002);
        if (is_control ? !is_last : (opcode == 0) != is_open_)
            return fail(1002);
        if (!is_control && opcode != 0)
            is_text_ = opcode == 1;
        if (left_.size() < 2)
            return false;
        std::uint64_t length = at(1) & 0x7fU;
        if (at(1) < 0x80 || (is_control && length > 125) || (opcode == 8 && length == 1))
            return fail(1002);
        const std::size_t width = length == 126 ? 2 : length == 127 ? 8 : 0;
        if (width == 8 && left_.size() > 2 && at(2) >= 0x80)
            return fail(1002);
        if (left_.size() < 2 + width)
            return false;
        if (width > 0) {
            length = 0;
            for (std::size_t i = 0; i < width; ++i)
                length = length << 8 | at(2 + i);
            if (length < (width == 2 ? 126U : 65536U))
                return fail(1002);
        }
        if (!is_control && (length > max_ || message_.size() + length > max_))
            return fail(1009);
        return read_payload(opcode, is_last, 2 + width, static_cast<std::size_t>(length));
    }

    bool read_payload(unsigned opcode, bool is_last, std::size_t key, std::size_t length)
    {
        if (left_.size() < key + 4)
            return false;
        std::string payload(left_.substr(key + 4, length));
        for (std::size_t i = 0; i < payload.size(); ++i)
            payload[i] = static_cast<char>(at(key + 4 + i) ^ at(key + i % 4));
        const bool is_whole = payload.size() == length;
        if (opcode >= 8)
            return is_whole && read_control(opcode, payload) && go_on(key + 4 + length);
        message_ += payload;
        is_open_ = true;
        bool is_wrong = false;
        if (is_text_ && (size_of_utf8(message_, is_wrong) != message_.size()) &&
            (is_wrong || (is_whole && is_last)))
            return fail(1007);
        if (!is_whole)
            return false;
        if (is_last) {
            told.push_back((is_text_ ? "text " : "binary ") + message_);
            message_.clear();
            is_open_ = false;
        }
        return go_on(key + 4 + length);
    }

    bool read_control(unsigned opcode, const std::string& payload)
    {
        if (opcode != 8) {
            told.push_back((opcode == 9 ? "ping " : "pong ") + payload);
            return true;
        }
        over_ = true;
        const unsigned code = payload.empty() ? 1005U
                                              : static_cast<unsigned char>(payload[0]) * 256U +
                                                    static_cast<unsigned char>(payload[1]);
        const bool is_known =
            code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
        if (!payload.empty() && !is_known && (code < 3000 || code > 4999))
            return fail(1002);
        const std::string reason = payload.empty() ? "" : payload.substr(2);
        bool is_wrong = false;
        if (size_of_utf8(reason, is_wrong) != reason.size())
            return fail(1007);
        told.push_back("close " + std::to_string(code) + " " + reason);
        return true;
    }

    bool go_on(std::size_t size)
    {
        left_.remove_prefix(size);
        return true;
    }

    std::string_view left_;
    std::size_t max_;
    std::string message_;
    bool is_open_ = false;
    bool is_text_ = false;
    bool over_ = false;
};

} // namespace support

#endif
