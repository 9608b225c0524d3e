// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_STREAM_BUFFER_IPP
#define ASYNCHAT_IMPL_STREAM_BUFFER_IPP

#include <asynchat/detail/framing/stream_buffer.hpp>

#include <algorithm>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

// --- bytes ---------------------------------------------------------------------------------------

ASYNCHAT_DECL void stream_buffer::append(std::string_view bytes)
{
    assert(!ended_);
    if (!late_.empty()) {
        late_ += bytes;
        return;
    }
    if (bytes.size() > bytes_.capacity() - bytes_.size()) {
        if (in_use_) {
            late_ = bytes;
            return;
        }
        bytes_.erase(0, std::exchange(front_, 0));
    }
    bytes_ += bytes;
}

ASYNCHAT_DECL void stream_buffer::use(std::string memory) noexcept
{
    assert(is_at_rest());
    memory.clear();
    bytes_ = std::move(memory);
    front_ = 0;
}

ASYNCHAT_DECL std::string stream_buffer::release() noexcept
{
    assert(is_at_rest());
    front_ = 0;
    return std::exchange(bytes_, {});
}

/// No view is in use any more, so all bytes can come together.
ASYNCHAT_DECL void stream_buffer::begin_read()
{
    in_use_ = false;
    if (front_ == bytes_.size()) {
        bytes_.clear();
        front_ = 0;
    }
    if (late_.empty())
        return;
    bytes_.erase(0, std::exchange(front_, 0));
    bytes_ += std::exchange(late_, {});
}

inline stream_buffer::result stream_buffer::take(std::size_t size) noexcept
{
    assert(size <= unread().size());
    const std::string_view taken = unread().substr(0, size);
    front_ += size;
    examined_ = 0;
    in_use_ = true;
    return {verdict::found, taken};
}

inline stream_buffer::result stream_buffer::take_rest() noexcept
{
    const result rest = take(unread().size());
    decoder_.start_anew();
    return {verdict::incomplete, rest.data};
}

// --- reads without a separator -------------------------------------------------------------------

/// Forgets what was searched. Returns false while the rest of a line must be skipped first.
ASYNCHAT_DECL bool stream_buffer::begin_other_read()
{
    begin_read();
    if (decoder_.is_dropping() && !end_skip())
        return false;
    if (std::exchange(examined_, 0) > 0 || decoder_.in_frame())
        decoder_.start_anew();
    return true;
}

ASYNCHAT_DECL stream_buffer::result stream_buffer::read(std::size_t most)
{
    if ((!begin_other_read() || unread().empty()) && !ended_ && most > 0)
        return {verdict::starved, {}};
    return take(std::min(most, unread().size()));
}

ASYNCHAT_DECL stream_buffer::result stream_buffer::read_all()
{
    begin_other_read();
    return ended_ ? take(unread().size()) : result{verdict::starved, {}};
}

ASYNCHAT_DECL stream_buffer::result stream_buffer::read_exactly(std::size_t size)
{
    begin_other_read();
    if (size <= unread().size())
        return take(size);
    return ended_ ? take_rest() : result{verdict::starved, {}};
}

/// Drops the rest of a line that was too long. Returns whether its end was there.
ASYNCHAT_DECL bool stream_buffer::end_skip() noexcept
{
    frame_decoder::pass input(decoder_, unread());
    while (decoder_.is_dropping()) {
        const auto step = input.next();
        if (step.is_rare())
            break; // starved
        input.take(step);
    }
    front_ = bytes_.size() - input.rest().size();
    input.drop();
    return !decoder_.is_dropping();
}

// --- reads up to a separator ---------------------------------------------------------------------

/// Returns false while the rest of a line must be skipped first.
ASYNCHAT_DECL bool stream_buffer::begin_search(const terminator& separator)
{
    begin_read();
    if (decoder_.is_dropping() && !end_skip())
        return false;
    if (separator != decoder_.current()) {
        examined_ = 0;
        decoder_.start_anew();
        decoder_.set(separator, limit_);
    }
    return true;
}

/// Goes on with the search in the bytes that the decoder has not taken.
ASYNCHAT_DECL stream_buffer::result stream_buffer::search(bool skips)
{
    const std::string_view all = unread();
    frame_decoder::pass input(decoder_, all.substr(examined_));
    for (;;) {
        const auto step = input.next();
        if (step.is_rare()) {
            const bool too_long = step.why() == frame_step::rare::too_long;
            examined_ = all.size() - input.rest().size() - decoder_.carried().size();
            if (too_long && skips) {
                input.drop_frame(false);
                front_ += std::exchange(examined_, 0);
            }
            input.drop();
            return too_long ? result{verdict::too_long, all} : result{verdict::starved, {}};
        }
        if (input.take(step)) {
            const std::size_t size = all.size() - input.rest().size();
            input.drop();
            return take(size);
        }
    }
}

ASYNCHAT_DECL stream_buffer::result stream_buffer::read_until(const terminator& separator)
{
    const result seen = begin_search(separator) ? search(false) : result{verdict::starved, {}};
    if (seen.what != verdict::starved || !ended_)
        return seen;
    // The end shows that the last bytes begin no separator.
    return unread().size() > limit_ ? result{verdict::too_long, unread()} : take_rest();
}

ASYNCHAT_DECL stream_buffer::result stream_buffer::read_line()
{
    const result seen = begin_search("\n") ? search(true) : result{verdict::starved, {}};
    return seen.what == verdict::starved && ended_ ? result{verdict::found, take_rest().data}
                                                   : seen;
}

ASYNCHAT_DECL stream_buffer::result stream_buffer::next_line()
{
    if (decoder_.is_dropping() && !end_skip())
        return {verdict::starved, {}};
    return search(false);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
