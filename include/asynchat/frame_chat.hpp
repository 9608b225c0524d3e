// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_FRAME_CHAT_HPP
#define ASYNCHAT_FRAME_CHAT_HPP

#include <asynchat/async_chat.hpp>

#include <string>
#include <string_view>

namespace asynchat {

/// An async_chat whose frames come whole: one callback for each, with all its bytes.
///
///     input  "ECHO 5\nhello"   set_terminator("\n")
///       found_frame("ECHO 5")    -> set_terminator(5)
///       found_frame("hello")     -> push(take_frame())
///
/// A frame that arrived in one piece is not copied: the view points into the receive buffer. One
/// that did not is put together in the channel's own storage; a large counted one is received
/// straight into it.
///
/// Terminators, max_frame() and everything else are those of async_chat, with these differences: a
/// count over max_frame() makes set_terminator() throw std::length_error, since the frame has to be
/// kept; a frame that a string ends is not delivered at all when it is over the limit.
/// Python: none; async_chat with _collect_incoming_data() and _get_data() is the nearest
class frame_chat : public async_chat {
public:
    /// As for async_chat.
    ASYNCHAT_DECL explicit frame_chat(loop& owner);
    ASYNCHAT_DECL frame_chat(loop& owner, socket from);

    /// Called with each frame, without its terminator; an empty frame is an empty view.
    ///
    /// `frame` is valid until the call returns, or take_frame() is called. A count is 0 by then and
    /// stays so until a new terminator is set. What it throws goes to handle_error(); the frame
    /// is not delivered again.
    virtual void found_frame(std::string_view frame) = 0;

    /// Called with the bytes that belong to no frame: all of them while there is no terminator or a
    /// count is spent, and at the end of the stream those of a frame that was begun. The default
    /// drops them.
    ASYNCHAT_DECL void collect_incoming_data(std::string_view data) override;

    ASYNCHAT_DECL void handle_read() override;

protected:
    /// In found_frame(), once: the frame as a string of your own. Moved, without a copy, when it
    /// lies in the channel's storage, as large counted frames do.
    /// Throws std::logic_error outside of found_frame().
    ASYNCHAT_DECL std::string take_frame();

private:
    using step = detail::frame_decoder::step;

    ASYNCHAT_DECL void found_terminator() final;
    ASYNCHAT_DECL void deliver_(delivery& input) override;
    bool keeps_frames_() const noexcept override { return true; }
    bool receives_in_place();
    void receive_in_place();
    ASYNCHAT_DECL void keep(delivery& input, step next);
    void deliver_begun_frame();
    void deliver_kept_frame(delivery& input);

    // They would share the storage of the frames.
    using async_chat::_collect_incoming_data;
    using async_chat::_get_data;
};

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/frame_chat.ipp>
#endif
#endif
