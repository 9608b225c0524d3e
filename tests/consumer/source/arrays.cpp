// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Pushes views of arrays and literals, of sizes that a compiler sees and of others, as users do who
// have warnings on and optimise. It is compiled, and no program.
#include <asynchat/asynchat.hpp>

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

/// How many bytes it writes, at most `most`, is not seen from here.
std::size_t fill(char* to, std::size_t most);

class counter : public asynchat::async_chat {
public:
    counter(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override { size_ += data.size(); }
    void found_terminator() override
    {
        char text[32];
        const int size = std::snprintf(text, sizeof text, "%zu\n", size_);
        push(std::string_view(text, static_cast<std::size_t>(size)));

        char digits[20];
        const auto end = std::to_chars(digits, digits + sizeof digits, size_).ptr;
        push(std::string_view(digits, static_cast<std::size_t>(end - digits)));

        push("");
        push("short");
        push("of 16 characters");
        push("one that is longer than 32 characters");
        push(std::to_string(size_));
        push_first<1>();
        push_first<4>();
        push_first<8>();
        push_first<16>();
        push_first<64>();
    }

private:
    template <std::size_t Size>
    void push_first()
    {
        char text[Size];
        push(std::string_view(text, fill(text, Size)));
        push(std::string_view(text, Size));
    }

    std::size_t size_ = 0;
};

void count(asynchat::loop& loop, asynchat::socket peer)
{
    loop.create<counter>(std::move(peer));
}
