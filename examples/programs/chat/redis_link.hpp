// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef CHAT_REDIS_LINK_HPP
#define CHAT_REDIS_LINK_HPP

#include "resp_channel.hpp"

#include <asynchat/asynchat.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace chat {

// The user of a redis_link.
class link_user {
public:
    virtual void link_is_up() = 0;
    virtual void link_is_down(std::string_view why) = 0;
    virtual void received(std::string_view channel, std::string_view text) = 0;

protected:
    ~link_user() = default;
};

// One connection to Redis, for the messages of this server and of the others. A
// reconnecting<redis_link> makes and connects it. Redis answers each message, so silence is an
// error.
class redis_link : public resp_channel {
public:
    redis_link(asynchat::loop& loop, std::string own_channel, link_user& user)
        : resp_channel(loop), own_channel_(std::move(own_channel)), user_(user)
    {
        connect_timeout(std::chrono::seconds(5));
        silence_interval(std::chrono::seconds(8));
    }

    void handle_connect() override
    {
        command({"HELLO", "3"}); // before RESP3 a subscribed connection could not publish
        command({"SUBSCRIBE", "chat", own_channel_});
    }

    void handle_reply(const reply& whole) override
    {
        if (whole.kind == '-')
            throw std::runtime_error("redis: " + asynchat::escaped(whole.text, 200));
        if (whole.kind != '>' || whole.items.size() != 3)
            return; // the answer to HELLO, or the number of receivers of a PUBLISH
        if (whole.items[0].text == "message")
            user_.received(whole.items[1].text, whole.items[2].text);
        else if (whole.items[0].text == "subscribe" && whole.items[2].text == "2")
            subscribed_to_both();
    }

    void handle_silence(asynchat::loop::duration) override { finish("no answer"); }

    void handle_close() override
    {
        close();
        user_.link_is_down(close_text());
    }

private:
    void subscribed_to_both()
    {
        connection_is_good();
        user_.link_is_up();
    }

    std::string own_channel_;
    link_user& user_;
};

} // namespace chat

#endif
