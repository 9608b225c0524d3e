// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using asynchat::endpoint;
using asynchat::testing::recorder;

namespace {

using lines = std::vector<std::string>;

class echo : public asynchat::async_chat {
public:
    echo(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\r\n");
    }
    void collect_incoming_data(std::string_view data) override { line_ += data; }
    void found_terminator() override { push(std::exchange(line_, {}) + "\r\n"); }

private:
    std::string line_;
};

} // namespace

TEST_CASE("the kit plays the other side of a channel", "[testing]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<echo>();
    peer.send("hel");
    peer.send("lo\r");
    CHECK(peer.received().empty());
    peer.send("\nworld\r\n");
    CHECK(peer.received() == "hello\r\nworld\r\n");
    peer.finish();
    CHECK(peer.ended());
    CHECK(chat->closed());
    CHECK(chat->close_reason() == asynchat::close_reason::peer_finished);
}

TEST_CASE("the kit records callbacks", "[testing]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<recorder<echo>>();
    peer.send("one\r\n\r\ntwo", 1);
    peer.finish();
    CHECK(peer.received() == "one\r\n\r\n");
    CHECK(chat->events ==
          lines{"collect one", "found", "found", "collect two", "eof", "close peer finished"});
}
