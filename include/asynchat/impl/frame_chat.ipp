// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_FRAME_CHAT_IPP
#define ASYNCHAT_IMPL_FRAME_CHAT_IPP

#include <asynchat/frame_chat.hpp>

#include <stdexcept>
#include <utility>

namespace asynchat {

ASYNCHAT_DECL frame_chat::frame_chat(loop& owner) : frame_chat(owner, socket()) {}

ASYNCHAT_DECL frame_chat::frame_chat(loop& owner, socket from)
    : async_chat(owner, std::move(from), whole_frames())
{
}

ASYNCHAT_DECL void frame_chat::collect_incoming_data(std::string_view) {}

ASYNCHAT_DECL void frame_chat::found_terminator() {} // not called

ASYNCHAT_DECL std::string frame_chat::take_frame()
{
    if (!parsing_)
        throw std::logic_error("asynchat: take_frame() outside of found_frame()");
    if (parsing_->storage)
        return std::move(*parsing_->storage);
    return std::string(parsing_->frame);
}

} // namespace asynchat

#endif
