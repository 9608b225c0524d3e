// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_URGENT_WATCH_HPP
#define ASYNCHAT_DETAIL_IO_URGENT_WATCH_HPP

#include <poll.h>

#include <cassert>

namespace asynchat::detail {

/// Whether a channel waits for urgent data. The system goes on reporting a mark until the urgent
/// byte was read or passed: so each one is told once, and then waited for to go.
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

    /// Whether the next mark is to be waited for.
    bool waits() const noexcept { return on_ && !pending_; }

    /// A wait has ended, and poll() says `state`: a mark, an error or hang-up, or nothing. Returns
    /// whether there is something to tell.
    bool event(int state) noexcept
    {
        assert(on_);
        if ((state & POLLPRI) != 0)
            pending_ = true;
        else if ((state & (POLLERR | POLLHUP)) != 0)
            on_ = false; // it would wake us for ever
        return pending_ || (state & POLLERR) != 0;
    }

    /// Whether a mark was told that may be behind us by now: then poll() is asked, for passed().
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
    bool pending_ : 1; // the present mark was told
};

} // namespace asynchat::detail

#endif
