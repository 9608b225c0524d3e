// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_GATE_HPP
#define ASYNCHAT_DETAIL_GATE_HPP

#include <asynchat/config.hpp>

#include <cassert>
#include <cstdint>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Whether a channel may deliver input and accept output, and why not.
///
/// Two bytes, one for input and one for output. A reason that stops both is set in both bytes, so
/// that the test for a frame or for a push reads one byte only.
class gate {
public:
    enum reason : std::uint16_t {
        closed = 0x0101,
        closing = 0x0202,      // close_when_done() was called
        ended = 0x0404,        // handle_close() was called
        paused = 0x0008,       // pause_reading() was called
        full = 0x0010,         // over the high mark, and does not read because of it
        turn_over = 0x0020,    // end_turn() was called: the rest of the input is for a later turn
        steered = 0x0040,      // no stop: get_terminator() may be overridden and must be called, or
                               // there is a rate to obey
        renewed = 0x0080,      // a callback of the input has created another socket
        output_ended = 0x0800, // push_eof() was called
        lost = 0x1000,         // the connection is lost: deliver the received input, then end
        blocked = 0x2000,      // output is left; handle_write() makes the next attempt
        eof_sent = 0x4000,     // no stop: push_eof() was called, and has happened
    };
    static constexpr unsigned of_input =
        (closed | closing | ended | paused | full | turn_over) & 0xff;
    static constexpr unsigned of_output = (closed | closing | ended | output_ended | lost) & 0xff00;
    static constexpr unsigned of_both = closed | closing | ended;

    /// Whether the next piece of input can be delivered without another test.
    bool input_flows() const noexcept { return input_ == 0; }

    bool delivers_input() const noexcept { return !has(of_input); }
    bool accepts_output() const noexcept { return !has(of_output); }

    /// Whether the channel is closed, or about to be closed: only the log is still called.
    bool is_over() const noexcept { return has(closed | ended); }

    /// Whether one of `reasons` is set.
    bool has(unsigned reasons) const noexcept
    {
        if ((reasons & ~of_both & 0xffU) == 0)
            return (output_ & (reasons >> 8)) != 0;
        if ((reasons & ~of_both & 0xff00U) == 0)
            return (input_ & reasons & 0xffU) != 0;
        return ((input_ & reasons & 0xffU) | (output_ & (reasons >> 8))) != 0;
    }

    void set(reason why, bool on = true) noexcept
    {
        assert(on || (why != closed && why != ended)); // these two are permanent
        const auto change = [on](std::uint8_t& reasons, unsigned which) {
            reasons = static_cast<std::uint8_t>(on ? reasons | which : reasons & ~which);
        };
        change(input_, why & 0xffU);
        change(output_, static_cast<unsigned>(why) >> 8);
        assert((input_ & of_both & 0xffU) == (output_ & of_both >> 8)); // reasons that stop both
    }

private:
    std::uint8_t input_ = 0;
    std::uint8_t output_ = 0;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
