// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_WIRE_BENCH_HPP
#define ASYNCHAT_TESTS_SUPPORT_WIRE_BENCH_HPP

#include "support/chat_bench.hpp"
#include "support/cuts.hpp"
#include "support/scripted_transport.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// For tests of single operations: which bytes one call of send() offers and gets rid of, and which
// error a receive brings.
namespace support {

using events = std::vector<std::string>;
using frames = std::vector<std::string>;

/// Each piece of input has a line of its own: where it is cut is what these tests are about.
class wire_chat : public asynchat::testing::output_recorder<told_chat> {
public:
    using output_recorder::output_recorder;

    void collect_incoming_data(std::string_view data) override
    {
        note("collect " + asynchat::escaped(data));
        told_chat::collect_incoming_data(data);
    }
};

/// A recorded channel over a wire. Each call plays one thing and returns what was called then.
template <class Chat = wire_chat, class Loop = asynchat::loop>
class wire_bench {
public:
    wire_bench() : handle(loop.template create<Chat>(socket_over(wire))), chat(handle.lock()) {}
    explicit wire_bench(const asynchat::terminator& first) : wire_bench()
    {
        chat->set_terminator(first);
    }

    events recv(std::string_view bytes)
    {
        wire->feed(bytes);
        return tick();
    }
    /// In pieces of so many bytes, each with lines of its own.
    events recv(std::string_view bytes, std::size_t piece)
    {
        events all;
        in_pieces(bytes, of_size(piece), [&](std::string_view next) {
            for (std::string& line : recv(next))
                all.push_back(std::move(line));
        });
        return all;
    }
    events recv_error(int number)
    {
        wire->feed_error(number);
        return tick();
    }
    events eof()
    {
        wire->feed_eof();
        return tick();
    }
    /// The socket takes so many bytes more.
    events take(std::size_t bytes)
    {
        wire->take(bytes);
        return tick();
    }
    events take_everything()
    {
        wire->take_everything();
        return tick();
    }
    /// Calls f(channel) outside of any event, then lets the loop work.
    template <class F>
    events call(F f)
    {
        f(*chat);
        return tick();
    }
    /// Calls f(channel) as an event of the channel.
    template <class F>
    events event(F f)
    {
        handle.post(std::move(f));
        return tick();
    }
    /// Lets the loop work until nothing is left to do.
    events tick()
    {
        int idle = 0;
        for (int pass = 0; idle < 2; ++pass) {
            if (pass == 10000)
                throw std::logic_error("the loop spins");
            idle = loop.poll() ? 0 : idle + 1;
        }
        if (wire->is_open() == chat->closed())
            throw std::logic_error("the channel and its transport are not closed together");
        return std::exchange(chat->events, {});
    }

    bool open() const { return !chat->closed(); }
    asynchat::close_reason reason() const { return chat->close_reason(); }

    Loop loop;
    std::shared_ptr<support::wire> wire = std::make_shared<support::wire>();
    asynchat::handle<Chat> handle;
    std::shared_ptr<Chat> chat; ///< stays alive when it is closed
};

/// Hands out `pieces` one by one and then ends. Notes each call, and its end, on its channel.
class noted_producer : public asynchat::producer {
public:
    noted_producer(const std::shared_ptr<wire_chat>& channel, frames pieces)
        : channel_(channel), pieces_(std::move(pieces))
    {
    }
    ~noted_producer() override
    {
        note(inside_ ? "producer destroyed inside more()" : "producer destroyed");
    }
    noted_producer& during(std::size_t call, std::function<void()> f)
    {
        hook_call_ = call;
        hook_ = std::move(f);
        return *this;
    }

    std::string_view more() override
    {
        struct depth {
            bool& inside;
            explicit depth(bool& flag) : inside(flag) { inside = true; }
            ~depth() { inside = false; }
        } const in_more(inside_);
        const std::size_t call = calls_++;
        const std::string_view piece =
            next_ < pieces_.size() ? std::string_view(pieces_[next_]) : std::string_view();
        note("more " + (piece.empty() ? "nothing" : std::string(piece)));
        if (hook_ && call == hook_call_)
            hook_();
        ++next_;
        return piece;
    }

private:
    void note(std::string line)
    {
        if (const auto channel = channel_.lock())
            channel->note(std::move(line));
    }

    std::weak_ptr<wire_chat> channel_;
    frames pieces_;
    std::size_t next_ = 0;
    std::size_t calls_ = 0;
    std::size_t hook_call_ = 0;
    std::function<void()> hook_;
    bool inside_ = false;
};

inline std::unique_ptr<noted_producer> pieces(const std::shared_ptr<wire_chat>& channel,
                                              frames list)
{
    return std::make_unique<noted_producer>(channel, std::move(list));
}

} // namespace support

#endif
