// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// One peer floods, a hundred are polite: what an event may take, and who is served when.
#include "guards/guard.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t connections = 101; // the first one floods
constexpr std::size_t flooder = 0;
constexpr std::size_t in_buffer_size = 4096;
constexpr std::size_t rounds = 50;

/// Which channel was served, and how many bytes the event took.
struct serving {
    std::size_t channel;
    std::size_t bytes;
};

/// Notes its servings.
class traced : public asynchat::async_chat {
public:
    traced(asynchat::loop& owner, asynchat::socket from, std::size_t& served)
        : async_chat(owner, std::move(from)), slot_(owner.size()), served_(served)
    {
        ac_in_buffer_size = in_buffer_size;
        set_terminator("\n");
    }
    std::size_t recv(asio::mutable_buffer into) override
    {
        const std::size_t received = async_chat::recv(into);
        bytes_ += received;
        return received;
    }
    void handle_read() override
    {
        bytes_ = 0;
        async_chat::handle_read();
        if (bytes_ == 0)
            return; // a look for more that found nothing
        trace->push_back({slot_, bytes_});
        ++served_;
    }
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}

    std::vector<serving>* trace = nullptr;

private:
    std::size_t slot_;
    std::size_t bytes_ = 0;
    std::size_t& served_;
};

/// How the loop runs: by itself, when it looks for more input before it waits, or pass by pass.
enum class driver { run, poll };

/// A flood that never ends, and polite peers that send what the guard lets them send.
class crowd {
public:
    explicit crowd(driver by) : driver_(by), flood_(guards::lines(in_buffer_size / 2, 2))
    {
        for (std::size_t i = 0; i < connections; ++i)
            all_.channel(i).trace = &trace_;
        for (int i = 0; i < 4; ++i)
            all_.send(flooder, flood_); // more than one event takes, at any time
    }

    void send_line(std::size_t peer) { all_.send(peer, "a line\n"); }

    /// Serves some channels and returns the servings.
    std::vector<serving> step()
    {
        trace_.clear();
        driver_ == driver::run ? all_.serve(1) : all_.poll();
        for (const serving& each : trace_) {
            if (each.channel == flooder)
                all_.send(flooder, flood_);
        }
        return trace_;
    }

private:
    driver driver_;
    std::string flood_;
    std::vector<serving> trace_;
    guards::lockstep<traced> all_{connections};
};

/// The polite ones always have something to say as well. `bar`: how often the flooder is served
/// between two servings of a polite one; it gets one buffer each time.
void check_equals(guards::report& report, driver by, const std::string& how, std::size_t bar)
{
    crowd all(by);
    for (std::size_t i = 1; i < connections; ++i)
        all.send_line(i);
    std::size_t floods = 0;
    std::vector<std::size_t> floods_before(connections); // when a polite one was last served
    std::size_t longest = 0;
    std::size_t fewest_bytes = in_buffer_size;
    std::size_t most_bytes = 0;
    while (floods < rounds) {
        for (const serving& each : all.step()) {
            if (each.channel == flooder) {
                ++floods;
                fewest_bytes = std::min(fewest_bytes, each.bytes);
                most_bytes = std::max(most_bytes, each.bytes);
            } else {
                longest = std::max(longest, floods - floods_before[each.channel]);
                floods_before[each.channel] = floods;
                all.send_line(each.channel);
            }
        }
    }
    for (std::size_t i = 1; i < connections; ++i)
        longest = std::max(longest, floods - floods_before[i]);
    report.at_most("servings of the flooder between two of a peer, " + how, double(longest),
                   double(bar));
    report.at_most("bytes of one serving, " + how, double(most_bytes), in_buffer_size);
    if (fewest_bytes < in_buffer_size)
        throw support::test_error("the flooder does not flood");
}

/// The polite ones speak one at a time, each when the one before was served. `bar`: how often the
/// flooder comes first.
void check_late_comers(guards::report& report, driver by, const std::string& how, std::size_t bar)
{
    crowd all(by);
    std::size_t longest = 0;
    for (std::size_t speaker = 1; speaker < connections; ++speaker) {
        all.send_line(speaker);
        std::size_t floods = 0;
        for (bool served = false; !served && floods < rounds;) {
            for (const serving& each : all.step()) {
                served = served || each.channel == speaker;
                floods += served ? 0 : 1;
            }
        }
        longest = std::max(longest, floods);
    }
    report.at_most("servings of the flooder before a late line, " + how, double(longest),
                   double(bar));
}

} // namespace

int main()
try {
    guards::report report;
    check_equals(report, driver::run, "run()", 1);
    check_late_comers(report, driver::run, "run()", 1);
    // A pass begins with what the one before found ready while it ran, which may be the flooder.
    check_equals(report, driver::poll, "poll()", 2);
    check_late_comers(report, driver::poll, "poll()", 2);
    return report.exit_code();
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
