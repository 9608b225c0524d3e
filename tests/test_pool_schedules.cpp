// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/pool_worker.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using asynchat::target;
using support::here;
using support::lines;
using support::worker_handle;
using support::worker_pool;

namespace {

/// Random use of a pool by many, and random ends.
class schedule {
public:
    explicit schedule(std::uint64_t seed) : random_(seed * 7919), loop_(seed)
    {
        loop_.log_sink([](asynchat::log_type, std::string_view) {});
        listener_.emplace(loop_.listen(here));
        pool_.emplace(loop_, target(here), std::ref(told_));
        max_size_ = 1 + random_.below(4);
        pool_->max_size(max_size_);
        pool_->idle_limit(std::chrono::seconds(1 + random_.below(20)));
        if (random_.below(2) == 0)
            pool_->life_limit(30s);
        if (random_.below(4) == 0)
            loop_.answer_after(here, 300ms);
    }

    void run()
    {
        for (int i = 0; i < 60; ++i) {
            step();
            REQUIRE(pool_->size() <= max_size_);
        }
        if (random_.below(2) == 0) {
            pool_->stop();
            loop_.advance(1min);
            CHECK(pool_->waiting() == 0);
        }
        pool_.reset();
        loop_.advance(1min);
        for (const int calls : calls_)
            REQUIRE(calls == 1);
    }

private:
    void step()
    {
        switch (random_.below(12)) {
        case 0:
        case 1:
        case 2:
        case 3: return ask();
        case 4:
        case 5:
        case 6: return give_back();
        case 7: return end_a_peer();
        case 8: return loop_.advance(std::chrono::milliseconds(random_.below(3000)));
        case 9: return turn_server();
        case 10:
            drop_ended();
            if (!used_.empty() && random_.below(2) == 0)
                used_.at(random_.below(used_.size()))->close();
            return;
        case 11: return loop_.settle();
        }
    }

    void ask()
    {
        const std::size_t number = calls_.size();
        calls_.push_back(0);
        const auto timeout = std::chrono::milliseconds(random_.below(2) * random_.below(2000));
        pool_->checkout(timeout,
                        [this, number](const worker_handle& channel, const std::error_code& error) {
                            ++calls_.at(number);
                            REQUIRE(channel.empty() == static_cast<bool>(error));
                            if (error)
                                return;
                            REQUIRE(channel->connected());
                            REQUIRE(std::find(used_.begin(), used_.end(), channel) == used_.end());
                            REQUIRE(spoilt_.count(channel->local_endpoint().to_string()) == 0);
                            used_.push_back(channel);
                            known_.insert(channel->local_endpoint().to_string());
                        });
        REQUIRE(calls_.at(number) == 0); // not inside the call
    }

    void give_back()
    {
        drop_ended();
        if (used_.empty())
            return;
        const auto at = used_.begin() + static_cast<std::ptrdiff_t>(random_.below(used_.size()));
        const worker_handle channel = *at;
        used_.erase(at);
        pool_->give_back(channel);
    }

    void drop_ended()
    {
        used_.erase(std::remove_if(used_.begin(), used_.end(),
                                   [](const worker_handle& each) { return !each; }),
                    used_.end());
    }

    /// Something arrives on a connection, which may be idle or in use.
    void end_a_peer()
    {
        while (listener_ && listener_->waiting() > 0)
            peers_.push_back(listener_->accept());
        if (peers_.empty())
            return;
        auto& peer = peers_.at(random_.below(peers_.size()));
        const auto client = peer.peer_endpoint().to_string();
        const bool is_used = std::any_of(used_.begin(), used_.end(), [&](const auto& each) {
            return each && each->local_endpoint().to_string() == client;
        });
        const auto what = random_.below(3);
        if (finished_.count(client) > 0)
            return; // nothing comes behind its end
        if (what > 0)
            finished_.insert(client);
        what == 0 ? peer.send("input\n") : what == 1 ? peer.finish() : peer.reset();
        if (is_used)
            loop_.settle(); // it is for the user
        else if (what != 0 || known_.count(client) > 0)
            spoilt_.insert(client); // bytes before the first use are for the channel
    }

    void turn_server()
    {
        if (listener_)
            listener_.reset();
        else
            listener_.emplace(loop_.listen(here));
    }

    asynchat::detail::random random_;
    lines told_;
    asynchat::testing::loop loop_;
    std::optional<asynchat::testing::listener> listener_;
    std::vector<asynchat::testing::peer> peers_;
    std::optional<worker_pool> pool_;
    std::size_t max_size_ = 0;
    std::vector<int> calls_; // of the checkouts
    std::vector<worker_handle> used_;
    std::set<std::string> known_;    // addresses of channels that were lent
    std::set<std::string> finished_; // and of those whose peer has ended its stream
    std::set<std::string> spoilt_;   // and of those that must not be lent any more
};

} // namespace

TEST_CASE("pool: each checkout has one result, and no spoilt channel, in 1,000 random schedules",
          "[pool][slow]")
{
    asynchat::testing::for_seeds(1000, [](std::uint64_t seed) { schedule(seed).run(); });
}
