// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_WEBSOCKET_CASES_HPP
#define ASYNCHAT_TESTS_WEBSOCKET_CASES_HPP

#include <cstddef>
#include <string>
#include <vector>

// What a client sends after the upgrade, and what becomes of it, by sections of RFC 6455.
namespace support {

inline constexpr std::size_t max_message_of_cases = 65536;

struct websocket_case {
    std::string section;
    std::string what;
    std::string input;

    /// One line each: "text Hello", "binary ...", "ping ...", "pong ...", "close 1000 bye",
    /// "fault 1002". Nothing is reported after the last two.
    std::vector<std::string> outcome;
};

using websocket_cases = std::vector<websocket_case>;

void add_framing_cases(websocket_cases& to);  // 5.1, 5.2
void add_length_cases(websocket_cases& to);   // 5.2, and limits of 10.4
void add_fragment_cases(websocket_cases& to); // 5.4
void add_control_cases(websocket_cases& to);  // 5.5
void add_close_cases(websocket_cases& to);    // 5.5.1, 7.4
void add_text_cases(websocket_cases& to);     // 5.6, 8.1

inline const websocket_cases& all_websocket_cases()
{
    static const websocket_cases all = [] {
        websocket_cases made;
        add_framing_cases(made);
        add_length_cases(made);
        add_fragment_cases(made);
        add_control_cases(made);
        add_close_cases(made);
        add_text_cases(made);
        return made;
    }();
    return all;
}

} // namespace support

#endif
