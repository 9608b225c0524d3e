// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef LINE_HPP
#define LINE_HPP

#include <asynchat/asynchat.hpp>

#include <string>
#include <string_view>

/// Keeps what comes before the first end of a line, and closes.
class line : public asynchat::async_chat {
public:
    line(asynchat::loop& owner, asynchat::socket from, std::string& received);

    void collect_incoming_data(std::string_view data) override;
    void found_terminator() override;

private:
    std::string& received_;
};

#endif
