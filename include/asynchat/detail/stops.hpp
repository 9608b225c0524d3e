// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_STOPS_HPP
#define ASYNCHAT_DETAIL_STOPS_HPP

#include <cstdint>

namespace asynchat::detail {

/// Why a channel delivers no input, accepts no output, or has to look at its input anew: bits of
/// one number, because all of it is asked for each frame and each push.
class stops {
public:
    enum cause : std::uint16_t {
        closed = 1,
        closing = 2, // close_when_done() was called
        paused = 4,
        full = 8,          // over the high mark, and stops reading for that
        output_ended = 16, // push_eof() was called
        changed = 32,      // the terminator, or what input there is, since it was set to false
        blocked = 64,      // output is left, and the next attempt is handle_write()
        turn_over = 128,   // end_turn() was called: the rest of the input is for a later turn
        lost = 256,        // the connection is lost: what was received is delivered, then the end
        ended = 512,       // handle_close() was called
        renewed = 1024,    // a callback of the input has made another socket
    };
    static constexpr unsigned of_input = closed | closing | paused | full | turn_over | ended;
    static constexpr unsigned of_output = closed | closing | output_ended | lost | ended;

    bool any_of(unsigned causes) const noexcept { return (set_ & causes) != 0; }
    void set(cause why, bool on = true) noexcept
    {
        set_ = static_cast<std::uint16_t>(on ? set_ | why : set_ & ~why);
    }

private:
    std::uint16_t set_ = 0;
};

} // namespace asynchat::detail

#endif
