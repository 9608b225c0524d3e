// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

/// @file Coroutines that wait for a channel of callbacks: for its next frame, or for its end.

#ifndef ASYNCHAT_FRAME_SOURCE_HPP
#define ASYNCHAT_FRAME_SOURCE_HPP

#include <asynchat/detail/streams/coroutines.hpp>

#if defined(ASIO_HAS_CO_AWAIT) // nothing else would compile

#  include <asynchat/detail/channel_watcher.hpp>
#  include <asynchat/detail/streams/waiting_room.hpp>
#  include <asynchat/dispatcher.hpp>
#  include <asynchat/error.hpp>
#  include <asynchat/frame_chat.hpp>
#  include <asynchat/handle.hpp>
#  include <asynchat/stream_errors.hpp>

#  include <asio/awaitable.hpp>
#  include <asio/post.hpp>
#  include <asio/this_coro.hpp>
#  include <asio/use_awaitable.hpp>

#  include <memory>
#  include <optional>
#  include <stdexcept>
#  include <string>
#  include <string_view>
#  include <type_traits>
#  include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// Where coroutines wait for the end of a channel, and one of them for its next frame.
class end_room final : public waiting_room, public channel_watcher {
public:
    using waiting_room::waiting_room;
    void ended(const dispatcher&) override { wake_all_later(); }

    static std::shared_ptr<end_room> of(dispatcher& channel)
    {
        auto room = channel_access::find_watcher<end_room>(channel);
        if (!room) {
            room = std::make_shared<end_room>(channel.owner());
            channel_access::watch(channel, room);
        }
        return room;
    }
};

} // namespace detail

/// Waits until any channel has ended and its handle_end() was called. Returns the channel, for its
/// close_reason(), close_text() and counters; null when it was destroyed before the call.
/// Python: none; for a server, asyncio.Server.wait_closed
template <class T>
asio::awaitable<std::shared_ptr<T>> closed(handle<T> channel)
{
    const std::shared_ptr<T> watched = channel.lock();
    if (watched && !watched->::asynchat::dispatcher::closed())
        co_await detail::end_room::of(*watched)->wait_for_change();
    else if (watched) // handle_end() may come in this turn
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    co_return watched;
}

/// A frame_chat whose frames a coroutine takes, one after the other, with next_frame(). The
/// channel reads only while a coroutine waits, so the terminator can be changed between two frames.
///
/// Callbacks and a coroutine may share the work: an override of found_frame() handles what it
/// wants, and calls the original with what is for the coroutine: the frame, a part of it, or other
/// bytes. The coroutine goes on within it.
class frame_source : public frame_chat {
public:
    using frame_chat::frame_chat;

    void found_frame(std::string_view frame) override
    {
        frame_ = take_or_copy(frame);
        const auto room = detail::end_room::of(*this);
        room->wake_reader();
        if (!room->has_reader() && !closed()) {
            is_paused_ = true;
            pause_reading();
        }
    }

private:
    template <class T>
    friend asio::awaitable<std::optional<std::string>> next_frame(handle<T> from);

    void go_on()
    {
        if (!frame_ && std::exchange(is_paused_, false))
            resume_reading();
    }

    std::optional<std::string> frame_; // that nobody has taken
    bool is_paused_ = false;           // until another frame is wanted
};

/// The next frame of a frame_source; std::nullopt at the end of the peer's stream. Throws
/// connection_lost after another end. A cancelled call takes no frame. One call at a time: another
/// one throws std::logic_error.
template <class T>
asio::awaitable<std::optional<std::string>> next_frame(handle<T> from)
{
    static_assert(std::is_base_of_v<frame_source, T>, "next_frame() needs a frame_source");
    const std::shared_ptr<frame_source> source = from.lock();
    if (!source)
        throw std::logic_error("asynchat: this handle's channel was destroyed");
    for (;;) {
        if (!source->closed())
            source->go_on();
        if (source->frame_)
            co_return* std::exchange(source->frame_, std::nullopt);
        if (source->close_reason() == close_reason::peer_finished)
            co_return std::nullopt;
        if (source->closed())
            throw connection_lost(source->close_reason(), source->close_error(),
                                  source->close_text());
        const auto room = detail::end_room::of(*source);
        if (room->has_reader())
            throw std::logic_error("asynchat: another coroutine waits for a frame of this channel");
        co_await room->wait_for_input();
    }
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
#endif
