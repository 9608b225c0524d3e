// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_SMALL_CHANNEL_HPP
#define ASYNCHAT_TESTS_SUPPORT_SMALL_CHANNEL_HPP

#include <asynchat/testing.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// What the tests of waiting output share.
namespace support::output {

using texts = std::vector<std::string>;

inline std::string bytes(std::size_t size)
{
    return std::string(size, 'x');
}

/// Writes down what becomes of its output as well.
class lines : public asynchat::testing::recorder<> {
public:
    explicit lines(asynchat::loop& owner, asynchat::socket from = {})
        : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }

    std::function<void()> on_found;

    void found_terminator() override
    {
        recorder::found_terminator();
        if (on_found)
            on_found();
    }
    void handle_write_paused() override { note("paused"); }
    void handle_write_resumed() override { note("resumed"); }
};

/// A channel, accepted or not, that is over its marks with more than 10 bytes.
struct small_channel {
    explicit small_channel(bool accepted = true)
        : ends(accepted ? loop.accept<lines>() : connected()), chat(ends.first), peer(ends.second)
    {
        chat->write_buffer_limits(10, 5);
        peer.window(0);
        loop.settle();
        chat->events.clear();
    }

    /// Calls it in an event of the channel.
    template <class F>
    void event(F call)
    {
        loop.handle_of(*chat).post([call](lines& channel) { call(channel); });
        loop.settle();
    }

    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<lines>, asynchat::testing::peer> ends;
    std::shared_ptr<lines> chat;
    asynchat::testing::peer& peer;

private:
    std::pair<std::shared_ptr<lines>, asynchat::testing::peer> connected()
    {
        const asynchat::endpoint somewhere("127.0.0.1", 7);
        auto listener = loop.listen(somewhere);
        auto client = loop.create<lines>().lock();
        client->connect(somewhere);
        return {client, listener.accept()};
    }
};

} // namespace support::output

#endif
