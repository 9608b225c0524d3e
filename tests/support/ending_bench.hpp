// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_ENDING_BENCH_HPP
#define ASYNCHAT_TESTS_SUPPORT_ENDING_BENCH_HPP

#include "support/loopback.hpp"
#include "support/table.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

// A channel that is about to end: what it has received before, and whether it reads.
namespace support {

enum class received { nothing, in_system, partial, frame, kept, ended };
inline const names before = {
    "nothing",
    "unread",  // "one\ntwo": sent, and not received when the end begins
    "partial", // "one\r", the beginning of a terminator, of which "\r" is held back
    "frame",   // "one", the beginning of a frame of a frame_chat
    "kept",    // "one\ntwo\n", of which the end is kept, since a callback threw
    "ended",   // the other side's stream, and the channel stays for its output
};

enum class paused { no, by_user, by_mark };
inline const names pauses = {"running", "paused", "full"};

// What is pushed so that output waits, and what of it is not sent.
inline constexpr std::string_view over_the_mark = "hello world";
inline constexpr std::string_view some_output = "out";

/// A channel that notes all that is called on it, and what its callbacks may do besides.
class ending_lines : public asynchat::testing::recorder<asynchat::async_chat> {
public:
    ending_lines(asynchat::loop& owner, asynchat::socket from) : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }
    bool survives = false;          // handle_error() does not close
    bool stays = false;             // nor does handle_eof()
    std::function<void()> on_frame; // once

    void found_terminator() override
    {
        recorder::found_terminator();
        if (const auto action = std::exchange(on_frame, nullptr))
            action();
    }
    void handle_frame_timeout() override { note("late"); }
    void handle_eof() override
    {
        note("eof");
        if (!stays)
            async_chat::handle_eof();
    }
    void handle_error() override
    {
        note("error");
        if (!survives)
            async_chat::handle_error();
    }
};

class ending_frames : public asynchat::testing::recorder<asynchat::frame_chat> {
public:
    ending_frames(asynchat::loop& owner, asynchat::socket from) : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void handle_frame_timeout() override { note("late"); }
    void handle_error() override
    {
        note("error");
        frame_chat::handle_error();
    }
};

/// A channel and the other side of it, in memory or over real sockets, in one situation.
class ending_bench {
public:
    ending_bench(received what, paused how) : what_(what), how_(how) {}
    virtual ~ending_bench() = default;
    ending_bench(const ending_bench&) = delete;
    ending_bench& operator=(const ending_bench&) = delete;

    // What the other side does.
    virtual void send(std::string_view bytes) = 0;
    virtual void finish() = 0;

    virtual void settle() = 0;

    /// What comes only when the end begins.
    void arrive()
    {
        if (what_ == received::in_system)
            send("one\ntwo");
    }

    /// Has `body` called as an event of the channel.
    void event(const std::function<void()>& body)
    {
        lines_ ? owner().handle_of(*lines_).post([body](auto&) { body(); })
               : owner().handle_of(*frames_).post([body](auto&) { body(); });
    }

    asynchat::async_chat& chat() const
    {
        return lines_ ? static_cast<asynchat::async_chat&>(*lines_) : *frames_;
    }
    void note(std::string line) const
    {
        lines_ ? lines_->note(std::move(line)) : frames_->note(std::move(line));
    }

    /// Marks callbacks that came inside of the call before, where there should be none.
    void note_calls() const
    {
        if (!calls().empty())
            note("(inside the call)");
    }

    /// Tries to send, something new unless other output waits: which calls nobody.
    void push_and_send()
    {
        if (how_ != paused::by_mark)
            chat().push(some_output);
        chat().initiate_send();
        note_calls();
    }

    /// Ends the pause of a channel that is still there.
    void go_on()
    {
        note("waits");
        if (how_ == paused::by_user)
            chat().resume_reading();
        else
            drain();
        settle();
    }

    /// What happened, in one line.
    std::string happened() const
    {
        std::string all = joined(calls());
        const std::string reason(to_string(chat().close_reason()));
        if (all.find("close " + reason) == all.npos)
            all += (all.empty() ? "" : ", ") + reason;
        return all + "; " + std::to_string(chat().pending_output()) + " lost";
    }

protected:
    virtual asynchat::loop& owner() = 0;

    /// Takes the output that waits.
    virtual void drain() {}

    /// From now on it is told what happens.
    void begin()
    {
        note("begin"); // so that pieces before and after it are two lines
        begin_ = (lines_ ? lines_->events : frames_->events).size();
    }

    /// What was called since the beginning.
    names calls() const
    {
        const names& all = lines_ ? lines_->events : frames_->events;
        return {all.begin() + static_cast<std::ptrdiff_t>(begin_), all.end()};
    }

    /// Has the channel receive what comes before the end.
    void receive()
    {
        switch (what_) {
        case received::nothing:
        case received::in_system: return;
        case received::partial:
            chat().set_terminator("\r\n");
            send("one\r");
            break;
        case received::frame: send("one"); break;
        case received::kept:
            lines_->survives = true;
            lines_->on_frame = [] { throw std::runtime_error("no"); };
            send("one\ntwo\n");
            break;
        case received::ended:
            lines_->stays = true;
            finish();
            break;
        }
        settle();
        if (lines_)
            lines_->survives = false;
    }

    const received what_;
    const paused how_;
    std::shared_ptr<ending_lines> lines_; // one of them
    std::shared_ptr<ending_frames> frames_;

private:
    std::size_t begin_ = 0; // of the events that count
};

class memory_bench final : public ending_bench {
public:
    memory_bench(received what, paused how, asynchat::loop::duration frame_timeout)
        : ending_bench(what, how)
    {
        if (what == received::frame)
            std::tie(frames_, peer) = loop.accept<ending_frames>();
        else
            std::tie(lines_, peer) = loop.accept<ending_lines>();
        chat().frame_timeout(frame_timeout);
        receive();
        if (how == paused::by_user)
            chat().pause_reading();
        if (how == paused::by_mark) {
            chat().write_buffer_limits(over_the_mark.size() - 1, 1);
            block(over_the_mark);
            if (!chat().write_paused())
                throw std::logic_error("the channel is not full");
        }
        begin();
    }

    void send(std::string_view bytes) override { peer->send(bytes); }
    void finish() override { peer->finish(); }
    void settle() override { loop.settle(); }

    /// Has output wait, if none does.
    void block(std::string_view output = some_output)
    {
        if (chat().pending_output() > 0)
            return;
        peer->window(0);
        chat().push(output);
        settle();
    }

    asynchat::testing::loop loop;
    std::optional<asynchat::testing::peer> peer;

private:
    asynchat::loop& owner() override { return loop; }
    void drain() override
    {
        peer->window(65536);
        peer->received();
    }
};

class system_bench final : public ending_bench {
public:
    system_bench(received what, paused how, int family) : ending_bench(what, how)
    {
        auto ends = connected_pair(family);
        peer = std::move(ends.second);
        if (what == received::frame)
            frames_ = loop.create<ending_frames>(std::move(ends.first)).lock();
        else
            lines_ = loop.create<ending_lines>(std::move(ends.first)).lock();
        receive();
        if (how == paused::by_user)
            chat().pause_reading();
        begin();
    }

    void send(std::string_view bytes) override { peer.send(bytes); }
    void finish() override { peer.shut_down_output(); }
    void settle() override
    {
        if (!support::settle(loop))
            throw std::logic_error("the loop spins");
    }

    asynchat::loop loop;
    raw_peer peer;

private:
    asynchat::loop& owner() override { return loop; }
};

} // namespace support

#endif
