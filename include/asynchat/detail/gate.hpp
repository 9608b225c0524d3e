// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_GATE_HPP
#define ASYNCHAT_DETAIL_GATE_HPP

#include <cassert>
#include <cstdint>

namespace asynchat::detail {

/// Whether a channel may deliver input and accept output, and why not.
///
/// Two bytes, one for input and one for output, as each frame and each push asks for one of them:
/// what stops both is set in both, and a question is for one byte where it can be.
class gate {
public:
    enum reason : std::uint16_t {
        closed = 0x0101,
        closing = 0x0202,      // close_when_done() was called
        ended = 0x0404,        // handle_close() was called
        paused = 0x0008,       // pause_reading() was called
        full = 0x0010,         // over the high mark, and stops reading for that
        turn_over = 0x0020,    // end_turn() was called: the rest of the input is for a later turn
        steered = 0x0040,      // none, but get_terminator() is to be asked: it may be overridden
        renewed = 0x0080,      // a callback of the input has made another socket
        output_ended = 0x0800, // push_eof() was called
        lost = 0x1000,         // the connection: what was received is delivered, then the end
        blocked = 0x2000,      // output is left, and the next attempt is handle_write()
    };
    static constexpr unsigned of_input =
        (closed | closing | ended | paused | full | turn_over) & 0xff;
    static constexpr unsigned of_output = (closed | closing | ended | output_ended | lost) & 0xff00;
    static constexpr unsigned of_both = closed | closing | ended;

    /// Whether there is nothing to ask or to think of before the next piece of input.
    bool input_flows() const noexcept { return input_ == 0; }

    bool delivers_input() const noexcept { return !has(of_input); }
    bool accepts_output() const noexcept { return !has(of_output); }

    /// Whether the channel is closed, or about to be: nothing but the log is called any more.
    bool is_over() const noexcept { return has(closed | ended); }

    /// Whether there is one of these reasons.
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
        assert(on || (why != closed && why != ended)); // those are for good
        const auto change = [on](std::uint8_t& reasons, unsigned which) {
            reasons = static_cast<std::uint8_t>(on ? reasons | which : reasons & ~which);
        };
        change(input_, why & 0xffU);
        change(output_, static_cast<unsigned>(why) >> 8);
        assert((input_ & of_both & 0xffU) == (output_ & of_both >> 8)); // what stops both
    }

private:
    std::uint8_t input_ = 0;
    std::uint8_t output_ = 0;
};

} // namespace asynchat::detail

#endif
