// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A part of dispatcher.hpp, which includes it where the class is complete.

#ifndef ASYNCHAT_DETAIL_CHANNEL_EVENT_HPP
#define ASYNCHAT_DETAIL_CHANNEL_EVENT_HPP

#include <asynchat/config.hpp>

#include <cassert>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// A running event of a channel, on the stack. Keeps the channel alive and makes it the channel
/// that is flushed at the end.
class dispatcher::running_event {
public:
    explicit running_event(dispatcher& channel) noexcept
        : channel_(channel), turn_(channel.loop_),
          outer_(std::exchange(channel.loop_.current_, &channel))
    {
    }
    ~running_event()
    {
        assert(channel_.loop_.current_ == &channel_); // events end in the reverse order
        channel_.loop_.current_ = outer_;
        if (!finished_)
            channel_.try_flush_soon();
    }
    running_event(const running_event&) = delete;
    running_event& operator=(const running_event&) = delete;

    void finished() noexcept { finished_ = true; }

private:
    dispatcher& channel_;
    loop::turn turn_; // a closed channel lives until its end
    dispatcher* outer_;
    bool finished_ = false;
};

template <class Body>
bool dispatcher::guarded(Body&& body)
{
    // A handle_close() on the stack may run the loop.
    if (gate_.is_over())
        return true;
    try {
        body();
        return true;
    } catch (const exit_now&) {
        throw;
    } catch (...) {
        handle_exception();
        return false;
    }
}

template <class Body>
void dispatcher::in_event(Body&& body)
{
    running_event scope(*this);
    guarded(body);
    guarded([this] { end_of_event_(); });
    ask_for_interest();
    scope.finished();
}

/// Calls update_interest(). If readable() or writable() throws, it calls it once more in a later
/// turn: otherwise the channel would wait for nothing.
inline void dispatcher::ask_for_interest()
{
    if (!guarded([this] { update_interest(); }))
        interest_refused();
    else if (interest_failed_)
        interest_failed_ = false;
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
