// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// This library, with a string of the handler's own for the pieces, as in Python programs.

#include "server.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace {

class line_echo : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void handle_open() override { set_terminator("\n"); }
    void collect_incoming_data(std::string_view data) override { line_ += data; }
    void found_terminator() override
    {
        line_ += '\n';
        push(line_);
        line_.clear();
    }

private:
    std::string line_;
};

class counted_echo : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void handle_open() override { set_terminator("\n"); }
    void collect_incoming_data(std::string_view data) override { data_ += data; }
    void found_terminator() override
    {
        if (get_terminator().is_bytes()) {
            set_terminator(bench::count_of(data_));
            data_.clear();
        } else {
            push(std::exchange(data_, {}));
            set_terminator("\n");
        }
    }

private:
    std::string data_;
};

} // namespace

int main(int argc, char** argv)
{
    return bench::serve<line_echo, counted_echo>(argc, argv);
}
