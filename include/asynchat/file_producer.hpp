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

/// Sends a file, or a part of it, with the least copying that the system offers.
///
/// How the bytes travel, decided for each piece:
///
///     the channel's send() is dispatcher's, its transport   the system moves them from the file
///     a stream socket, and the system has sendfile          to the socket; nobody reads them
///     anything else: a layer that overrides send(),         they are read into a buffer of
///     a pipe, a file system that cannot do it               ac_out_buffer_size bytes and sent
///
/// The receiver sees no difference. loop::create() knows the class of the channel and so whether
/// send() is overridden, in any of its base classes: a layer gets all the bytes, always.
///
/// The length is a promise, which may be in a header that was sent already. It is fixed when the
/// producer is made: what a file grows by later is not sent. When a file turns out to be shorter,
/// or cannot be read, the producer throws, and the channel's handle_error() ends the connection,
/// which is the only way to tell the receiver. If an override keeps the channel open, the producer
/// has ended, and what was pushed behind it follows.
///
/// Reading a file waits for the disk, and reading a pipe for its writer: the loop stands still
/// meanwhile. Output that comes when it likes is for a file_dispatcher.
///
/// Lifetime: keeps its file open until it is destroyed.
class file_producer final : public producer {
public:
    /// `length` bytes of a regular file from `offset` on; all up to its end if no length is given.
    /// Throws std::system_error, whose text has the path, when it cannot be opened or read or is
    /// not a regular file, and std::out_of_range when it has fewer bytes.
    ASYNCHAT_DECL explicit file_producer(const std::string& path, std::uint64_t offset = 0,
                                         std::optional<std::uint64_t> length = std::nullopt);

    /// As above, of an open descriptor. Works on a duplicate; `descriptor` stays the caller's.
    ///
    /// A regular file is counted from its start, wherever its position is, which stays there: many
    /// producers can share one. Anything else, such as a pipe, is read from where it is to its
    /// end or `length`, and an `offset` is a std::system_error.
    ASYNCHAT_DECL explicit file_producer(int descriptor, std::uint64_t offset = 0,
                                         std::optional<std::uint64_t> length = std::nullopt);

    ASYNCHAT_DECL ~file_producer() override;

    /// Bytes that it promises in all; nothing when only the end of a pipe will tell.
    const std::optional<std::uint64_t>& length() const noexcept { return length_; }

    /// Reads up to 65536 bytes. Throws std::system_error, or std::runtime_error when the file ends
    /// before its length; after that it has ended.
    ASYNCHAT_DECL std::string_view more() override;

private:
    friend class async_chat;

    file_producer() = default;
    void set_range(std::uint64_t offset, std::optional<std::uint64_t> length);
    [[noreturn]] void fail(int number);

    file_producer* as_file_() noexcept override { return this; }
    bool has_ended() const noexcept { return left_ == 0; }

    /// more() with another limit.
    ASYNCHAT_DECL std::string_view read(std::size_t max_bytes);

    /// Lets the system send up to `max_bytes`. Returns how many it did, 0 when it would block, and
    /// nothing when the bytes must be read, which finds out why if it is an error.
    ASYNCHAT_DECL std::optional<std::size_t> send_to(transport& to, std::size_t max_bytes);

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

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/file_producer.ipp>
#endif
#endif
