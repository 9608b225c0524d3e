// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The heap that an idle connection takes, which has been answered once: without members of the
// user's own, and with a string.
#include "guards/guard.hpp"
#include "support/memory.hpp"

#include <asio/version.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace {

// With these the loop's list of channels does not grow while one counts.
constexpr std::size_t first = 140;
constexpr std::size_t more = 110;

class echo : public asynchat::async_chat {
public:
    echo(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void found_terminator() override { push(_get_data() + "\n"); }
};

class echo_with_string : public echo {
public:
    using echo::echo;

private:
    std::string member_;
};

template <class Chat>
double bytes_of_a_connection()
{
    asio::io_context context;
    asynchat::loop loop(context);
    std::vector<support::descriptor> peers;
    peers.reserve(first + more);
    const auto connect = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            auto ends = asynchat::socket::pair();
            loop.create<Chat>(std::move(ends.first));
            peers.emplace_back(ends.second.release());
            support::check_call(::send(peers.back().get(), "a line\n", 7, MSG_NOSIGNAL) == 7,
                                "send");
            while (context.poll() > 0) {
            }
        }
    };
    connect(first);
    const std::size_t before = support::memory_in_use();
    connect(more);
    return static_cast<double>(support::memory_in_use() - before) / more;
}

} // namespace

int main()
try {
    // 176 of these are Asio's record of the descriptor, and 88 its wait. Others were not measured.
    constexpr double allowance = ASIO_VERSION / 100 == 1022 && sizeof(void*) == 8 ? 0 : 200;
    guards::report report;
    report.at_most("bytes of an idle connection", bytes_of_a_connection<echo>(), 592 + allowance);
    report.at_most("the same with a string", bytes_of_a_connection<echo_with_string>(),
                   624 + allowance);
    return report.exit_code();
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
