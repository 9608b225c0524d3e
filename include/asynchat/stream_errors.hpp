// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

/// @file What the calls of streams throw.

#ifndef ASYNCHAT_STREAM_ERRORS_HPP
#define ASYNCHAT_STREAM_ERRORS_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/fmt_format.hpp>
#include <asynchat/error.hpp>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// The stream ended before a read had what it wants. Python: asyncio.IncompleteReadError
class ASYNCHAT_API incomplete_read_error : public std::runtime_error {
public:
    /// With the bytes that came.
    incomplete_read_error(std::string partial, std::optional<std::size_t> expected)
        : std::runtime_error(text_of(partial.size(), expected)), partial_(std::move(partial)),
          expected_(expected)
    {
    }

    /// The bytes up to the end of the stream. They are taken.
    [[nodiscard]] const std::string& partial() const noexcept { return partial_; }
    /// The number of bytes that readexactly() wanted; empty for a readuntil().
    [[nodiscard]] std::optional<std::size_t> expected() const noexcept { return expected_; }

private:
    static std::string text_of(std::size_t size, std::optional<std::size_t> expected)
    {
        if (expected)
            return fmt::format("asynchat: the stream ended after {} of {} bytes", size, *expected);
        return fmt::format("asynchat: the stream ended after {} bytes without a separator", size);
    }

    std::string partial_;
    std::optional<std::size_t> expected_;
};

/// More bytes than the limit of the stream precede the separator.
/// Python: asyncio.LimitOverrunError; readline() raises ValueError.
class ASYNCHAT_API limit_overrun_error : public std::runtime_error {
public:
    /// With the limit of the stream, and the bytes that were there.
    limit_overrun_error(std::size_t limit, std::size_t found)
        : std::runtime_error(fmt::format("asynchat: no separator within {} bytes, the limit of "
                                         "this stream, set by stream_options::limit; {} bytes were "
                                         "there",
                                         limit, found)),
          consumed_(limit)
    {
    }

    /// How many of the unread bytes cannot be a part of the separator. Differs: in Python the
    /// number depends on how the bytes arrived.
    [[nodiscard]] std::size_t consumed() const noexcept { return consumed_; }

private:
    std::size_t consumed_;
};

/// The connection ended otherwise than by the peer's end of the stream. code() is the error of the
/// system, if there is one. Python: ConnectionResetError
class ASYNCHAT_API connection_lost : public std::system_error {
public:
    /// With what the channel says of its end; without an error, not_connected.
    connection_lost(asynchat::close_reason reason, const std::error_code& error,
                    const std::string& text)
        : std::system_error(error ? error : std::make_error_code(std::errc::not_connected), text),
          what_("asynchat: " + text), reason_(reason)
    {
    }
    /// The close_text() of the channel.
    const char* what() const noexcept override { return what_.what(); }
    [[nodiscard]] asynchat::close_reason reason() const noexcept { return reason_; }

private:
    std::runtime_error what_; // a text whose copy cannot fail
    asynchat::close_reason reason_;
};

/// An operation took longer than its time. Python: TimeoutError
class ASYNCHAT_API timeout_error : public std::runtime_error {
public:
    /// With a text that says so.
    timeout_error() : std::runtime_error("asynchat: the operation took longer than its time") {}
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
