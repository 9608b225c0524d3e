// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// What passes the border of a compiled library, whose compiler and standard may be others: a class
// that derives from one of it, an exception that passes it, a text for fmt.
#include <asynchat/async_chat.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace {

class line : public asynchat::async_chat {
public:
    line(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\r\n");
    }
    void collect_incoming_data(std::string_view data) override { text += data; }
    void found_terminator() override { throw asynchat::exit_now(); }

    std::string text;
};

} // namespace

int main()
{
    asynchat::loop loop;
    auto [near, far] = asynchat::socket::pair();
    loop.create<line>(std::move(near))->print("{} {}\r\n", 200, "OK");
    const auto reader = loop.create<line>(std::move(far));
    asynchat::dispatcher* const base = reader.get();
    try {
        loop.run();
    } catch (const asynchat::exit_now&) {
        const auto* const found = dynamic_cast<line*>(base);
        return found && found->text == "200 OK" ? 0 : 1;
    }
    return 2;
}
