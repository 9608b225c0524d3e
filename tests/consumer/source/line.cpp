// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "line.hpp"

#include <utility>

line::line(asynchat::loop& owner, asynchat::socket from, std::string& received)
    : async_chat(owner, std::move(from)), received_(received)
{
    set_terminator("\r\n");
}

void line::collect_incoming_data(std::string_view data)
{
    received_ += data;
}

void line::found_terminator()
{
    close();
}
