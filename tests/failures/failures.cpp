// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Fourteen scenarios in which something fails: the n-th operation of the network, with one error
// after the other, or the n-th allocation, by itself or with some after it; n is raised until the
// scenario succeeds. A failure may cost the channel that it happens to, and no other one; what was
// pushed was received, in order, or is accounted for as unsent. A channel may also survive a failed
// allocation, and must then have lost nothing.
//
//     failures operations     in memory
//     failures allocations    over sockets: the test kit allocates where the system does not
//
// A problem names the scenario, the error and n.

#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using asynchat::close_reason;

// --- allocations -------------------------------------------------------------------------------

namespace {

bool may_fail = false;
std::size_t to_come = 0; // allocations before the first that fails, while `may_fail`
std::size_t to_fail = 0; // allocations, one after the other
std::size_t most_failures = 1;
bool survives = false; // the channel, as its handle_error() wants it

bool fails_now()
{
    if (!may_fail || to_fail == 0)
        return false;
    if (to_come > 0) {
        --to_come;
        return false;
    }
    --to_fail;
    return true;
}

} // namespace

void* operator new(std::size_t size)
{
    if (fails_now())
        throw std::bad_alloc();
    if (void* const memory = std::malloc(size))
        return memory;
    throw std::bad_alloc();
}

// Inlined, they make g++ warn of a free() of what operator new gave.
[[gnu::noinline]] void operator delete(void* memory) noexcept
{
    std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}

namespace {

/// While the library works, allocations may fail.
class failing {
public:
    failing() noexcept { may_fail = true; }
    ~failing() { may_fail = false; }
    failing(const failing&) = delete;
    failing& operator=(const failing&) = delete;
};
class not_failing {
public:
    not_failing() noexcept : before_(std::exchange(may_fail, false)) {}
    ~not_failing() { may_fail = before_; }
    not_failing(const not_failing&) = delete;
    not_failing& operator=(const not_failing&) = delete;

private:
    bool before_;
};

struct problem : asynchat::exit_now {
    explicit problem(std::string what) : text(std::move(what)) {}
    const char* what() const noexcept override { return text.c_str(); }
    std::string text;
};

template <class... Args>
void check(bool holds, fmt::format_string<Args...> what, Args&&... args)
{
    const not_failing here;
    if (!holds)
        throw problem(fmt::format(what, std::forward<Args>(args)...));
}

// --- two networks ------------------------------------------------------------------------------

struct in_memory {
    using peer = asynchat::testing::peer;

    asynchat::testing::loop loop;
    asynchat::endpoint address{"127.0.0.1", 7};

    template <class T>
    std::pair<std::shared_ptr<T>, peer> accept()
    {
        return loop.accept<T>();
    }
    peer connect() { return loop.connect(address); }
    void work() { loop.settle(); }
    template <class Done>
    void work_until(Done)
    {
        loop.advance(1s); // longer than a listener's pause
    }
    static std::string received(peer& from) { return from.received(); }
    static void finish(peer& of) { of.finish(); }
};

struct over_sockets {
    using peer = support::raw_peer;

    asynchat::loop loop;
    support::temp_dir directory;
    asynchat::endpoint address = asynchat::endpoint::unix_path(directory.file("socket"));

    template <class T>
    std::pair<std::shared_ptr<T>, peer> accept()
    {
        auto ends = support::connected_pair(AF_UNIX);
        return {loop.create<T>(std::move(ends.first)).lock(), std::move(ends.second)};
    }
    peer connect() { return peer::connected_to(address); }

    void work()
    {
        for (int quiet = 0; quiet < 3;)
            quiet = poll(0ms) ? 0 : quiet + 1;
    }
    template <class Done>
    void work_until(Done done)
    {
        while (!done())
            poll(20ms);
    }

    /// An allocation that fails outside of any channel leaves poll(), which can be called again.
    bool poll(asynchat::loop::duration longest)
    {
        check(++polls_ < 100000, "the loop spins, or waits for nothing");
        try {
            const failing here;
            return loop.poll(longest);
        } catch (const std::bad_alloc&) {
            return true;
        }
    }
    static std::string received(peer& from) { return from.received(); }
    static void finish(peer& of) { of.shut_down_output(); }

private:
    int polls_ = 0;
};

// --- a channel with accounts -------------------------------------------------------------------

/// What a channel did. Made beforehand, and large enough not to allocate later.
struct account {
    account()
    {
        pushed.reserve(1 << 20);
        seen.reserve(1 << 20);
    }

    std::string pushed;
    std::string seen;      // by the callbacks, terminators included
    std::size_t taken = 0; // bytes that the network took
    int closes = 0;
    bool eof = false;
    bool late = false; // something was called after the close
};

/// Base with accounts. It is told what to do by functions.
template <class Base>
class accounted : public Base {
public:
    using Base::Base;

    bool say(std::string_view text)
    {
        if (!this->push(text))
            return false;
        books->pushed += text;
        return true;
    }

    std::size_t send(asynchat::const_buffers data) override
    {
        const std::size_t size = Base::send(data);
        books->taken += size;
        return size;
    }
    void collect_incoming_data(std::string_view data) override
    {
        books->late |= this->closed();
        books->seen += data;
    }
    void handle_eof() override
    {
        books->late |= this->closed() || books->eof;
        books->eof = true;
        if (on_eof)
            on_eof();
        Base::handle_eof();
    }
    void handle_close() override
    {
        books->late |= this->closed();
        ++books->closes;
        Base::handle_close();
    }
    void handle_error() override
    {
        try {
            throw;
        } catch (const std::bad_alloc&) {
            if (survives && this->connected())
                return;
        } catch (...) {
        }
        Base::handle_error();
    }
    void handle_log(asynchat::log_type, std::string_view) override {}

    std::shared_ptr<account> books = std::make_shared<account>();
    std::function<void()> on_eof;
};

/// Answers lines, "\n" being their end, with the same line unless told otherwise.
class lines : public accounted<asynchat::async_chat> {
public:
    lines(asynchat::loop& owner, asynchat::socket from) : accounted(owner, std::move(from))
    {
        set_terminator("\n");
    }
    lines(asynchat::loop& owner, const asynchat::endpoint& to) : accounted(owner)
    {
        set_terminator("\n");
        on_line = [](std::string_view) {};
        say("hello\n");
        connect(to);
    }
    void collect_incoming_data(std::string_view data) override
    {
        accounted::collect_incoming_data(data);
        line_ += data;
    }
    void found_terminator() override
    {
        books->late |= closed();
        if (get_terminator().is_bytes())
            books->seen += get_terminator().bytes();
        const std::string line = std::exchange(line_, {});
        if (on_line)
            on_line(line);
        else
            say(line + "\n");
    }
    void handle_connect() override {}

    std::function<void(std::string_view)> on_line;

private:
    std::string line_;
};

class large_frames : public accounted<asynchat::frame_chat> {
public:
    large_frames(asynchat::loop& owner, asynchat::socket from) : accounted(owner, std::move(from))
    {
        max_frame(1 << 20);
        set_terminator(100000);
    }
    void found_frame(std::string_view frame) override
    {
        books->late |= closed();
        books->seen += frame;
        say("ok\n");
        set_terminator(100000);
    }
};

// --- the scenarios -----------------------------------------------------------------------------

std::string many(std::size_t size)
{
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>('a' + i % 23);
    return text;
}

/// One conversation, when it is over.
struct outcome {
    std::shared_ptr<asynchat::async_chat> chat;
    std::shared_ptr<account> books;
    std::string sent;     // by the peer
    std::string received; // by the peer
    std::string expected; // to be received, if all went well
    bool ends = false;    // the channel is to end by itself, then
    bool lingers = false; // what fails when the channel is closed may lose the end
};

bool has_failed(const asynchat::async_chat& chat)
{
    const auto reason = chat.close_reason();
    return reason != close_reason::open && reason != close_reason::local &&
           reason != close_reason::peer_finished;
}

void check_books(const outcome& of, bool failed)
{
    const account& books = *of.books;
    check(!books.late, "something was called after the close");
    check(books.closes <= 1, "handle_close() was called {} times", books.closes);
    check(books.pushed.size() == books.taken + of.chat->pending_output(),
          "{} bytes were pushed, {} sent and {} are left", books.pushed.size(), books.taken,
          of.chat->pending_output());
    check(of.sent.compare(0, books.seen.size(), books.seen) == 0, "wrong input: {}", books.seen);
    check(books.pushed.compare(0, of.received.size(), of.received) == 0, "wrong output");
    if (has_failed(*of.chat)) {
        check(of.chat->closed() && books.closes == 1, "half closed");
        return;
    }
    if (failed && survives) { // what a callback left undone is its own affair
        check(of.received == books.pushed || of.lingers, "{} bytes were received, not {}",
              of.received.size(), books.pushed.size());
        return;
    }
    check(of.received == of.expected || (failed && of.lingers), "{} bytes were received, not {}",
          of.received.size(), of.expected.size());
    check(books.seen == of.sent, "input is missing");
    check(of.chat->closed() == of.ends, "the channel is {}", of.chat->closed() ? "closed" : "open");
}

template <class World>
class play {
public:
    using peer = typename World::peer;
    static constexpr int scenarios = 14;

    explicit play(World& world) : world_(world) {}

    void scenario(int number)
    {
        switch (number) {
        case 0: return answers({"a\nbb\n", "ccc\n"}, "a\nbb\nccc\n");
        case 1: return answers({"a", "\r", "\n", "\n"}, "a\r\n\n");
        case 2: return counts();
        case 3: return blocked();
        case 4: return produced();
        case 5: return finished();
        case 6: return client();
        case 7: return server();
        case 8: return closing();
        case 9: return frames();
        case 10: return paused();
        case 11: return from_outside();
        case 12: return half_closed();
        default: return layered();
        }
    }

    std::vector<outcome> outcomes;

private:
    template <class Chat>
    void over(const std::shared_ptr<Chat>& chat, peer& other, std::string sent,
              std::string expected, bool ends = false)
    {
        world_.work();
        outcomes.push_back({chat, chat->books, std::move(sent), world_.received(other),
                            std::move(expected), ends});
    }
    void tell(peer& other, std::string_view text)
    {
        try {
            other.send(text);
        } catch (const std::system_error&) { // the channel is closed already
        }
    }

    void answers(const std::vector<std::string>& pieces, const std::string& expected)
    {
        auto [chat, other] = world_.template accept<lines>();
        std::string sent;
        for (const std::string& piece : pieces) {
            tell(other, piece);
            world_.work();
            sent += piece;
        }
        over(chat, other, sent, expected);
    }

    /// A line that says how many bytes follow.
    void counts()
    {
        auto [chat, other] = world_.template accept<lines>();
        lines* const c = chat.get();
        c->on_line = [c, body = false](std::string_view line) mutable {
            if (body)
                c->say(line);
            body = !body;
            if (body)
                c->set_terminator(std::size_t{5});
            else
                c->set_terminator("\n");
        };
        tell(other, "5\nhelloo");
        world_.work();
        tell(other, "ther\nworld");
        over(chat, other, "5\nhelloother\nworld", "helloworld");
    }

    /// More than the connection takes at once.
    void blocked()
    {
        auto [chat, other] = world_.template accept<lines>();
        lines* const c = chat.get();
        const std::string much = many(300000);
        c->on_line = [c, much](std::string_view) { c->say(much); };
        tell(other, "go\n");
        receive_much(chat, other, "go\n", much);
    }

    void produced()
    {
        auto [chat, other] = world_.template accept<lines>();
        lines* const c = chat.get();
        const std::string much = many(200000);
        c->on_line = [c, much](std::string_view) {
            c->push_with_producer([c, much, at = std::size_t{0}]() mutable {
                std::string piece = much.substr(at, 20000); // not const: it is moved out
                at += piece.size();
                c->books->pushed += piece;
                return piece;
            });
        };
        tell(other, "go\n");
        receive_much(chat, other, "go\n", much);
    }

    template <class Chat>
    void receive_much(const std::shared_ptr<Chat>& chat, peer& other, const std::string& sent,
                      const std::string& expected)
    {
        std::string all;
        for (int i = 0; i < 20; ++i) {
            world_.work();
            all = gathered(all, world_.received(other));
        }
        outcomes.push_back({chat, chat->books, sent, all, expected});
    }
    /// A peer of the kit returns what is new, one over a socket everything.
    static std::string gathered(const std::string& before, const std::string& now)
    {
        return std::is_same_v<World, in_memory> ? before + now : now;
    }

    void finished()
    {
        auto [chat, other] = world_.template accept<lines>();
        lines* const c = chat.get();
        c->on_eof = [c] { c->say("bye\n"); };
        tell(other, "a\nb");
        world_.finish(other);
        over(chat, other, "a\nb", "a\nbye\n", true);
    }

    class listening : public asynchat::dispatcher {
    public:
        listening(asynchat::loop& owner, const asynchat::endpoint& where) : dispatcher(owner)
        {
            create_socket(where.family());
            bind(where);
            listen();
        }
        void handle_accepted(asynchat::socket from, const asynchat::endpoint&) override
        {
            const auto chat = owner().template create<lines>(std::move(from)).lock();
            const not_failing here;
            if (chat)
                made.push_back(chat);
        }
        void handle_log(asynchat::log_type, std::string_view) override {}

        std::vector<std::shared_ptr<lines>> made;
    };

    /// A client and a server in the same loop.
    void client()
    {
        const auto listener = listen();
        if (!listener)
            return;
        std::shared_ptr<lines> chat;
        try {
            const failing here;
            chat = world_.loop.template create<lines>(world_.address).lock();
        } catch (const std::system_error&) { // told at once
        } catch (const std::bad_alloc&) {
        }
        if (!chat)
            return;
        world_.work_until([&] { return chat->closed() || chat->books->seen == "hello\n"; });
        world_.work();
        const auto& made = listener->made;
        const bool well = !has_failed(*chat) && made.size() == 1 && !has_failed(*made[0]);
        check(well || chat->closed() || made.empty() || made[0]->closed(), "nobody has failed");
        if (!well)
            return;
        const std::string hello = "hello\n";
        outcomes.push_back({chat, chat->books, hello, made[0]->books->seen, hello});
        outcomes.push_back({made[0], made[0]->books, hello, chat->books->seen, hello});
    }

    /// A server with three clients, of which each failure may cost one.
    void server()
    {
        const auto listener = listen();
        if (!listener)
            return;
        std::vector<peer> others;
        for (int i = 0; i < 3; ++i) {
            others.push_back(world_.connect());
            tell(others.back(), "x\n");
        }
        std::vector<std::string> answers(others.size());
        const std::size_t least = others.size() - std::min(others.size(), most_failures);
        const auto served = [&] {
            std::size_t number = 0;
            for (std::size_t i = 0; i < others.size(); ++i) {
                answers[i] = gathered(answers[i], world_.received(others[i]));
                number += answers[i] == "x\n";
            }
            return number;
        };
        world_.work_until([&] { return served() >= least && listener->made.size() >= least; });
        world_.work();
        check(served() >= least, "{} of three clients were served", served());
        check(!listener->closed(), "the listener is closed");
        for (const auto& chat : listener->made) {
            if (!has_failed(*chat) && !chat->books->pushed.empty())
                outcomes.push_back({chat, chat->books, "x\n", "x\n", "x\n"});
        }
    }

    /// The reply goes out, whatever the other side still sends.
    void closing()
    {
        auto [chat, other] = world_.template accept<lines>();
        lines* const c = chat.get();
        c->on_line = [c](std::string_view) {
            c->say("bye\n");
            c->close_when_done();
        };
        tell(other, "quit\n");
        world_.work();
        const bool done = chat->closed();
        tell(other, "more\n");
        over(chat, other, done ? "quit\n" : "quit\nmore\n", "bye\n", true);
        outcomes.back().lingers = true;
    }

    void frames()
    {
        auto [chat, other] = world_.template accept<large_frames>();
        const std::string frame = many(100000);
        for (int piece = 0; piece < 4; ++piece) {
            tell(other,
                 std::string_view(frame).substr(static_cast<std::size_t>(piece) * 25000, 25000));
            world_.work();
        }
        over(chat, other, frame, "ok\n");
    }

    void paused()
    {
        auto [chat, other] = world_.template accept<lines>();
        lines* const c = chat.get();
        c->on_line = [c](std::string_view line) {
            c->say(line);
            c->pause_reading();
        };
        tell(other, "a\nb\nc\n");
        world_.work();
        for (int i = 0; i < 4; ++i) {
            try {
                const failing here;
                chat->resume_reading();
            } catch (const std::bad_alloc&) {
                chat->resume_reading();
            }
            world_.work();
        }
        over(chat, other, "a\nb\nc\n", "abc");
    }

    /// Outside of any event a push needs more memory: what throws has queued nothing.
    void from_outside()
    {
        auto [chat, other] = world_.template accept<lines>();
        for (int i = 0; i < 3; ++i) {
            try {
                const failing here;
                chat->say("abc\n");
            } catch (const std::bad_alloc&) {
            }
            world_.work();
        }
        over(chat, other, "", chat->books->pushed);
    }

    void half_closed()
    {
        auto [chat, other] = world_.template accept<lines>();
        lines* const c = chat.get();
        c->on_line = [c](std::string_view line) {
            if (line == "go")
                c->say("done\n");
            else
                c->shutdown_output();
        };
        tell(other, "go\n");
        world_.work();
        tell(other, "end\n");
        world_.work();
        tell(other, "x");
        over(chat, other, "go\nend\nx", "done\n");
    }

    /// Input that came before a layer is fed to it, or to the channel that could not have it.
    void layered()
    {
        struct unchanged : asynchat::transport_layer {};
        auto [chat, other] = world_.template accept<lines>();
        lines* const c = chat.get();
        c->on_line = [c](std::string_view line) {
            if (line != "go")
                return;
            c->push_with_producer([c, asked = false]() mutable {
                const std::string piece = std::exchange(asked, true) ? "" : "ready\n";
                c->books->pushed += piece;
                return piece;
            });
            c->add_layer(std::make_unique<unchanged>(), asynchat::early_input::feed);
        };
        tell(other, "go\nearly\n");
        world_.work();
        tell(other, "more\n");
        over(chat, other, "go\nearly\nmore\n", "ready\n");
        check(has_failed(*chat) || c->books->seen == outcomes.back().sent, "input is lost");
    }

    std::shared_ptr<listening> listen()
    {
        try {
            return world_.loop.template create<listening>(world_.address).lock();
        } catch (const std::system_error&) {
            return nullptr;
        }
    }

    World& world_;
};

// --- all of them -------------------------------------------------------------------------------

constexpr int errors[] = {EAGAIN,    EINTR, ECONNRESET, EPIPE, ECONNABORTED,
                          ETIMEDOUT, EIO,   ENOBUFS,    EMFILE};

/// Another connection, which no failure may cost.
template <class World>
class bystander {
public:
    explicit bystander(World& world) : world_(world), pair_(world.template accept<lines>())
    {
        world_.work();
    }
    void check_works()
    {
        pair_.second.send("ping\n");
        world_.work();
        check(!pair_.first->closed() && world_.received(pair_.second) == "ping\n",
              "another channel was lost as well");
    }

private:
    World& world_;
    std::pair<std::shared_ptr<lines>, typename World::peer> pair_;
};

/// Returns whether the failure came.
bool fail_operation(int scenario, int error, std::size_t n)
{
    in_memory world;
    bystander<in_memory> other(world);
    world.loop.fail(n, error);
    play<in_memory> play(world);
    play.scenario(scenario);
    if (world.loop.has_to_fail())
        check(!play.outcomes.empty(), "it did not take place");
    for (const outcome& each : play.outcomes) {
        check_books(each, !world.loop.has_to_fail());
        check(!world.loop.has_to_fail() || !has_failed(*each.chat), "it failed by itself");
    }
    if (world.loop.has_to_fail())
        return false;
    other.check_works();
    return true;
}

/// As above, for the allocation after `n` others, and some after it.
bool fail_allocations(int scenario, std::size_t n)
{
    over_sockets world;
    bystander<over_sockets> other(world);
    play<over_sockets> play(world);
    to_come = n;
    to_fail = most_failures;
    play.scenario(scenario);
    const bool failed = std::exchange(to_fail, 0U) < most_failures;
    check(failed || !play.outcomes.empty(), "it did not take place");
    for (const outcome& each : play.outcomes) {
        check_books(each, failed);
        check(failed || !has_failed(*each.chat), "it failed by itself");
    }
    other.check_works();
    return failed;
}

std::size_t failures = 0;
int problems = 0;

/// Calls `fail(scenario, n)` for each scenario and n from `first` on, until nothing fails any more.
template <class Fail>
void fail_each(const std::string& what, std::size_t first, Fail fail)
{
    for (int scenario = 0; scenario < play<in_memory>::scenarios; ++scenario) {
        bool failed = true;
        for (std::size_t n = first; failed; ++n) {
            try {
                failed = fail(scenario, n);
            } catch (const problem& found) {
                to_fail = 0;
                ++problems;
                fmt::print(stderr, "scenario {}, {}, {}: {}\n", scenario, what, n, found.text);
                failed = n < 1000;
            }
            failures += failed;
        }
    }
}

} // namespace

int main(int argc, char** argv)
{
    const std::string_view what = argc == 2 ? argv[1] : "";
    if (what == "operations") {
        for (const int error : errors)
            fail_each(fmt::format("error {}", error), 1, [&](int scenario, std::size_t n) {
                return fail_operation(scenario, error, n);
            });
    } else if (what == "allocations") {
        for (const std::size_t number : {1U, 2U, 5U, 20U}) {
            most_failures = number;
            for (const bool survivors : {false, true}) {
                survives = survivors;
                fail_each(fmt::format("{} allocations of a channel that {}", number,
                                      survives ? "survives" : "ends"),
                          0, fail_allocations);
            }
        }
    } else {
        std::fputs("usage: failures operations | allocations\n", stderr);
        return 2;
    }
    fmt::print("{} failures, {} problems\n", failures, problems);
    return problems == 0 ? 0 : 1;
}
