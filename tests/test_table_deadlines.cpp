// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
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

// What each deadline of a channel does when the state of the channel changes meanwhile.
//
// Each may take 10 seconds and begins at 0. The change comes after 4 seconds and, if it is a state,
// is over after 7. The time at which the channel ends tells what has become of the deadline.

using namespace std::chrono_literals;
using asynchat::close_reason;
using support::table;
using time_point = asynchat::loop::time_point;

namespace {

enum class deadline { connect, frame, idle, write, closing, linger };
const support::names deadlines = {
    "connect_timeout", "frame_timeout",         "idle_timeout",
    "write_timeout",   "close_when_done(time)", "linger_timeout",
};

enum class change {
    pause,
    mark,
    same_kind,
    other_kind,
    no_terminator,
    in_place,
    peer_finishes,
    push_eof,
    nested,
    nested_elsewhere,
    nested_in_producer,
    new_socket,
    byte_in,
    byte_out,
    push,
};
const support::names changes = {
    "pause",             // pause_reading(), then resume_reading()
    "high mark",         // the output is over it, and later at the low one
    "another string",    // the terminator is changed, from a string to another one,
    "a count",           // to one of another kind,
    "no terminator",     // to none
    "in place",          // bytes come that are received straight into a large frame
    "peer finishes",     // the other side ends its stream; the channel stays for its output
    "push_eof",          // we end ours
    "nested run",        // a callback of the input runs the loop, for 3 seconds
    "run elsewhere",     // another callback does
    "run by a producer", // a producer does, for 12 seconds
    "new socket",        // create_socket(), connect()
    "byte in",
    "byte out", // is taken by the other side
    "push",     // of output that has to wait
};

// The ends that tell the words from each other.
std::string word_for(asynchat::loop::duration end)
{
    const std::pair<asynchat::loop::duration, const char*> words[] = {
        {4s, "is over"},
        {10s, "runs"},
        {13s, "stands still"},
        {14s, "starts anew"},
        {17s, "starts anew with the next byte"},
        {26s, "starts anew behind it"},
    };
    for (const auto& [when, word] : words)
        if (end >= when && end <= when + 100ms)
            return word;
    return "ends the channel after " + std::to_string(end / 1ms) + " ms";
}

constexpr std::string_view what_happens = R"(
connect_timeout
    pause, high mark, run elsewhere, push      : runs
    another string, a count, no terminator     : runs
    push_eof                                   : runs
    new socket                                 : starts anew
    in place, peer finishes, byte in, byte out : cannot be: nothing passes before the connection
    nested run                                 : cannot be: nothing passes before the connection
    run by a producer                          : cannot be: none is asked before the connection

frame_timeout
    pause, high mark, nested run               : stands still
    run elsewhere, run by a producer           : runs
    another string                             : runs
    a count                                    : starts anew with the next byte
    no terminator                              : ends
    in place, byte in, byte out, push          : runs
    peer finishes                              : ends
    push_eof                                   : runs
    new socket                                 : starts anew with the next byte

idle_timeout
    pause, high mark, push                     : runs
    run elsewhere, run by a producer           : runs
    another string, a count, no terminator     : runs
    peer finishes, push_eof                    : runs
    in place, byte in, nested run, byte out    : starts anew
    new socket                                 : starts anew

write_timeout
    pause, high mark, push                     : runs
    nested run, run elsewhere                  : runs
    another string, a count, no terminator     : runs
    in place, byte in                          : runs
    peer finishes, push_eof                    : runs
    byte out                                   : starts anew
    run by a producer                          : starts anew behind it
    new socket                                 : starts anew with the next byte

close_when_done(time)
    pause, high mark, push                     : runs
    run elsewhere, run by a producer           : runs
    another string, a count, no terminator     : runs
    peer finishes, push_eof                    : runs
    byte in, byte out                          : runs
    in place, nested run                       : cannot be: what comes is dropped
    new socket                                 : ends

linger_timeout
    pause, high mark, run elsewhere, push      : runs
    another string, a count, no terminator     : runs
    in place, byte in                          : runs
    push_eof, new socket                       : runs
    peer finishes                              : is over
    nested run                                 : cannot be: what comes is dropped
    byte out, run by a producer                : cannot be: all output was sent
)";

/// Lets time pass as a callback of a channel does that runs the loop.
void run_for(asynchat::loop& loop, asynchat::loop::duration time)
{
    struct over {};
    auto end = loop.call_later(time, [] { throw over(); });
    try {
        loop.run();
    } catch (const over&) {
    }
    end.cancel();
}

/// Stays when the other side has ended its stream, and notes when it ends itself.
template <class Base>
class subject : public Base {
public:
    subject(asynchat::loop& owner, asynchat::socket from) : Base(owner, std::move(from))
    {
        this->frame_timeout(0s);
        this->write_timeout(0s);
    }
    void handle_connect() override {}
    void handle_eof() override {}
    void handle_error() override { this->finish(this->close_reason()); }
    void handle_close() override
    {
        ended = this->owner().now();
        this->close();
    }
    void collect_incoming_data(std::string_view) override
    {
        if (const auto action = std::exchange(on_input, nullptr))
            action();
    }
    void handle_log(asynchat::log_type, std::string_view) override {}

    std::optional<time_point> ended;
    std::function<void()> on_input; // once
};

class lines final : public subject<asynchat::async_chat> {
public:
    using subject::subject;
    void found_terminator() override {}
};

class frames final : public subject<asynchat::frame_chat> {
public:
    using subject::subject;
    void found_frame(std::string_view) override {}
};

class bench {
public:
    bench(deadline which, change what)
        : what_(what), which_(which), listener_(loop.listen(elsewhere)), begin_(loop.now())
    {
        loop.ignore(nowhere);
        if (which == deadline::connect)
            lines_ = loop.create<lines>(asynchat::socket()).lock();
        else if (what == change::in_place)
            std::tie(frames_, peer_) = loop.accept<frames>();
        else
            std::tie(lines_, peer_) = loop.accept<lines>();
        if (frames_) {
            chat().max_frame(1000000);
            chat().set_terminator(1000000);
        } else {
            chat().set_terminator("\n");
        }
        start();
        loop.settle();
    }

    std::string play()
    {
        loop.advance(4s);
        switch (what_) {
        case change::pause:
            chat().pause_reading();
            loop.advance(3s);
            chat().resume_reading();
            break;
        case change::mark: pass_the_marks(); break;
        case change::same_kind: chat().set_terminator("\r\n"); break;
        case change::other_kind:
            chat().set_terminator(100);
            send_later();
            break;
        case change::no_terminator:
            chat().set_terminator(std::nullopt);
            send_later();
            break;
        case change::in_place: peer_->send(std::string(1000, 'b')); break;
        case change::peer_finishes: peer_->finish(); break;
        case change::push_eof: chat().push_eof(); break;
        case change::nested: run_in_input(); break;
        case change::nested_elsewhere: run_elsewhere(); break;
        case change::nested_in_producer: have_asked(); break;
        case change::new_socket: connect_anew(); break;
        case change::byte_in: peer_->send("b"); break;
        case change::byte_out: peer_->window(1); break;
        case change::push: chat().push("more"); break;
        }
        return which_ == deadline::linger ? end_of_lingering() : end();
    }

private:
    asynchat::async_chat& chat() const
    {
        return lines_ ? static_cast<asynchat::async_chat&>(*lines_) : *frames_;
    }

    /// Output that waits: without it there is no mark to pass, and nothing that the other side
    /// could take.
    void block()
    {
        if (peer_)
            peer_->window(0);
        if (what_ == change::nested_in_producer)
            chat().push_with_producer([this] { return next_piece(); });
        else
            chat().push("0123456789");
        loop.settle();
    }

    /// Begins what takes time.
    void start()
    {
        const bool has_output =
            what_ == change::mark || what_ == change::byte_out || what_ == change::push;
        if (which_ == deadline::write || which_ == deadline::closing ||
            (has_output && which_ != deadline::linger))
            block();
        switch (which_) {
        case deadline::connect:
            chat().connect_timeout(10s);
            chat().connect(nowhere);
            break;
        case deadline::frame:
            chat().frame_timeout(10s);
            peer_->send("a");
            break;
        case deadline::idle: chat().idle_timeout(10s); break;
        case deadline::write:
            chat().write_timeout(10s);
            if (frames_)
                peer_->send("a");
            break;
        case deadline::closing: chat().close_when_done(10s); break;
        case deadline::linger:
            chat().linger_timeout(10s);
            chat().close_when_done();
            break;
        }
    }

    void pass_the_marks()
    {
        chat().write_buffer_limits(2, 1);
        loop.settle();
        if (which_ != deadline::linger && !chat().write_paused())
            throw std::logic_error("the channel is not over its high mark");
        loop.advance(3s);
        chat().write_buffer_limits(100, 50);
        loop.settle();
        if (chat().write_paused())
            throw std::logic_error("the channel is over its low mark");
    }

    /// The next byte of a frame, after 7 seconds.
    void send_later()
    {
        loop.advance(3s);
        if (which_ == deadline::frame)
            peer_->send("b");
    }

    void run_in_input()
    {
        lines_->on_input = [this] { run_for(loop, 3s); };
        peer_->send("b");
    }

    void run_elsewhere()
    {
        if (which_ == deadline::linger)
            loop.post([this] { run_for(loop, 3s); });
        else
            loop.handle_of(*lines_).post([this](auto&) { run_for(loop, 3s); });
    }

    /// Has the producer asked that runs the loop.
    void have_asked()
    {
        if (chat().pending_output() > 0)
            return peer_->window(10); // for the piece before
        ++pieces_;
        chat().push_with_producer([this] { return next_piece(); });
    }

    std::string next_piece()
    {
        if (++pieces_ == 2)
            run_for(loop, 12s);
        return which_ == deadline::write || pieces_ == 1 ? "0123456789" : "";
    }

    void connect_anew()
    {
        if (which_ == deadline::linger) {
            CHECK_THROWS_AS(chat().create_socket(), std::logic_error);
            return;
        }
        loop.window(0);
        chat().create_socket();
        chat().connect(which_ == deadline::connect ? nowhere : elsewhere);
        if (which_ == deadline::connect)
            return;
        peer_ = listener_.accept();
        send_later();
        if (which_ == deadline::write)
            chat().push("0123456789");
    }

    std::string end()
    {
        loop.advance(60s);
        const std::optional<time_point> ended = lines_ ? lines_->ended : frames_->ended;
        if (!ended)
            return chat().closed() ? "closed" : "ends";
        constexpr close_reason reasons[] = {
            close_reason::connect_timeout, close_reason::frame_timeout, close_reason::idle_timeout,
            close_reason::write_timeout,   close_reason::close_timeout, close_reason::local,
        };
        if (chat().close_reason() != reasons[static_cast<std::size_t>(which_)])
            return "another reason: " + std::string(to_string(chat().close_reason()));
        return word_for(*ended - begin_);
    }

    /// What lingers is none of the channels, but run() waits for it.
    std::string end_of_lingering()
    {
        if (!chat().closed())
            return "not closed";
        loop.run();
        return word_for(loop.now() - begin_);
    }

    static inline const asynchat::endpoint nowhere{"127.0.0.1", 9};
    static inline const asynchat::endpoint elsewhere{"127.0.0.1", 7};

    const change what_;
    const deadline which_;
    asynchat::testing::loop loop;
    asynchat::testing::listener listener_;
    const time_point begin_;
    std::optional<asynchat::testing::peer> peer_;
    std::shared_ptr<lines> lines_; // one of them
    std::shared_ptr<frames> frames_;
    int pieces_ = 0; // that the producer was asked for
};

} // namespace

TEST_CASE("the table of deadlines: what runs, stands still, starts anew",
          "[table][timers][no-records]")
{
    const table expected({deadlines, changes}, what_happens);
    expected.walk([](const table::cell& cell) {
        return bench(static_cast<deadline>(cell[0]), static_cast<change>(cell[1])).play();
    });
}
