// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_FRAME_CHAT_HPP
#define ASYNCHAT_FRAME_CHAT_HPP

#include <asynchat/async_chat.hpp>

#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// An async_chat with one callback for each frame, which gets the whole frame.
///
///     input  "ECHO 5\nhello"   set_terminator("\n")
///       found_frame("ECHO 5")    -> set_terminator(5)
///       found_frame("hello")     -> push(take_frame())
///
/// A frame that arrives in one piece is not copied: the view points into the receive buffer. Other
/// frames are put together in the channel's storage; a large counted frame is received directly
/// into it.
///
/// Terminators, max_frame() and everything else are as in async_chat, with two differences. A count
/// over max_frame() makes set_terminator() throw std::length_error, because the channel has to
/// store the frame. A frame that a string ends is not delivered at all when it is over the limit.
/// Python: none; async_chat with _collect_incoming_data() and _get_data() is the nearest
class ASYNCHAT_API frame_chat : public async_chat {
public:
    /// As for async_chat.
    ASYNCHAT_DECL explicit frame_chat(loop& owner);
    ASYNCHAT_DECL frame_chat(loop& owner, socket from);

    /// Called with each frame, without its terminator; an empty frame is an empty view.
    ///
    /// `frame` is valid until the call returns or take_frame() is called. A count is 0 when this is
    /// called and stays 0 until you set a new terminator. An exception goes to handle_error(); the
    /// frame is not delivered again.
    virtual void found_frame(std::string_view frame) = 0;

    /// Called with bytes that belong to no complete frame: all input while there is no terminator
    /// or the count is 0, and an incomplete frame at the end of the stream. `data` is valid during
    /// the call. The default drops the bytes.
    ASYNCHAT_DECL void collect_incoming_data(std::string_view data) override;

    ASYNCHAT_DECL void handle_read() override;

protected:
    /// The frame as a string that you own. May be called once in each found_frame(). A frame in the
    /// channel's storage, such as a large counted one, is moved without a copy.
    /// Throws std::logic_error outside found_frame().
    [[nodiscard]] ASYNCHAT_DECL std::string take_frame();

private:
    friend class frame_source;
    using step = detail::frame_decoder::step;

    ASYNCHAT_DECL std::string take_or_copy(std::string_view frame);
    ASYNCHAT_PRIVATE std::string copy_of(std::string_view frame);
    ASYNCHAT_DECL void found_terminator() final;
    ASYNCHAT_DECL void deliver_(delivery& input) override;
    bool keeps_frames_() const noexcept override { return true; }
    ASYNCHAT_PRIVATE bool receives_in_place();
    ASYNCHAT_PRIVATE void receive_in_place();
    ASYNCHAT_PRIVATE void keep(delivery& input, step next);
    ASYNCHAT_PRIVATE void deliver_begun_frame();
    ASYNCHAT_PRIVATE void deliver_kept_frame(delivery& input);

    // Private: they would use the same storage as the frames.
    using async_chat::_collect_incoming_data;
    using async_chat::_get_data;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/frame_chat.ipp>
#endif
#endif
