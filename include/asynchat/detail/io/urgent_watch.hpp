// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_URGENT_WATCH_HPP
#define ASYNCHAT_DETAIL_IO_URGENT_WATCH_HPP

#include <asynchat/config.hpp>

#include <poll.h>

#include <cassert>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Decides whether a channel waits for urgent data. The system reports a mark until the urgent byte
/// is read or passed. So each mark is reported once; then the channel waits until it is passed.
class urgent_watch {
public:
    urgent_watch() noexcept : on_(false), pending_(false) {}

    void set(bool on) noexcept
    {
        if (on && !on_)
            pending_ = false;
        on_ = on;
    }
    bool is_on() const noexcept { return on_; }

    /// Whether to wait for the next mark.
    bool waits() const noexcept { return on_ && !pending_; }

    /// Called when a wait has ended; `state` is the result of poll(): a mark, an error or hang-up,
    /// or nothing. Returns whether there is something to report.
    bool event(int state) noexcept
    {
        assert(on_);
        if ((state & POLLPRI) != 0)
            pending_ = true;
        else if ((state & (POLLERR | POLLHUP)) != 0)
            on_ = false; // it would wake the loop again and again
        return pending_ || (state & POLLERR) != 0;
    }

    /// Whether a reported mark may be passed now: then call passed() with the result of poll().
    bool is_pending() const noexcept { return pending_; }
    void passed(int state) noexcept
    {
        if ((state & POLLPRI) == 0)
            pending_ = false;
    }

    /// Another socket has no mark yet.
    void start_anew() noexcept { pending_ = false; }

private:
    bool on_ : 1;
    bool pending_ : 1; // the present mark was reported
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
