// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef MONITOR_GATHERER_HPP
#define MONITOR_GATHERER_HPP

#include "snapshot.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace monitor {

// The way back to the monitor's loop, which may end before an answer comes.
class mailbox {
public:
    mailbox(asynchat::loop& to, std::size_t senders) : to_(&to), lost_(senders) {}

    // In the thread of a watched loop, which must not end for want of memory here.
    template <class F>
    void post(std::size_t sender, F f) noexcept
    {
        const std::lock_guard lock(mutex_);
        try {
            if (to_)
                to_->post(std::move(f));
        } catch (const std::exception&) {
            lost_[sender] = true;
        }
    }

    // Whether an answer of this one was lost since the last call.
    bool has_lost(std::size_t sender)
    {
        const std::lock_guard lock(mutex_);
        const bool result = lost_[sender];
        lost_[sender] = false;
        return result;
    }

    void close()
    {
        const std::lock_guard lock(mutex_);
        to_ = nullptr;
    }

private:
    std::mutex mutex_;
    asynchat::loop* to_;
    std::vector<bool> lost_;
};

// Asks the watched loops for snapshots; in the thread of the monitor. However many clients want
// them, each loop is asked five times a second at most, and not again before it has answered.
class gatherer {
public:
    gatherer(asynchat::loop& own, std::vector<source> watched)
        : loop_(own), watched_(std::move(watched)),
          box_(std::make_shared<mailbox>(own, watched_.size())), asked_(watched_.size()),
          latest_(watched_.size())
    {
    }
    ~gatherer() { box_->close(); }
    gatherer(const gatherer&) = delete;
    gatherer& operator=(const gatherer&) = delete;

    // Calls `done`, now or in a second at most.
    void gather(std::function<void()> done)
    {
        using namespace std::chrono_literals;
        if (waiting_.empty() && fresh_until_ > loop_.now())
            return done();
        waiting_.push_back(std::move(done));
        if (patience_.active())
            return;
        patience_ = loop_.call_later(1s, [this] { finish(); });
        for (std::size_t i = 0; i < watched_.size(); ++i)
            ask(i);
    }

    const std::vector<snapshot>& latest() const noexcept { return latest_; }

private:
    void ask(std::size_t number)
    {
        if (asked_[number] && !box_->has_lost(number))
            return;
        asked_[number] = false; // if the next line throws
        watched_[number].owner->post([this, number, from = watched_[number], box = box_] {
            box->post(number, [this, number, taken = take_snapshot(from)]() mutable {
                latest_[number] = std::move(taken);
                answered(number);
            });
        });
        asked_[number] = true;
    }

    void answered(std::size_t number)
    {
        asked_[number] = false;
        if (std::find(asked_.begin(), asked_.end(), true) == asked_.end())
            finish();
    }

    void finish()
    {
        using namespace std::chrono_literals;
        patience_.cancel();
        fresh_until_ = loop_.now() + 200ms;
        for (std::size_t i = 0; i < watched_.size(); ++i)
            latest_[i].is_late = asked_[i];
        for (const auto& done : std::exchange(waiting_, {}))
            done();
    }

    asynchat::loop& loop_;
    std::vector<source> watched_;
    std::shared_ptr<mailbox> box_;
    std::vector<bool> asked_;
    std::vector<snapshot> latest_;
    std::vector<std::function<void()>> waiting_;
    asynchat::scoped_timer patience_;
    asynchat::loop::time_point fresh_until_;
};

} // namespace monitor

#endif
