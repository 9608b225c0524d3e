// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_CONST_BUFFERS_HPP
#define ASYNCHAT_CONST_BUFFERS_HPP

#include <asynchat/config.hpp>

#include <asio/buffer.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// The parameter of dispatcher::send(): one or more pieces of memory that are sent in order.
///
/// A view: it owns nothing, so use it as a function parameter only. It converts from text, so that
/// send("hello") works, and is a ConstBufferSequence of Asio.
class const_buffers {
public:
    /// What Asio asks of a sequence of buffers.
    using value_type = asio::const_buffer;
    using const_iterator = const asio::const_buffer*;

    const_buffers(const asio::const_buffer* first, std::size_t count) noexcept
        : first_(first), count_(count)
    {
    }
    const_buffers(asio::const_buffer single) noexcept : single_(single) {}
    const_buffers(std::string_view text) noexcept : single_(text.data(), text.size()) {}
    const_buffers(const std::string& text) noexcept : single_(text.data(), text.size()) {}

    /// A literal: all its bytes but the final NUL.
    template <std::size_t N>
    const_buffers(const char (&literal)[N]) noexcept : single_(literal, N - 1)
    {
    }

    /// A buffer with a C string: the bytes before its NUL.
    template <std::size_t N>
    const_buffers(char (&text)[N]) noexcept : const_buffers(std::string_view(text))
    {
    }

    /// The pieces.
    [[nodiscard]] const_iterator begin() const noexcept { return first_ ? first_ : &single_; }
    [[nodiscard]] const_iterator end() const noexcept { return begin() + count_; }

    /// The number of pieces.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

    /// The number of bytes in all pieces.
    [[nodiscard]] std::size_t size() const noexcept
    {
        std::size_t bytes = 0;
        for (const asio::const_buffer& buffer : *this)
            bytes += buffer.size();
        return bytes;
    }

    /// All bytes as one string, for layers that transform their output.
    [[nodiscard]] std::string str() const
    {
        std::string bytes;
        bytes.reserve(size());
        for (const asio::const_buffer& buffer : *this)
            bytes.append(static_cast<const char*>(buffer.data()), buffer.size());
        return bytes;
    }

private:
    asio::const_buffer single_;
    const asio::const_buffer* first_ = nullptr; // null: single_ is all there is
    std::size_t count_ = 1;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
