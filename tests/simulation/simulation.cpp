// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Many channels in memory, with all faults of the test kit and careless callbacks, drawn from a
// seed:
//
//     simulation COUNT [FIRST]      the seeds FIRST (1) to FIRST + COUNT - 1
//
// For each seed it checks that every byte arrives once and in order or is accounted for, that
// handle_close() is called once and nothing after it, that no channel is stuck, that memory is
// bounded and all of it given back, and that timers are called at their time to the nanosecond.
// Time is virtual. A failure names its seed, which fails again in the same way.

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using asynchat::close_reason;

namespace {

// --- memory ------------------------------------------------------------------------------------

std::size_t live_bytes = 0;
std::size_t peak_bytes = 0;

constexpr std::size_t header = alignof(std::max_align_t);

} // namespace

void* operator new(std::size_t size)
{
    void* const memory = std::malloc(size + header);
    if (!memory)
        throw std::bad_alloc();
    *static_cast<std::size_t*>(memory) = size;
    live_bytes += size;
    peak_bytes = std::max(peak_bytes, live_bytes);
    return static_cast<char*>(memory) + header;
}

void operator delete(void* memory) noexcept
{
    if (!memory)
        return;
    void* const start = static_cast<char*>(memory) - header;
    live_bytes -= *static_cast<std::size_t*>(start);
    std::free(start);
}

void operator delete(void* memory, std::size_t) noexcept
{
    operator delete(memory);
}

namespace {

// --- the accounts ------------------------------------------------------------------------------

/// What must not be. Passes by the handle_error() of the channels.
struct violation : asynchat::exit_now {
    explicit violation(std::string what) : text(std::move(what)) {}
    const char* what() const noexcept override { return text.c_str(); }
    std::string text;
};

template <class... Args>
void check(bool holds, fmt::format_string<Args...> what, Args&&... args)
{
    if (!holds)
        throw violation(fmt::format(what, std::forward<Args>(args)...));
}

class talker;

/// What a channel did, and what became of it. Outlives the channel.
struct account {
    unsigned id;
    account* other = nullptr;
    talker* channel = nullptr; // while it is open

    std::size_t accepted = 0;  // bytes that were pushed, producers' included
    std::size_t unasked = 0;   // of them still to come from producers
    std::size_t taken = 0;     // by the network
    std::size_t lost = 0;      // unsent at the close
    std::size_t got = 0;       // from the network
    std::size_t delivered = 0; // to the callbacks, terminators included

    int closes = 0;
    bool closed_itself = false; // by close(): no handle_close() then
    bool wants_no_input = false;
    bool threw = false;
    bool refused = false;     // a push, though the channel was open
    bool paused_once = false; // what came then may be lost with the connection
    bool gone = false;
    close_reason reason = close_reason::open;
};

/// The byte at a place of what a channel sends.
char byte_at(unsigned channel, std::size_t place)
{
    constexpr std::string_view letters = "a\r\nb\nc\rd";
    const std::size_t mixed = (place + 1) * 0x9e3779b1U ^ (channel + 1) * 0x85ebca6bU;
    return letters[(mixed ^ mixed >> 15U) % letters.size()];
}

std::string bytes_at(unsigned channel, std::size_t place, std::size_t size)
{
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = byte_at(channel, place + i);
    return bytes;
}

struct careless : std::runtime_error {
    careless() : std::runtime_error("careless") {}
};

class simulation {
public:
    explicit simulation(std::uint64_t seed) : random(seed), loop(random.next()) {}

    /// Returns a number that tells one course of events from another.
    std::uint64_t run();

    account& open_account()
    {
        accounts.push_back(std::make_unique<account>());
        accounts.back()->id = static_cast<unsigned>(accounts.size());
        return *accounts.back();
    }
    void run_nested()
    {
        if (nested_ == 3)
            return;
        ++nested_;
        struct done {
            int& nested;
            ~done() { --nested; }
        } const on_exit{nested_};
        loop.poll();
    }
    void happened(std::uint64_t what) noexcept { course = (course ^ what) * 0x100000001b3U; }

    asynchat::testing::random random;
    asynchat::testing::loop loop;
    std::vector<std::unique_ptr<account>> accounts;
    std::map<unsigned, account*> clients; // by port
    std::uint64_t course = 0xcbf29ce484222325U;
    bool careful = false;        // callbacks do as they should
    bool lossy = false;          // a reset may lose what is under way
    std::size_t left_to_say = 0; // bytes, by all

private:
    void draw_faults();
    void plan_actions();
    void act(account& who);
    void start_timers();
    void check_quiet();
    void check_end();

    int timers_running_ = 0;
    int nested_ = 0;
};

/// Sends its stream, and checks that of the other side.
class talker : public asynchat::async_chat {
public:
    /// A server's.
    talker(asynchat::loop& owner, asynchat::socket from, simulation& world)
        : async_chat(owner, std::move(from)), world_(world), mine_(world.open_account())
    {
        account* const client = world.clients.at(addr().port());
        mine_.other = client;
        client->other = &mine_;
        set_out();
    }
    /// A client's.
    talker(asynchat::loop& owner, const asynchat::endpoint& to, simulation& world)
        : async_chat(owner), world_(world), mine_(world.open_account())
    {
        set_out();
        connect(to);
        if (const unsigned port = local_endpoint().port())
            world.clients[port] = &mine_;
    }
    ~talker() override
    {
        mine_.channel = nullptr;
        mine_.gone = true;
        mine_.reason = close_reason();
        mine_.lost = pending_output();
    }

    void say_something()
    {
        auto& random = world_.random;
        const std::size_t most = random.per_mille(20) ? 200000 : random.per_mille(200) ? 5000 : 200;
        const std::size_t size = 1 + random.below(most);
        if (size > world_.left_to_say)
            return; // every word has its answers: there has to be an end
        world_.left_to_say -= size;
        std::string bytes = bytes_at(mine_.id, mine_.accepted, size);
        bool accepted = false;
        switch (random.below(5)) {
        case 0: accepted = push(std::string_view(bytes)); break;
        case 1: accepted = push(std::move(bytes)); break;
        case 2: accepted = push(std::make_shared<const std::string>(std::move(bytes))); break;
        case 3: accepted = print("{}", bytes); break;
        default: accepted = say_by_producer(size);
        }
        check(!accepted || takes_output(), "push() of channel {} says true", mine_.id);
        if (accepted)
            mine_.accepted += size;
        else if (takes_output())
            mine_.refused = true; // the connection is lost: the end has to tell
    }

    void finish()
    {
        mine_.wants_no_input = true;
        close_when_done();
    }
    void close() override
    {
        if (mine_.closes == 0)
            mine_.closed_itself = true;
        mine_.channel = nullptr;
        async_chat::close();
    }

    // --- callbacks -----------------------------------------------------------------------------

    void handle_connect() override
    {
        called("handle_connect");
        anything();
    }
    void collect_incoming_data(std::string_view data) override
    {
        called("collect_incoming_data");
        check(!mine_.wants_no_input, "input for channel {}, which has had its last", mine_.id);
        check(!data.empty(), "an empty piece for channel {}", mine_.id);
        anything();
        if (!closed())
            receive(data);
    }
    void found_terminator() override
    {
        called("found_terminator");
        receive(ends_with_);
        switch (world_.random.below(4)) {
        case 0: end_frames_with("\n"); break;
        case 1: end_frames_with("\r\n"); break;
        case 2: end_frames_with(1 + world_.random.below(300)); break;
        default:
            if (ends_with_.empty())
                end_frames_with("\n"); // a count is spent
        }
        anything();
    }
    void handle_eof() override
    {
        called("handle_eof");
        if (world_.random.per_mille(200))
            say_something();
        async_chat::handle_eof();
    }
    void handle_close() override
    {
        called("handle_close");
        check(++mine_.closes == 1, "handle_close() of channel {} again", mine_.id);
        check(close_reason() != close_reason::open, "channel {} closes for no reason", mine_.id);
        if (world_.random.per_mille(900))
            async_chat::handle_close();
    }
    void handle_error() override
    {
        called("handle_error");
        if (!connected() || world_.random.per_mille(500))
            async_chat::handle_error();
    }
    void handle_log(asynchat::log_type, std::string_view) override {}

    std::size_t recv(asio::mutable_buffer into) override
    {
        const std::size_t size = async_chat::recv(into);
        mine_.got += size;
        return size;
    }
    std::size_t send(const asynchat::const_buffers data) override
    {
        const std::size_t size = async_chat::send(data);
        mine_.taken += size;
        return size;
    }

private:
    void set_out()
    {
        mine_.channel = this;
        auto& random = world_.random;
        if (random.per_mille(100))
            ac_in_buffer_size = 1 + static_cast<std::uint32_t>(random.below(100));
        if (random.per_mille(100))
            ac_out_buffer_size = 1 + static_cast<std::uint32_t>(random.below(1000));
        if (!world_.careful && random.per_mille(200))
            frame_rate(1 + random.below(1000));
        if (!world_.careful && random.per_mille(200))
            read_rate(1 + random.below(10000));
        end_frames_with("\n");
        max_frame(asynchat::unlimited);
        if (random.per_mille(700))
            say_something();
    }

    template <class T>
    void end_frames_with(T what)
    {
        if constexpr (std::is_convertible_v<T, std::string_view>)
            ends_with_ = what;
        else
            ends_with_.clear();
        set_terminator(what);
    }

    bool takes_output() const { return !closed() && !mine_.wants_no_input; }

    bool say_by_producer(std::size_t size)
    {
        const std::size_t piece = 1 + world_.random.below(1000);
        const std::size_t end = mine_.accepted + size;
        const bool accepted = push_with_producer([this, piece, at = mine_.accepted, end]() mutable {
            std::string bytes = bytes_at(mine_.id, at, std::min(end - at, piece));
            at += bytes.size();
            mine_.unasked -= bytes.size();
            return bytes;
        });
        if (accepted)
            mine_.unasked += size;
        return accepted;
    }

    void called(const char* what)
    {
        check(!closed(), "{}() of channel {} after its close", what, mine_.id);
        check(mine_.closes == 0, "{}() of channel {} after handle_close()", what, mine_.id);
        world_.happened(static_cast<std::uint64_t>(mine_.id) * 1000 + mine_.delivered);
    }

    void receive(std::string_view data)
    {
        check(mine_.other != nullptr, "input for channel {} from nowhere", mine_.id);
        for (const char byte : data) {
            check(byte == byte_at(mine_.other->id, mine_.delivered),
                  "channel {} got a wrong byte at {}", mine_.id, mine_.delivered);
            ++mine_.delivered;
        }
    }

    /// What callbacks do.
    void anything()
    {
        auto& random = world_.random;
        if (random.per_mille(300))
            say_something();
        if (world_.careful || !random.per_mille(30))
            return;
        switch (random.below(6)) {
        case 0: close(); break;
        case 1: finish(); break;
        case 2:
            mine_.paused_once = true;
            pause_reading();
            break;
        case 3:
            if (random.below(2) == 0) {
                end_turn();
                break;
            }
            [[fallthrough]];
        case 5: world_.run_nested(); break;
        default: mine_.threw = true; throw careless();
        }
    }

    simulation& world_;
    account& mine_;
    std::string ends_with_;
};

/// Makes a talker for each connection.
class quiet_server : public asynchat::server<talker> {
public:
    using server::server;
    void handle_log(asynchat::log_type, std::string_view) override {}
};

// --- one course of events ----------------------------------------------------------------------

void simulation::draw_faults()
{
    auto& faults = loop.faults();
    const auto draw = [this](unsigned one_in, unsigned most) {
        return random.below(one_in) == 0 ? static_cast<unsigned>(random.below(most)) : 0;
    };
    faults.cut = draw(2, 1000);
    faults.block = draw(2, 400);
    faults.delay = draw(2, 500);
    faults.reset = draw(4, 10);
    lossy = faults.reset > 0 || faults.delay > 0;
    faults.refuse = draw(4, 500);
    faults.accept_error = draw(3, 500);
    loop.window(random.below(2) == 0 ? 65536 : 1 + random.below(5000));
    careful = random.below(2) == 0;
    left_to_say = 1 + random.below(random.below(40) == 0 ? 600000 : 6000);
}

/// Something that is done to a channel from outside of its callbacks.
void simulation::act(account& who)
{
    talker* const chat = who.channel;
    happened(who.id);
    if (!chat)
        return;
    const auto handle = loop.handle_of(*chat);
    switch (random.below(careful ? 4 : 9)) {
    case 0:
        who.paused_once = true;
        chat->pause_reading();
        break;
    case 1: chat->resume_reading(); break;
    case 2:
    case 3: chat->say_something(); break;
    case 4: chat->finish(); break;
    case 5:
        if (random.below(3) == 0)
            chat->close();
        break;
    case 6:
        who.threw = true;
        handle.post([](talker&) { throw careless(); });
        break;
    case 7: // the other side writes before it reads that we have said this and are gone
        if (who.other && who.other->channel)
            who.other->channel->say_something();
        chat->say_something();
        chat->initiate_send();
        if (!chat->closed())
            random.below(2) == 0 ? chat->close() : chat->abort();
        break;
    default: handle.post([](talker& later) { later.say_something(); });
    }
}

void simulation::plan_actions()
{
    for (std::size_t left = random.below(4 * accounts.size() + 1); left > 0; --left) {
        loop.call_later(std::chrono::milliseconds(random.below(3000)),
                        [this] { act(*accounts[random.below(accounts.size())]); });
    }
}

/// Timers that check their own time; some are cancelled, and must not be called.
void simulation::start_timers()
{
    for (std::size_t left = random.below(6); left > 0; --left) {
        const auto delay = random.up_to(std::chrono::nanoseconds(4999999999));
        const auto due = loop.now() + delay;
        const bool cancelled = random.below(4) == 0;
        timers_running_ += !cancelled;
        asynchat::timer timer = loop.call_later(delay, [this, due, cancelled] {
            check(!cancelled, "a cancelled timer was called");
            check(loop.now() == due, "a timer was called {} ns late", (loop.now() - due).count());
            --timers_running_;
        });
        if (cancelled)
            loop.call_later(random.up_to(delay), [timer]() mutable { timer.cancel(); });
    }
}

/// Nothing is under way any more: what was said was heard.
void simulation::check_quiet()
{
    for (const auto& each : accounts) {
        const account& from = *each;
        if (!from.other || from.gone || from.other->gone || from.other->threw || from.threw)
            continue; // what a callback that threw left is delivered with the next input
        if (from.other->wants_no_input)
            continue; // nobody listens
        const std::size_t unsent = from.channel ? from.channel->pending_output() : 0;
        check(unsent == 0 && from.unasked == 0, "channel {} is stuck with {} bytes to send",
              from.id, unsent + from.unasked);
        check(from.accepted - from.other->delivered <= 1, "channel {} is stuck: {} of {} bytes",
              from.other->id, from.other->delivered, from.accepted);
    }
}

void simulation::check_end()
{
    check(loop.size() == 0, "{} channels are stuck", loop.size());
    check(timers_running_ == 0, "{} timers were not called", timers_running_);
    for (const auto& each : accounts) {
        const account& one = *each;
        check(one.gone, "channel {} was not destroyed", one.id);
        check(one.closes == (one.closed_itself ? 0 : 1), "handle_close() of channel {}: {} times",
              one.id, one.closes);
        check(one.accepted == one.taken + one.lost + one.unasked,
              "channel {} sent {} of {} bytes, lost {}, did not make {}", one.id, one.taken,
              one.accepted, one.lost, one.unasked);
        check(one.delivered <= one.got, "channel {} got {} bytes and delivered {}", one.id, one.got,
              one.delivered);
        if (one.reason == close_reason::peer_finished)
            check(one.wants_no_input || one.threw ||
                      (one.delivered == one.got && (!one.other || one.got == one.other->taken)),
                  "channel {} got {} bytes and delivered {} of {}", one.id, one.got, one.delivered,
                  one.other ? one.other->taken : 0);
        if (one.refused)
            check(one.closed_itself || one.threw || one.reason == close_reason::reset ||
                      one.reason == close_reason::system_error ||
                      one.reason == close_reason::output_limit,
                  "push() of channel {} was refused, which ended for {}", one.id,
                  to_string(one.reason));
        // What came before the connection was lost is delivered, whoever noticed it.
        if (one.reason == close_reason::reset && !one.closed_itself && !one.threw &&
            !one.wants_no_input && !one.paused_once)
            check(one.delivered == one.got && (lossy || !one.other || one.got == one.other->taken),
                  "channel {} was reset: it got {} bytes and delivered {} of {}", one.id, one.got,
                  one.delivered, one.other ? one.other->taken : 0);
        if (one.reason == close_reason::local && !one.closed_itself)
            check(one.lost + one.unasked == 0, "channel {} closed before it was done", one.id);
        happened(one.delivered * 31 + one.lost * 7 + static_cast<std::uint64_t>(one.reason));
    }
}

std::uint64_t simulation::run()
{
    draw_faults();
    const asynchat::endpoint address("127.0.0.1", 7);
    const auto server = loop.create<quiet_server>(address, std::ref(*this));
    if (!careful && random.below(4) == 0) {
        server->frame_rate(1 + random.below(1000));
        server->read_rate(1 + random.below(10000));
    }
    const std::size_t kind = random.below(100);
    const std::size_t pairs = 1 + random.below(kind < 70 ? 2 : kind < 97 ? 8 : 32);
    for (std::size_t i = 0; i < pairs; ++i) {
        loop.create<talker>(address, *this);
    }
    plan_actions();
    start_timers();
    loop.advance(5s);
    careful = true;
    loop.faults().reset = loop.faults().delay = 0; // a small window and delays would take days
    for (const auto& each : accounts) {
        if (!each->channel)
            continue;
        each->channel->resume_reading();
        each->channel->read_rate(asynchat::unlimited);
        each->channel->frame_rate(asynchat::unlimited);
    }
    if (server) {
        server->read_rate(asynchat::unlimited);
        server->frame_rate(asynchat::unlimited);
    }
    loop.advance(10s);
    check_quiet();
    for (const auto& [port, client] : clients) {
        if (client->channel)
            client->channel->finish();
    }
    for (const auto& channel : loop.channels()) {
        if (channel->accepting())
            channel->close();
    }
    loop.advance(5min); // two that talk without listening end by their timeouts
    check_end();
    return course;
}

std::uint64_t run_seed(std::uint64_t seed)
{
    const std::size_t before = live_bytes;
    peak_bytes = live_bytes;
    std::uint64_t course = 0;
    std::size_t said = 0;
    {
        simulation world(seed);
        course = world.run();
        for (const auto& each : world.accounts)
            said += each->accepted;
    }
    check(live_bytes == before, "{} bytes of memory were not given back", live_bytes - before);
    // Buffers, channels, and what is under way: at worst in pieces of a byte, each with its time.
    check(peak_bytes - before <= 16 * 65536 + 64 * 16384 + 64 * said,
          "{} bytes of memory for {} bytes said", peak_bytes - before, said);
    return course;
}

} // namespace

int main(int argc, char** argv)
{
    const auto number = [&](int index, std::uint64_t otherwise) {
        return index < argc ? std::strtoull(argv[index], nullptr, 10) : otherwise;
    };
    const std::uint64_t count = number(1, 0);
    const std::uint64_t first = number(2, 1);
    if (count == 0) {
        std::fputs("usage: simulation COUNT [FIRST]\n", stderr);
        return 2;
    }
    // What is kept for the next time, by Asio and the standard library, is there after one run.
    std::uint64_t seed = first;
    try {
        run_seed(seed);
        for (; seed < first + count; ++seed) {
            const std::uint64_t course = run_seed(seed);
            if (seed % 100 == 0)
                check(run_seed(seed) == course, "the course of events is not the same again");
        }
    } catch (const std::exception& error) {
        fmt::print(stderr, "seed {}: {}\nto replay it: {} 1 {}\n", seed, error.what(), argv[0],
                   seed);
        return 1;
    }
    fmt::print("{} seeds from {} on: all well\n", count, first);
    return 0;
}
