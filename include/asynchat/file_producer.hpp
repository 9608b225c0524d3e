// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_FILE_PRODUCER_HPP
#define ASYNCHAT_FILE_PRODUCER_HPP

#include <asynchat/config.hpp>
#include <asynchat/producer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// Sends a file, or a part of it, with as few copies as the system allows.
///
/// How the bytes are sent; decided for each piece:
///
///     the channel's send() is dispatcher's, its transport   the system moves them from the file
///     a stream socket, and the system has sendfile          to the socket, without a read
///     anything else: a layer that overrides send(),         they are read into a buffer of
///     a pipe, a file system that cannot do it               ac_out_buffer_size bytes and sent
///
/// The receiver sees no difference. loop::create() knows the class of the channel, so it knows
/// whether the class or a base class overrides send(): an override always gets all the bytes.
///
/// The length is fixed when the producer is made, because it may be in a header that is already
/// sent. Bytes that are added to the file later are not sent. If the file becomes shorter or cannot
/// be read, the producer throws, and the channel's handle_error() ends the connection: this is the
/// only way to tell the receiver. If an override keeps the channel open, the producer has ended,
/// and the output behind it follows.
///
/// Reading a file waits for the disk, and reading a pipe waits for its writer; this blocks the
/// loop. For a pipe whose output comes at any time use a file_dispatcher.
///
/// Lifetime: keeps its file open until it is destroyed.
class ASYNCHAT_API file_producer final : public producer {
public:
    /// Sends `length` bytes of a regular file from `offset` on; without a length, all bytes up to
    /// its end. Throws std::system_error with the path in its text when the file cannot be opened
    /// or read or is not a regular file; std::out_of_range when the file has fewer bytes.
    ASYNCHAT_DECL explicit file_producer(const std::string& path, std::uint64_t offset = 0,
                                         std::optional<std::uint64_t> length = std::nullopt);

    /// As above, for an open descriptor. Works on a duplicate; the caller still owns `descriptor`.
    ///
    /// In a regular file `offset` counts from the start. The producer neither uses nor changes the
    /// position of the file, so many producers can share one descriptor. It reads a pipe or a
    /// similar descriptor from the current position to the end, or `length` bytes; an `offset`
    /// throws std::system_error then.
    ASYNCHAT_DECL explicit file_producer(int descriptor, std::uint64_t offset = 0,
                                         std::optional<std::uint64_t> length = std::nullopt);

    ASYNCHAT_DECL ~file_producer() override;

    /// Size of the whole output in bytes; std::nullopt for a pipe without a given length.
    [[nodiscard]] const std::optional<std::uint64_t>& length() const noexcept { return length_; }

    /// Reads up to 65536 bytes. Throws std::system_error, or std::runtime_error when the file ends
    /// before its length; after an exception the producer has ended.
    ASYNCHAT_DECL std::string_view more() override;

private:
    friend class async_chat;

    file_producer() = default;
    ASYNCHAT_PRIVATE void set_range(std::uint64_t offset, std::optional<std::uint64_t> length);
    [[noreturn]] ASYNCHAT_PRIVATE void fail(int number);

    file_producer* as_file_() noexcept override { return this; }
    bool has_ended() const noexcept { return left_ == 0; }

    /// more() with another limit.
    ASYNCHAT_PRIVATE std::string_view read(std::size_t max_bytes);

    /// Lets the system send up to `max_bytes`. Returns the number of bytes sent, 0 when it would
    /// block. Returns std::nullopt when the bytes must be read instead; reading then reports an
    /// error, if there is one.
    ASYNCHAT_PRIVATE std::optional<std::size_t> send_to(transport& to, std::size_t max_bytes);

    std::string name_; // for messages
    int descriptor_ = -1;
    bool is_regular_ = false;
    bool sends_directly_ = false;
    std::optional<std::uint64_t> length_;
    std::uint64_t offset_ = 0;
    std::uint64_t left_ = 0; // bytes still to come, at most
    std::unique_ptr<char[]> buffer_;
    std::size_t buffer_size_ = 0;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/file_producer.ipp>
#endif
#endif
