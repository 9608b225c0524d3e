// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Asks Redis to repeat numbers, and prints each answer or error: redis_client HOST PORT

#include <asynchat/asynchat.hpp>
#include <fmt/core.h>

using namespace std::chrono_literals;

class redis : public asynchat::async_chat {
public:
    explicit redis(asynchat::loop& loop) : async_chat(loop) { set_terminator("\r\n"); }
    void ask(int number)
    {
        print("ECHO {}\r\n", number);
        const auto tell = [number](const std::string* answer, const std::error_code& error) {
            fmt::print("{}: {}\n", number, answer ? asynchat::escaped(*answer) : error.message());
            std::fflush(stdout);
        };
        requests_.ask(tell, 2s);
    }
    void handle_connect() override { silence_interval(5s); } // there are always questions
    void handle_silence(asynchat::loop::duration) override { finish("Redis does not answer"); }
    void found_terminator() override
    {
        std::string line = _get_data();
        if (!std::exchange(expects_bytes_, false) && line.substr(0, 1) == "$") { // and how many
            const auto size = asynchat::parse_number(line.substr(1), max_frame());
            expects_bytes_ = static_cast<bool>(size);
            return size ? set_terminator(asynchat::terminator::counted(*size, "\r\n"))
                        : finish("not a number of bytes");
        }
        set_terminator("\r\n");
        connection_is_good();
        if (!requests_.answer(std::move(line)))
            finish("an answer without a question");
    }
    void handle_end() override { requests_.fail_all(make_error_code(std::errc::not_connected)); }

private:
    asynchat::request_queue<std::string> requests_{*this};
    bool expects_bytes_ = false;
};

int main(int argc, char** argv)
{
    if (argc != 3)
        return fmt::print(stderr, "usage: redis_client HOST PORT\n"), 2;
    asynchat::loop loop;
    const auto link =
        loop.create<asynchat::reconnecting<redis>>(asynchat::target(argv[1], argv[2]));
    const auto timer = loop.call_every(100ms, [&link, last = 0]() mutable {
        if (const auto current = link->current()) // it may still be connecting
            current->ask(++last);
    });
    loop.stop_on_signals();
    loop.run();
}
