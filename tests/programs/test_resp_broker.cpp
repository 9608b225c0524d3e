// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include "resp_server/broker.hpp"

#include <asynchat/asynchat.hpp>

#include <cstddef>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace {

class listener final : public resp::subscriber {
public:
    void hear(std::string_view, const resp::text&) override
    {
        if (fails)
            throw std::runtime_error("no room");
    }

    bool fails = false;
};

} // namespace

TEST_CASE("broker: the publisher goes on also if a loop could not tell a message")
{
    asynchat::loop first;
    asynchat::loop second;
    resp::broker messages;
    messages.add(first);
    messages.add(second);
    listener here;
    listener there;
    messages.part_of(first).subscribed.add("news", here);
    messages.part_of(second).subscribed.add("news", there);
    std::vector<std::size_t> told;
    const auto publish = [&] {
        messages.publish("news", resp::make_text("hello"),
                         [&](std::size_t heard) { told.push_back(heard); });
    };
    publish();
    first.poll();
    CHECK(told.empty()); // one loop is missing
    second.poll();
    CHECK(told == std::vector<std::size_t>{2});
    SECTION("the first of them")
    {
        here.fails = true;
        publish();
        CHECK_THROWS_AS(first.poll(), std::runtime_error);
        second.poll();
    }
    SECTION("the last of them")
    {
        there.fails = true;
        publish();
        first.poll();
        CHECK_THROWS_AS(second.poll(), std::runtime_error);
    }
    CHECK(told == std::vector<std::size_t>{2, 1});
}
