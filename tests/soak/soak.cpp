// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Hundreds of connections of every kind over 127.0.0.1, for as long as asked: clients talk to
// echoing servers, directly and through relays, while channels of both sides are killed at random.
// What either side accepts to send is compared with what the other one receives, by checksums of
// all the bytes up to there. Time is real here, and what happens depends on it: a seed makes
// two runs alike, not the same.
//
//     asynchat_soak [SECONDS [SEED]]
//
// Ends with 1 when a frame is wrong, missing or twice, a channel is stuck, or memory grows.
#include "support/loopback.hpp"
#include "support/memory.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/core.h>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t client_count = 500;
constexpr std::size_t longest_frame = 256 * 1024;
constexpr int rounds = 6; // memory is looked at after each: nobody is connected then

// Bytes. A loop keeps memory for what comes next: 16 MiB of blocks, 17 of strings, and a bit. At
// the end of half a minute it has it, and from then on nothing is to grow.
constexpr std::size_t most_kept = 36 * 1024 * 1024;
constexpr std::size_t most_growth = 6 * 1024 * 1024;
constexpr unsigned warm_up = 30; // seconds

enum class framing { line, lines, counted, length, varint, netstring };

/// A protocol, and the face of the library that speaks it.
struct protocol {
    const char* name;
    framing how;
    bool whole_frames;
    bool relayed;
};

constexpr protocol protocols[] = {
    {"lines", framing::line, false, false},
    {"lines, relayed", framing::line, false, true},
    {"counted frames", framing::counted, false, false},
    {"length prefixes", framing::length, false, false},
    {"lines of two ends, whole", framing::lines, true, false},
    {"counted frames, whole", framing::counted, true, false},
    {"varints, whole", framing::varint, true, false},
    {"netstrings, whole, relayed", framing::netstring, true, true},
};
constexpr std::size_t protocol_count = std::size(protocols);

/// One way of a connection: what was accepted by push(), and not received yet. A checksum is that
/// of all frames up to there.
struct direction {
    std::deque<std::uint64_t> under_way;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    bool finished = false; // by close_when_done(): all that is under way has to arrive
};
struct connection {
    direction to_server;
    direction to_client;
};

std::uint64_t add_to_checksum(std::uint64_t sum, std::string_view frame)
{
    sum = (sum ^ frame.size()) * 0x9e3779b97f4a7c15;
    for (const char byte : frame)
        sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    return sum;
}

/// Round trips by their length: a few per cent exact, and of a fixed size.
class round_trips {
public:
    void add(std::chrono::steady_clock::duration time)
    {
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
        auto rest = static_cast<std::uint64_t>(us);
        std::size_t power = 0;
        for (; rest >= 2 * steps; rest /= 2)
            ++power;
        ++counts_[std::min(power * steps + static_cast<std::size_t>(rest), counts_.size() - 1)];
        ++total_;
    }
    /// Microseconds.
    std::uint64_t percentile(unsigned percent) const
    {
        std::uint64_t left = total_ * percent / 100;
        std::size_t i = 0;
        while (i + 1 < counts_.size() && counts_[i] <= left)
            left -= counts_[i++];
        const std::size_t power = i < 2 * steps ? 0 : i / steps - 1;
        return static_cast<std::uint64_t>(i - power * steps) << power;
    }

private:
    static constexpr std::size_t steps = 32; // for each power of two
    std::array<std::uint64_t, 40 * steps> counts_ = {};
    std::uint64_t total_ = 0;
};

/// What the channels of a run share.
class soak {
public:
    explicit soak(unsigned seed) : random(seed)
    {
        text.resize(2 * longest_frame);
        for (char& c : text)
            c = static_cast<char>('!' + random() % 90);
    }

    std::mt19937 random;
    std::string text; // frames are parts of it
    asynchat::loop loop;
    std::vector<endpoint> servers;                                    // for each protocol
    std::map<std::uint64_t, std::shared_ptr<connection>> connections; // of the living clients
    bool running = false;

    round_trips times;
    std::uint64_t connected = 0;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t kills = 0;
    std::uint64_t ended_whole = 0; // streams whose end was compared
    std::uint64_t faults = 0;
    std::array<std::uint64_t, close_reason_count> ends = {}; // not of our own close()

    void fault(const protocol& where, const char* what)
    {
        fmt::print("{}: {}\n", where.name, what);
        ++faults;
    }

    std::size_t below(std::size_t end) { return random() % end; }

    /// Mostly short ones, some long, and a few longer than all buffers.
    std::string_view next_frame()
    {
        const std::size_t kind = below(1000);
        const std::size_t size = kind == 0   ? below(longest_frame - 16)
                                 : kind < 30 ? below(20000)
                                             : below(300);
        return std::string_view(text).substr(below(longest_frame), size + 1);
    }
};

// --- the two faces -------------------------------------------------------------------------------

class streamed : public async_chat {
public:
    using async_chat::async_chat;
    virtual void heard(std::string_view frame) = 0;

    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override { heard(_get_data()); }
};

class whole : public frame_chat {
public:
    using frame_chat::frame_chat;
    virtual void heard(std::string_view frame) = 0;

    void found_frame(std::string_view frame) override { heard(frame); }
};

// --- both sides ----------------------------------------------------------------------------------

/// What can be done to a channel from outside.
class victim {
public:
    virtual void kill(std::size_t how) = 0;
    virtual void pause(bool on) = 0;

protected:
    ~victim() = default;
};

template <class Face>
class talker : public Face, public victim {
public:
    talker(asynchat::loop& owner, asynchat::socket from, soak& run, const protocol& how)
        : Face(owner, std::move(from)), run_(run), how_(how)
    {
        this->max_frame(longest_frame);
        this->linger_timeout(std::chrono::minutes(1)); // that a machine is busy is no fault
        expect_frame();
    }

    void heard(std::string_view frame) final
    {
        if (std::exchange(doomed_, false))
            throw std::runtime_error("killed");
        if (how_.how == framing::counted) {
            in_body_ = !in_body_;
            if (in_body_)
                return this->set_terminator(*parse_number(frame, longest_frame));
            expect_frame();
        }
        if (in_)
            compare(frame);
        got(frame);
    }

    void handle_close() override
    {
        const auto reason = this->close_reason();
        ++run_.ends[static_cast<std::size_t>(reason)];
        if (in_ && in_->finished && reason == close_reason::peer_finished) {
            ++run_.ended_whole;
            if (!in_->under_way.empty())
                run_.fault(how_, "the stream has ended, and frames are missing");
        }
        if (out_ && reason != close_reason::local)
            out_->finished = false; // the rest is lost, and reported to be
        Face::handle_close();
    }

    void kill(std::size_t how) override
    {
        if (how == 3)
            return finish();
        if (out_)
            out_->finished = false;
        if (how == 0)
            this->abort();
        else if (how == 1)
            this->close();
        else
            doomed_ = true;
    }

    void pause(bool on) override { on ? this->pause_reading() : this->resume_reading(); }

    void handle_log(log_type, std::string_view) override {} // errors are many here

protected:
    virtual void got(std::string_view frame) = 0;

    void join(std::shared_ptr<connection> both, bool is_client)
    {
        both_ = std::move(both);
        out_ = is_client ? &both_->to_server : &both_->to_client;
        in_ = is_client ? &both_->to_client : &both_->to_server;
    }

    /// Sends a frame, and notes that it has to arrive.
    void say(std::string_view frame, bool by_producer)
    {
        const bool by_string = how_.how == framing::line || how_.how == framing::lines;
        bool accepted = by_string || this->push(length_of(frame));
        accepted = accepted && (by_producer ? say_by_producer(frame) : say_at_once(frame));
        if (by_string)
            accepted = accepted && this->push(how_.how == framing::line ? "\r\n" : "\n");
        else if (how_.how == framing::netstring)
            accepted = accepted && this->push(",");
        if (!accepted)
            return;
        out_->sent = add_to_checksum(out_->sent, frame);
        out_->under_way.push_back(out_->sent);
    }

    void finish()
    {
        if (out_ && !this->closed())
            out_->finished = true;
        this->close_when_done();
    }

    void compare(std::string_view frame)
    {
        in_->received = add_to_checksum(in_->received, frame);
        if (in_->under_way.empty())
            return run_.fault(how_, "a frame that nobody has sent");
        if (in_->under_way.front() != in_->received)
            run_.fault(how_, "a frame is not the one that was sent");
        in_->under_way.pop_front();
        ++run_.messages;
        run_.bytes += frame.size();
    }

    soak& run() { return run_; }

private:
    void expect_frame()
    {
        switch (how_.how) {
        case framing::counted: this->set_terminator("\n"); break;
        case framing::line: this->set_terminator("\r\n"); break;
        case framing::lines: this->set_terminator({"\r\n", "\n"}); break;
        case framing::length: this->set_terminator(terminator::length_prefix(4)); break;
        case framing::varint: this->set_terminator(terminator::varint()); break;
        case framing::netstring: this->set_terminator(terminator::netstring()); break;
        }
    }

    std::string length_of(std::string_view frame) const
    {
        std::string length;
        std::size_t left = frame.size();
        if (how_.how == framing::counted)
            return std::to_string(left) + "\n";
        if (how_.how == framing::netstring)
            return std::to_string(left) + ":";
        if (how_.how == framing::length) {
            for (int shift = 24; shift >= 0; shift -= 8)
                length += static_cast<char>(left >> shift & 0xff);
            return length;
        }
        for (; left >= 0x80; left >>= 7)
            length += static_cast<char>(left | 0x80);
        return length += static_cast<char>(left);
    }

    bool say_at_once(std::string_view frame)
    {
        switch (run_.below(3)) {
        case 0: return this->push(frame);
        case 1: return this->push(std::string(frame));
        default: return this->push(std::make_shared<const std::string>(frame));
        }
    }

    bool say_by_producer(std::string_view frame)
    {
        return this->push_with_producer([rest = std::string(frame), at = std::size_t(0),
                                         piece = 1 + run_.below(8000)]() mutable {
            const auto next = std::string_view(rest).substr(at, piece);
            at += next.size();
            return next;
        });
    }

    soak& run_;
    const protocol& how_;
    std::shared_ptr<connection> both_;
    direction* in_ = nullptr;
    direction* out_ = nullptr;
    bool in_body_ = false; // of a counted frame
    bool doomed_ = false;  // throws at the next frame
};

/// Echoes. Its first frame is the number of the connection.
template <class Face>
class server_side : public talker<Face> {
public:
    server_side(asynchat::loop& owner, asynchat::socket from, soak& run, const protocol& how)
        : talker<Face>(owner, std::move(from), run, how)
    {
    }
    void got(std::string_view frame) override
    {
        if (std::exchange(is_known_, true))
            return this->say(frame, this->run().below(4) == 0);
        const auto found = this->run().connections.find(*parse_number(frame, unlimited));
        if (found == this->run().connections.end())
            return this->close(); // the client is gone
        this->join(found->second, false);
        this->compare(frame);
    }

private:
    bool is_known_ = false;
};

void start_client(soak& run);

/// Asks and compares the answers, a few at a time, and ends when it has had enough.
template <class Face>
class client_side : public talker<Face> {
public:
    client_side(asynchat::loop& owner, soak& run, const protocol& how)
        : talker<Face>(owner, asynchat::socket(), run, how), number_(++run.connected),
          left_(1 + run.below(400))
    {
        const auto both = std::make_shared<connection>();
        this->join(both, true);
        run.connections[number_] = both;
        // Two that echo to each other, and both wait for the other one to read, would wait for
        // ever.
        this->when_full(asynchat::full_output::reads_on);
        this->connect(run.servers[static_cast<std::size_t>(&how - protocols)]);
    }
    ~client_side() override
    {
        this->run().connections.erase(number_);
        if (this->run().running)
            this->run().loop.post([&run = this->run()] { start_client(run); });
    }
    void handle_connect() override
    {
        this->say(std::to_string(number_), false);
        for (std::size_t window = 1 + this->run().below(8); window > 0; --window)
            ask();
        finish_if_done();
    }
    void got(std::string_view) override
    {
        this->run().times.add(std::chrono::steady_clock::now() - asked_.front());
        asked_.pop_front();
        ask();
        finish_if_done();
    }

private:
    void ask()
    {
        if (left_ == 0 || !this->run().running)
            return;
        --left_;
        asked_.push_back(std::chrono::steady_clock::now());
        this->say(this->run().next_frame(), this->run().below(10) == 0);
    }
    void finish_if_done()
    {
        if (asked_.empty())
            this->finish();
    }

    std::uint64_t number_;
    std::size_t left_; // questions
    std::deque<std::chrono::steady_clock::time_point> asked_;
};

void start_client(soak& run)
{
    if (!run.running)
        return;
    const protocol& how = protocols[run.below(protocol_count)];
    if (how.whole_frames)
        run.loop.create<client_side<whole>>(run, how);
    else
        run.loop.create<client_side<streamed>>(run, how);
}

class quiet_relay : public relay {
public:
    using relay::relay;
    void handle_log(log_type, std::string_view) override {}
};

/// The end of a relay that a client connects to.
class inward : public quiet_relay {
public:
    inward(asynchat::loop& owner, asynchat::socket from, const endpoint& to)
        : quiet_relay(owner, std::move(from))
    {
        const auto outward = owner.create<quiet_relay>().lock();
        outward->connect(to);
        join(*outward);
        linger_timeout(1min);
        outward->linger_timeout(1min);
    }
};

// --- the run -------------------------------------------------------------------------------------

void start_servers(soak& run)
{
    const endpoint any("127.0.0.1", 0);
    for (const protocol& how : protocols) {
        std::shared_ptr<server_base> made;
        if (how.whole_frames)
            made = run.loop.create<server<server_side<whole>>>(any, std::ref(run), std::cref(how))
                       .lock();
        else
            made =
                run.loop.create<server<server_side<streamed>>>(any, std::ref(run), std::cref(how))
                    .lock();
        if (how.relayed)
            made = run.loop.create<server<inward>>(any, made->local_endpoint()).lock();
        run.servers.push_back(made->local_endpoint());
    }
}

/// Something happens to a channel: three of four times it is over.
void strike(soak& run)
{
    const auto channels = run.loop.channels();
    const auto channel = channels[run.below(channels.size())];
    auto* const met = dynamic_cast<victim*>(channel.get());
    if (!met)
        return; // a listener or a relay
    const std::size_t how = run.below(5);
    if (how < 4) {
        ++run.kills;
        return met->kill(how);
    }
    met->pause(true);
    run.loop.call_later(std::chrono::milliseconds(run.below(50)),
                        [channel = std::weak_ptr<dispatcher>(channel)] {
                            if (const auto alive = channel.lock())
                                dynamic_cast<victim&>(*alive).pause(false);
                        });
}

template <class Done>
bool run_until(soak& run, std::chrono::steady_clock::duration longest, Done done)
{
    const auto end = std::chrono::steady_clock::now() + longest;
    while (!done()) {
        if (std::chrono::steady_clock::now() >= end)
            return false;
        run.loop.poll(10ms);
    }
    return true;
}

double seconds_since(std::chrono::steady_clock::time_point start)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Returns the memory in use when all is over.
std::size_t run_round(soak& run, std::chrono::steady_clock::duration time)
{
    const std::size_t listeners = run.loop.size();
    run.running = true;
    for (std::size_t i = 0; i < client_count; ++i)
        start_client(run);
    timer kills = run.loop.call_every(5ms, [&run] {
        for (int i = 0; i < 4; ++i)
            strike(run);
    });
    run_until(run, time, [] { return false; });
    run.running = false;
    kills.cancel();
    // Those that were asked get their answers, and all leave.
    if (!run_until(run, 2min, [&] { return run.loop.size() == listeners; })) {
        fmt::print("{} channels are stuck\n", run.loop.size() - listeners);
        ++run.faults;
    }
    return support::memory_in_use();
}

void report(const soak& run, std::chrono::steady_clock::time_point start, std::size_t heap)
{
    fmt::print("{:6.1f} s: {} connections, {} messages, {} MiB, {} kills, heap {} KiB\n",
               seconds_since(start), run.connected, run.messages, run.bytes >> 20U, run.kills,
               heap >> 10U);
    std::fflush(stdout);
}

void report_ends(const soak& run)
{
    fmt::print("round trips: p50 {} us, p99 {} us\n", run.times.percentile(50),
               run.times.percentile(99));
    fmt::print("streams compared up to their end: {}\n", run.ended_whole);
    for (std::size_t i = 0; i < run.ends.size(); ++i) {
        if (run.ends[i] > 0)
            fmt::print("channels ended for {}: {}\n", to_string(static_cast<close_reason>(i)),
                       run.ends[i]);
    }
    rusage usage = {};
    ::getrusage(RUSAGE_SELF, &usage);
    fmt::print("largest resident size: {} MiB\n", usage.ru_maxrss / 1024);
}

/// Reads a number of the command line.
bool read(const char* text, unsigned& into)
{
    const auto number = parse_number(text, 1'000'000'000);
    if (number)
        into = static_cast<unsigned>(*number);
    return static_cast<bool>(number);
}

} // namespace

int main(int argc, char** argv)
{
    unsigned seconds = 60;
    unsigned seed = std::random_device()() % 1'000'000'000;
    if (argc > 3 || (argc > 1 && !read(argv[1], seconds)) || (argc > 2 && !read(argv[2], seed))) {
        fmt::print(stderr, "usage: asynchat_soak [SECONDS [SEED]]\n");
        return 2;
    }
    const support::descriptor_limit enough(8 * client_count);
    if (!enough.possible()) {
        fmt::print("skipped: it needs {} descriptors\n", 8 * client_count);
        return 0;
    }
    fmt::print("soak: {} s, {} clients, seed {}\n", seconds, client_count, seed);
    const auto start = std::chrono::steady_clock::now();
    const std::size_t before = support::memory_in_use();
    std::uint64_t faults = 0;
    {
        soak run(seed);
        start_servers(run);
        std::size_t warm = 0;
        std::size_t heap = 0;
        for (int round = 1; round <= rounds; ++round) {
            heap = run_round(run, std::chrono::milliseconds(1000) * seconds / rounds);
            report(run, start, heap);
            if (warm == 0 && seconds_since(start) >= warm_up)
                warm = heap;
        }
        report_ends(run);
        if (heap > before + most_kept || (warm > 0 && heap > warm + most_growth)) {
            fmt::print("memory grows: {} bytes, {} before, {} after the warm-up\n", heap, before,
                       warm);
            ++run.faults;
        }
        if (run.ended_whole == 0 || run.kills == 0) {
            fmt::print("nothing was tried\n");
            ++run.faults;
        }
        faults = run.faults;
    }
    const std::size_t after = support::memory_in_use();
    if (after > before + 512 * 1024) { // what malloc keeps at hand counts as in use
        fmt::print("memory leaks: {} bytes\n", after - before);
        ++faults;
    }
    fmt::print("{:.1f} s, {} faults\n", seconds_since(start), faults);
    return faults == 0 ? 0 : 1;
}
