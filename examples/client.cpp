// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Sends a line to a server, and prints the line that the server answers.
//
//     client HOST PORT LINE

#include <asynchat/asynchat.hpp>

#include <fmt/core.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

class client : public asynchat::async_chat {
public:
    client(asynchat::loop& loop, std::string_view host, std::string_view port, std::string line)
        : async_chat(loop), line_(std::move(line))
    {
        set_terminator({"\r\n", "\n"});
        idle_timeout(std::chrono::seconds(10));  // until the answer begins,
        frame_timeout(std::chrono::seconds(10)); // and until it is complete
        connect(host, port);
    }

    void handle_connect() override { print("{}\n", line_); }

    void found_terminator() override
    {
        fmt::print("{}\n", asynchat::escaped(_get_data()));
        close();
    }

private:
    std::string line_;
};

int main(int argc, char** argv)
{
    if (argc != 4) {
        fmt::print(stderr, "usage: client HOST PORT LINE\n");
        return 2;
    }
    asynchat::loop loop;
    const auto only = loop.create<client>(argv[1], argv[2], argv[3]).lock();
    loop.run();
    if (only->close_reason() == asynchat::close_reason::local) // found_terminator() closed it
        return 0;
    fmt::print(stderr, "client: no answer: {}\n", only->close_text());
    return 1;
}
