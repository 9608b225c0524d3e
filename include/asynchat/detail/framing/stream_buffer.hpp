// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_STREAM_BUFFER_HPP
#define ASYNCHAT_DETAIL_FRAMING_STREAM_BUFFER_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/framing/frame_decoder.hpp>
#include <asynchat/detail/framing/frame_pass.hpp>
#include <asynchat/terminator.hpp>

#include <cassert>
#include <cstddef>
#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The received and unread bytes of a stream: bytes in, results of reads out. It makes no calls,
/// and knows no channel and no coroutine.
///
/// A read returns at once. If it is starved, append() or end() must come before it can return
/// something else; the same read is then repeated, and continues where it stopped. Another read may
/// come instead: a starved read takes no bytes.
///
/// Views stay valid until the next read, also when bytes are appended meanwhile.
class ASYNCHAT_API stream_buffer {
public:
    enum class verdict : unsigned char {
        found,      ///< `data` is what the read wants
        starved,    ///< more bytes are necessary
        incomplete, ///< the stream has ended before; `data` is the rest, and taken
        too_long,   ///< the bytes before the separator are more than limit(); `data` is all unread
    };
    struct result {
        verdict what;
        std::string_view data;
    };

    /// The limit is that of a line or of a read_until(), in bytes, without the separator.
    explicit stream_buffer(std::size_t limit) noexcept : limit_(limit) {}

    std::size_t limit() const noexcept { return limit_; }

    /// The number of unread bytes.
    std::size_t size() const noexcept { return bytes_.size() - front_ + late_.size(); }

    /// Bytes were received, or no more will be.
    ASYNCHAT_DECL void append(std::string_view bytes);
    void end() noexcept { ended_ = true; }
    bool has_ended() const noexcept { return ended_; }

    /// 1 to `most` bytes, as soon as one is there; none at the end of the stream.
    ASYNCHAT_DECL result read(std::size_t most);

    /// Everything up to the end of the stream.
    ASYNCHAT_DECL result read_all();

    /// So many bytes.
    ASYNCHAT_DECL result read_exactly(std::size_t size);

    /// The bytes before and with the separator: a string, or the first of several strings. If it is
    /// too long, no byte is taken.
    ASYNCHAT_DECL result read_until(const terminator& separator);

    /// As read_until("\n"), but the end of the stream ends a line too. A line that is too long is
    /// skipped up to its end, whatever is read next.
    ASYNCHAT_DECL result read_line();

    /// The next line if it is complete; otherwise starved, and cheaper than read_line() for the
    /// second and later lines. Only after a read_line(); its views stay valid as well.
    ASYNCHAT_DECL result next_line();

    /// The separator that the last read_until() has found; valid until the next read.
    std::string_view matched() const noexcept { return decoder_.matched(); }

    /// Whether there is no byte and no view, so that the memory can be given away or replaced.
    bool is_at_rest() const noexcept { return size() == 0 && !in_use_; }
    ASYNCHAT_DECL void use(std::string memory) noexcept;
    ASYNCHAT_DECL std::string release() noexcept;
    std::size_t capacity() const noexcept { return bytes_.capacity(); }

private:
    std::string_view unread() const noexcept { return std::string_view(bytes_).substr(front_); }
    ASYNCHAT_PRIVATE void begin_read();
    ASYNCHAT_PRIVATE bool begin_other_read();
    ASYNCHAT_PRIVATE bool begin_search(const terminator& separator);
    ASYNCHAT_PRIVATE result search(bool skips);
    ASYNCHAT_PRIVATE bool end_skip() noexcept;
    ASYNCHAT_PRIVATE result take(std::size_t size) noexcept;
    result take_rest() noexcept;

    std::string bytes_; // from front_ on unread; before it, what the last read returned
    std::string late_;  // behind bytes_: came while a view of it was in use, and had no room
    std::size_t front_ = 0;
    std::size_t examined_ = 0; // unread bytes that the decoder has taken: without the separator
    std::size_t limit_;
    frame_decoder decoder_;
    bool in_use_ = false; // there are views of bytes_
    bool ended_ = false;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/stream_buffer.ipp>
#endif
#endif
