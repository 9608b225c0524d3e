// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_FRAME_CHAT_IPP
#define ASYNCHAT_IMPL_FRAME_CHAT_IPP

#include <asynchat/frame_chat.hpp>

#include <asynchat/detail/scope_exit.hpp>

#include <asio/buffer.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

// If fewer bytes of a counted frame are missing, they are received together with later input and
// copied.
inline constexpr std::size_t min_received_in_place = 16384;

} // namespace detail

ASYNCHAT_DECL frame_chat::frame_chat(loop& owner) : frame_chat(owner, socket()) {}

ASYNCHAT_DECL frame_chat::frame_chat(loop& owner, socket from) : async_chat(owner, std::move(from))
{
}

ASYNCHAT_DECL void frame_chat::collect_incoming_data(std::string_view) {}

ASYNCHAT_DECL void frame_chat::found_terminator() {} // not called

ASYNCHAT_DECL std::string frame_chat::take_frame()
{
    const delivery* const input = under_way();
    if (!input || !input->frame.data())
        throw std::logic_error("asynchat: take_frame() outside of found_frame()");
    if (input->storage)
        return std::move(*input->storage);
    return copy_of(input->frame);
}

/// take_frame(), if this is the frame.
ASYNCHAT_DECL std::string frame_chat::take_or_copy(std::string_view frame)
{
    if (const delivery* const input = under_way()) {
        const std::string_view whole =
            input->storage ? std::string_view(*input->storage) : input->frame;
        if (whole.data() && frame.data() == whole.data() && frame.size() == whole.size())
            return take_frame();
    }
    return copy_of(frame);
}

ASYNCHAT_DECL std::string frame_chat::copy_of(std::string_view frame)
{
    std::string copy = frame_memory().take_string(frame.size()); // that a push gave back
    copy.assign(frame);
    return copy;
}

// --- frames that lie in the input ----------------------------------------------------------------

ASYNCHAT_DECL void frame_chat::deliver_(delivery& input)
{
    while (may_deliver(input)) {
        const auto next = input.next();
        if (next.is_rare()) {
            if (next.is_starved() ? !goes_on_with(input) : !obey(input, next))
                break;
        } else if (next.ends_frame() && frame_.is_empty()) {
            const std::string_view frame = input.piece(next);
            input.frame = frame;
            input.take(next);
            found_frame(frame);
            input.frame = {}; // take_frame() is for found_frame() only
            send_if_much();
        } else if (next.ends_frame() || !decoder_.has_frame() || !goes_on_with(input)) {
            keep(input, next.copy());
            send_if_much();
        }
    }
}

// --- frames that come in pieces ------------------------------------------------------------------

/// Keeps a piece of a frame that is not complete or not in one piece.
ASYNCHAT_DECL void frame_chat::keep(delivery& input, step next)
{
    const bool has_frame = decoder_.has_frame();
    if (!frame_.is_empty() && (!has_frame || frame_.is_set_aside()))
        return deliver_begun_frame();
    if (!has_frame) {
        if (next.size() > 0)
            collect_incoming_data(input.piece(next)); // if it throws, this is delivered again
        input.take(next);
        return;
    }
    if (next.size() > 0) {
        const std::size_t to_come = std::max(frame_to_come(), next.size());
        if (frame_.is_empty())
            frame_.begin(frame_memory(), to_come);
        frame_.append(input.piece(next), to_come);
    }
    if (input.take(next))
        deliver_kept_frame(input);
}

/// The kept bytes no longer belong to a frame, because the terminator was removed: delivers them.
ASYNCHAT_DECL void frame_chat::deliver_begun_frame()
{
    const bool set_aside = frame_.is_set_aside();
    std::string begun = frame_.take(frame_memory());
    try {
        collect_incoming_data(begun);
    } catch (...) {
        if (!is_renewed()) { // it is delivered again, like every piece
            frame_.put_back(frame_memory(), std::move(begun));
            frame_.set_aside(set_aside);
        }
        throw;
    }
}

ASYNCHAT_DECL void frame_chat::deliver_kept_frame(delivery& input)
{
    // The frame stays valid, also if the callback discards.
    detail::pooled_string storage(frame_memory(), frame_.take(frame_memory()));
    const detail::scope_exit at_end([&input] {
        input.storage = nullptr;
        input.frame = {};
    });
    input.frame = *storage;
    input.storage = &*storage;
    found_frame(*storage);
}

// --- large counted frames ------------------------------------------------------------------------

ASYNCHAT_DECL void frame_chat::handle_read()
{
    receives_in_place() ? receive_in_place() : async_chat::handle_read();
}

/// Whether enough bytes of a counted frame are missing to receive directly into it.
ASYNCHAT_DECL bool frame_chat::receives_in_place()
{
    if (under_way() || !delivers_input() || decoder_.has_unread())
        return false;
    if (!input_flows()) {
        if (!may_receive_now())
            return false;
        follow_override();
    }
    // A large receive may bring whole frames behind this one, which need no copy.
    const std::size_t large = receives_more_ ? large_receive(max_receive()) : 0;
    const std::size_t enough = std::max(detail::min_received_in_place, large / 2);
    return delivers_input() && !frame_.is_set_aside() && decoder_.lacking() >= enough;
}

ASYNCHAT_DECL void frame_chat::receive_in_place()
{
    const std::size_t lacking = decoder_.lacking();
    if (frame_.is_empty())
        frame_.begin(frame_memory(), frame_to_come());
    const detail::scope_exit at_end([this] {
        if (frame_.size() == 0)
            frame_.give_back(frame_memory()); // no input arrived
    });
    const std::size_t limit = max_receive();
    const auto space = frame_.space_for(std::min(lacking, limit), frame_to_come());
    // As much as a turn may send, for fewer system calls; but a rate must not be exceeded by more.
    const std::size_t max_bytes =
        std::min({space.size, lacking, obeys_rates() ? limit : limit * 16});
    const std::size_t received = std::min(receive(asio::buffer(space.data, max_bytes)), max_bytes);
    if (frame_.unfilled() == 0)
        return; // discarded, or delivered at the end of the stream
    frame_.filled(received);
    if (received == 0 || closed())
        return;
    if (!decoder_.filled(received)) {
        turn_is_used();
        return frame_goes_on();
    }
    frame_has_ended();
    delivery whole(*this, delivery::received_aside());
    deliver_kept_frame(whole);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
