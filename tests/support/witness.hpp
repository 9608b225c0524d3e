// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_WITNESS_HPP
#define ASYNCHAT_TESTS_SUPPORT_WITNESS_HPP

#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

using texts = std::vector<std::string>;

/// Writes down what is called into a list that outlives it.
class witness : public asynchat::async_chat {
public:
    using async_chat::async_chat;

    std::shared_ptr<texts> seen = std::make_shared<texts>();
    std::function<void(witness&)> on_open, on_found, on_close, on_idle;
    bool survives = false; // an exception with that word

    void handle_open() override
    {
        note("open");
        set_terminator("\n");
        if (on_open)
            on_open(*this);
    }
    void handle_connect() override { note("connect"); }
    void collect_incoming_data(std::string_view data) override
    {
        note("collect " + std::string(data));
    }
    void found_terminator() override
    {
        note("found");
        if (on_found)
            on_found(*this);
    }
    void handle_close() override
    {
        note("close");
        if (on_close)
            on_close(*this);
        async_chat::handle_close();
    }
    void handle_end() override
    {
        CHECK(closed());
        note("end " + close_text());
    }
    void handle_idle_timeout() override
    {
        note("idle");
        if (on_idle)
            on_idle(*this);
    }
    void handle_error() override
    {
        note("error " + exception_text());
        if (!survives || exception_text().find("survived") == std::string::npos)
            async_chat::handle_error();
    }
    void handle_log(asynchat::log_type, std::string_view) override {}

    void note(const std::string& what) { seen->push_back(what); }
    using async_chat::finish;
};

/// A witness that has accepted a connection, and whoever has made it.
struct accepted {
    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<witness>, asynchat::testing::peer> ends = loop.accept<witness>();
    std::shared_ptr<witness> chat = ends.first;
    asynchat::testing::peer& peer = ends.second;
    std::shared_ptr<texts> seen = chat->seen;

    accepted()
    {
        loop.settle();
        REQUIRE(*seen == texts{"open"});
        seen->clear();
    }

    /// Lets go of the channel, whose end is heard when nobody is in it.
    void settle()
    {
        ends.first.reset();
        chat.reset();
        loop.settle();
    }
};

} // namespace support

#endif
