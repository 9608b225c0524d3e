// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_WEBSOCKET_MACHINE_READER_HPP
#define ASYNCHAT_TESTS_WEBSOCKET_MACHINE_READER_HPP

#include "cases.hpp"

#include <asynchat/detail/websocket/websocket_machine.hpp>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace support {

/// Gives pieces to a machine, and writes down what comes out, in the words of the cases.
class machine_reader {
public:
    using event = asynchat::detail::websocket_machine::event;

    explicit machine_reader(std::size_t max_message = max_message_of_cases) : max_(max_message) {}

    void receive(std::string_view piece)
    {
        while (!piece.empty() && !over_) {
            if (machine_.wanted() == 0)
                throw std::logic_error("nothing is wanted");
            const auto step = machine_.next(piece, max_);
            if (step.size == 0 || step.size > piece.size())
                throw std::logic_error("a step of a wrong size");
            piece.remove_prefix(step.size);
            tell(step.what);
        }
    }

    std::vector<std::string> told;

    const asynchat::detail::websocket_machine& machine() const { return machine_; }

private:
    void tell(event what)
    {
        switch (what) {
        case event::none: return;
        case event::message:
            told.push_back(machine_.is_text() ? "text " : "binary ");
            told.back() += machine_.take_message();
            return;
        case event::ping: told.push_back("ping " + machine_.take_control()); return;
        case event::pong: told.push_back("pong " + machine_.take_control()); return;
        case event::close: told.push_back(closed(machine_.take_control())); break;
        case event::fault:
            told.push_back("fault " + std::to_string(close_code_of(machine_.fault())));
            if (text_of(machine_.fault()).empty())
                throw std::logic_error("a fault without a text");
        }
        over_ = true;
    }

    static std::string closed(const std::string& body)
    {
        if (body.empty())
            return "close 1005 ";
        const auto high = static_cast<unsigned char>(body[0]);
        const auto low = static_cast<unsigned char>(body[1]);
        return "close " + std::to_string(high * 256 + low) + " " + body.substr(2);
    }

    asynchat::detail::websocket_machine machine_;
    std::size_t max_;
    bool over_ = false;
};

inline std::vector<std::string> read_in_pieces_of(std::string_view input, std::size_t size,
                                                  std::size_t max_message = max_message_of_cases)
{
    machine_reader one(max_message);
    for (; !input.empty(); input.remove_prefix(std::min(size, input.size())))
        one.receive(input.substr(0, size));
    return one.told;
}

} // namespace support

#endif
