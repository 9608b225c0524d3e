// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_POOL_IPP
#define ASYNCHAT_IMPL_POOL_IPP

#include <asynchat/pool.hpp>

#include <asynchat/async_chat.hpp>
#include <asynchat/detail/channel_watcher.hpp>
#include <asynchat/detail/failure.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/detail/timing/later.hpp>
#include <asynchat/escape.hpp>

#include <algorithm>
#include <cassert>
#include <new>
#include <stdexcept>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// Of the exception that is handled now.
inline std::error_code current_error()
{
    try {
        throw;
    } catch (const std::system_error& e) {
        return e.code();
    } catch (...) {
        return std::make_error_code(std::errc::not_connected);
    }
}

/// What cuts its input now; nothing for a channel without frames.
inline terminator terminator_of(const dispatcher& channel)
{
    const auto* const chat = dynamic_cast<const async_chat*>(&channel);
    return chat ? chat->get_terminator() : terminator();
}

} // namespace detail

// --- the channels ----------------------------------------------------------------------------

/// What a pool shares with its channels. It owns the function that makes them, and with it their
/// arguments, so these live as long as any of them.
class pool_base::link final : public detail::channel_watcher,
                              public std::enable_shared_from_this<link> {
public:
    link(pool_base& owner, detail::client_maker make) : owner_(&owner), make_(std::move(make)) {}

    std::shared_ptr<dispatcher> make(loop& l)
    {
        auto channel = make_(l);
        detail::channel_access::watch(*channel, shared_from_this());
        return channel;
    }

    /// The pool, or null when it is gone.
    pool_base* owner() const noexcept { return owner_; }
    void leave() noexcept { owner_ = nullptr; }

private:
    void connected(const dispatcher& channel, loop::time_point now) noexcept override
    {
        if (owner_)
            owner_->connected(channel, now);
    }
    void ended(const dispatcher& channel) override
    {
        if (owner_)
            owner_->ended(channel);
    }

    pool_base* owner_;
    detail::client_maker make_;
};

// --- life ------------------------------------------------------------------------------------

ASYNCHAT_RARE pool_base::pool_base(loop& owner, std::vector<target> servers,
                                   detail::client_maker make)
    : loop_(owner),
      servers_(std::move(servers), detail::channel_access::random_of(owner), "pool<T>"),
      link_(std::make_shared<link>(*this, std::move(make)))
{
}

ASYNCHAT_RARE pool_base::~pool_base()
{
    try {
        stop();
    } catch (const std::bad_alloc&) { // then its channels go on
    }
    const auto canceled = std::make_error_code(std::errc::operation_canceled);
    tells_end_ = true;
    while (!waiters_.empty()) { // nobody is added
        receiver done = std::move(waiters_.front().done);
        waiters_.pop_front();
        try {
            tell(done, canceled);
        } catch (...) { // nobody is left to be told
        }
    }
    link_->leave();
}

ASYNCHAT_RARE void pool_base::max_size(std::size_t n)
{
    if (n == 0)
        throw std::invalid_argument("asynchat: max_size(): a pool of no channel");
    max_size_ = n;
    if (!waiters_.empty())
        work_soon();
}

ASYNCHAT_RARE void pool_base::idle_limit(loop::duration limit)
{
    if (limit < loop::duration::zero())
        throw std::invalid_argument("asynchat: idle_limit() is negative");
    idle_limit_ = limit;
}

ASYNCHAT_RARE void pool_base::life_limit(loop::duration limit)
{
    if (limit < loop::duration::zero())
        throw std::invalid_argument("asynchat: life_limit() is negative");
    life_limit_ = limit;
}

ASYNCHAT_RARE std::size_t pool_base::size() const noexcept
{
    return count({stage::connecting, stage::ready, stage::idle, stage::lent}) + making_;
}

ASYNCHAT_RARE std::size_t pool_base::idle() const noexcept
{
    return count({stage::ready, stage::idle});
}

ASYNCHAT_RARE void pool_base::stop()
{
    assert(detail::runs_here(loop_));
    if (std::exchange(stopping_, true))
        return;
    old_age_.cancel();
    if (!waiters_.empty())
        work_soon();
    for (const member& each : members_) {
        if (each.at != stage::lent)
            retire(each.state);
    }
    const auto is_gone = [](const member& each) { return each.at != stage::lent; };
    members_.erase(std::remove_if(members_.begin(), members_.end(), is_gone), members_.end());
}

// --- those who wait --------------------------------------------------------------------------

ASYNCHAT_RARE void pool_base::add_waiter(loop::duration timeout, receiver done)
{
    assert(detail::runs_here(loop_));
    if (timeout < loop::duration::zero())
        throw std::invalid_argument("asynchat: checkout(): a timeout is negative");
    if (tells_end_)
        throw std::system_error(std::make_error_code(std::errc::operation_canceled),
                                "asynchat: checkout(): the pool has been stopped");
    work_soon(); // first: it may throw
    const std::uint64_t number = ++last_number_;
    scoped_timer deadline;
    if (timeout > loop::duration::zero())
        deadline = loop_.call_later(timeout, [this, number] { timed_out(number); });
    waiters_.push_back({number, std::move(done), std::move(deadline)});
    if (waiters_.size() == 1)
        guard_ = loop_.keep_running(); // there may be no channel that does
}

/// The others are served in a later turn, as what is called next may do anything; and what has
/// connected for nobody gets its limit.
inline pool_base::waiter pool_base::take_oldest()
{
    assert(!waiters_.empty());
    if (waiters_.size() > 1 || count({stage::ready}) > 0)
        work_soon();
    waiter oldest = std::move(waiters_.front());
    waiters_.pop_front();
    oldest.deadline.cancel(); // what is called may run the loop
    if (waiters_.empty())
        guard_.release();
    return oldest;
}

ASYNCHAT_RARE void pool_base::fail_oldest(const std::error_code& error)
{
    waiter oldest = take_oldest();
    tell(oldest.done, error);
}

/// When the pool lends no more, whoever asks again after each error would ask without end.
ASYNCHAT_RARE void pool_base::tell(receiver& done, const std::error_code& error)
{
    const detail::scope_exit told([alive = link_, before = std::exchange(tells_end_, stopping_)] {
        if (alive->owner())
            alive->owner()->tells_end_ = before;
    });
    done(nullptr, error);
}

ASYNCHAT_RARE void pool_base::timed_out(std::uint64_t number)
{
    const auto late = std::find_if(waiters_.begin(), waiters_.end(),
                                   [number](const waiter& each) { return each.number == number; });
    assert(late != waiters_.end()); // else its timer would be gone
    receiver done = std::move(late->done);
    waiters_.erase(late);
    if (waiters_.empty())
        guard_.release();
    tell(done, std::make_error_code(std::errc::timed_out));
}

// --- work ------------------------------------------------------------------------------------

/// Calls work() in a later turn.
ASYNCHAT_RARE void pool_base::work_soon()
{
    if (work_posted_)
        return;
    detail::channel_access::post(loop_, [weak = std::weak_ptr<link>(link_)] {
        if (const auto alive = weak.lock(); alive && alive->owner())
            alive->owner()->work();
    });
    work_posted_ = true;
}

ASYNCHAT_RARE void pool_base::try_work_soon() noexcept
{
    try {
        work_soon();
    } catch (const std::bad_alloc&) { // then with the next event of the pool
    }
}

/// Serves one who waits. The pool is not used behind a call of user code.
ASYNCHAT_RARE void pool_base::work()
{
    work_posted_ = false;
    if (stopping_) {
        if (!waiters_.empty())
            fail_oldest(std::make_error_code(std::errc::operation_canceled));
        return;
    }
    const auto failed = std::find_if(members_.begin(), members_.end(),
                                     [](const member& each) { return each.at == stage::failed; });
    if (failed != members_.end()) {
        const std::error_code error = failed->error;
        members_.erase(failed);
        const bool is_told = waiters_.size() > idle(); // else there is a channel for each
        return is_told ? fail_oldest(error) : work_soon();
    }
    if (waiters_.empty())
        return end_old_ones(); // a channel may have connected for nobody
    const auto alive = link_;
    const auto channel = find_ready();
    if (!alive->owner() || waiters_.empty() || stopping_)
        return;
    channel ? lend(channel) : connect_for_waiters();
}

/// The connected channel that was handed back last, if nothing has arrived on it; null without one.
/// Calls user code when something has.
ASYNCHAT_RARE std::shared_ptr<dispatcher> pool_base::find_ready()
{
    const auto alive = link_;
    while (alive->owner()) {
        const auto channel = newest_ready();
        if (!channel)
            break;
        detail::channel_access::look_before_use(*channel);
        if (alive->owner() && channel == newest_ready())
            return channel;
    }
    return nullptr;
}

ASYNCHAT_RARE std::shared_ptr<dispatcher> pool_base::newest_ready() const
{
    for (auto at = members_.rbegin(); at != members_.rend(); ++at) {
        if (at->at != stage::idle && at->at != stage::ready)
            continue;
        auto channel = at->state->channel();
        const bool is_watched = at->at == stage::ready || at->state->parked;
        if (channel && is_watched && channel->connected() &&
            !detail::channel_access::is_ending(*channel))
            return channel;
    }
    return nullptr;
}

ASYNCHAT_RARE void pool_base::lend(const std::shared_ptr<dispatcher>& channel)
{
    member& lent = *find(*channel);
    if (lent.at == stage::ready)
        lent.at_rest = detail::terminator_of(*channel);
    waiter oldest = take_oldest();
    lent.at = stage::lent;
    detail::channel_access::unpark(*channel);
    detail::channel_access::in_rare_event(*channel, [&] { oldest.done(channel.get(), {}); });
}

ASYNCHAT_RARE void pool_base::connect_for_waiters()
{
    const auto alive = link_;
    // A constructor may have closed its channel, and stop the pool.
    const auto attempts = [this] {
        return count({stage::connecting, stage::ready, stage::failed}) + making_;
    };
    while (attempts() < waiters_.size() && size() < max_size_ && !stopping_) {
        const std::error_code error = connect_one();
        if (!alive->owner())
            return;
        if (error && !waiters_.empty())
            return fail_oldest(error);
    }
}

/// Makes a channel, and begins to connect it. Returns an error when there is none.
ASYNCHAT_RARE std::error_code pool_base::connect_one()
{
    const target& to = servers_.take();
    std::shared_ptr<dispatcher> channel;
    try {
        ++making_;
        const detail::scope_exit made([this] { --making_; });
        channel = link_->make(loop_);
        if (stopping_) { // by its constructor
            channel->close();
            return std::make_error_code(std::errc::operation_canceled);
        }
        members_.emplace_back(detail::channel_access::state(*channel));
        detail::target_list::connect(*channel, to);
    } catch (const exit_now&) {
        work_soon(); // when the loop runs again
        throw;
    } catch (...) {
        const std::error_code error = detail::current_error();
        detail::channel_access::log(loop_, log_type::error,
                                    "no channel for " +
                                        escaped(to.to_string(), detail::longest_name) + ": " +
                                        detail::failure::text());
        if (!channel || channel->closed() || find(*channel) == members_.end())
            return error;
        find(*channel)->error = error;
        detail::channel_access::close_with(*channel, detail::failure::current().reason);
        return {};
    }
    detail::channel_access::begin(channel);
    return {};
}

ASYNCHAT_RARE void pool_base::connected(const dispatcher& channel, loop::time_point now) noexcept
{
    const auto at = find(channel);
    if (at == members_.end() || at->at != stage::connecting)
        return; // or it has another connection
    at->at = stage::ready;
    at->dies_at = limit(now, life_limit_);
    at->ends_at = std::min(limit(now, idle_limit_), at->dies_at);
    try_work_soon();
}

/// If it was not lent yet, the oldest waiter gets its error: another attempt would be a retry.
ASYNCHAT_RARE void pool_base::ended(const dispatcher& channel) noexcept
{
    const auto at = find(channel);
    if (at == members_.end())
        return;
    const bool was_new = at->at == stage::connecting || at->at == stage::ready;
    if (was_new && !waiters_.empty()) {
        at->at = stage::failed;
        if (!at->error)
            at->error = channel.close_error();
        if (!at->error)
            at->error = std::make_error_code(std::errc::not_connected);
    } else {
        members_.erase(at);
    }
    if (!waiters_.empty())
        try_work_soon();
}

// --- the way back ----------------------------------------------------------------------------

ASYNCHAT_RARE void pool_base::take_back(dispatcher& channel)
{
    const auto at = find(channel);
    if (at == members_.end() || at->at != stage::lent)
        throw std::invalid_argument("asynchat: give_back(): the pool has not lent this channel");
    if (!waiters_.empty())
        work_soon();
    const auto now = loop_.now();
    const auto state = at->state;
    if (stopping_ || at->dies_at <= now || size() > max_size_) {
        members_.erase(at);
        return retire(state);
    }
    if (detail::terminator_of(channel) != at->at_rest || !detail::channel_access::park(channel)) {
        members_.erase(at);
        return channel.close();
    }
    at->at = stage::idle;
    at->ends_at = std::min(limit(now, idle_limit_), at->dies_at);
    end_by(at->ends_at);
    std::rotate(at, at + 1, members_.end());
}

inline std::vector<pool_base::member>::iterator pool_base::find(const dispatcher& channel) noexcept
{
    const auto* const state = detail::channel_access::state(channel).get();
    return std::find_if(members_.begin(), members_.end(),
                        [state](const member& each) { return each.state.get() == state; });
}

ASYNCHAT_RARE std::size_t pool_base::count(std::initializer_list<stage> stages) const noexcept
{
    return static_cast<std::size_t>(
        std::count_if(members_.begin(), members_.end(), [&](const member& each) {
            return std::find(stages.begin(), stages.end(), each.at) != stages.end();
        }));
}

// --- limits ----------------------------------------------------------------------------------

/// When a limit is over that begins now, earlier by a random part of up to a tenth.
inline loop::time_point pool_base::limit(loop::time_point from, loop::duration max)
{
    if (max == loop::duration::zero())
        return loop::time_point::max();
    auto& numbers = detail::channel_access::random_of(loop_);
    return detail::later(from, max - numbers.up_to(max / 10));
}

/// Ends the idle channels whose time is over.
ASYNCHAT_RARE void pool_base::end_old_ones()
{
    const auto now = loop_.now();
    auto next = loop::time_point::max();
    for (auto at = members_.begin(); at != members_.end();) {
        const bool is_idle = at->at == stage::idle || at->at == stage::ready;
        if (is_idle && at->ends_at <= now) {
            retire(at->state);
            at = members_.erase(at);
            continue;
        }
        if (is_idle)
            next = std::min(next, at->ends_at);
        ++at;
    }
    end_by(next);
}

/// One timer for all: it is set anew only for an earlier time, so not for each give_back().
ASYNCHAT_RARE void pool_base::end_by(loop::time_point time)
{
    if (time == loop::time_point::max() || (old_age_.active() && old_age_at_ <= time))
        return;
    old_age_ = loop_.call_later(time - loop_.now(), [this] { end_old_ones(); });
    old_age_at_ = time;
}

/// Lets a channel end that the pool does not count any more.
ASYNCHAT_RARE void pool_base::retire(const detail::state_ptr& state)
{
    const auto channel = state->channel();
    if (!channel)
        return;
    detail::channel_access::unpark(*channel);
    detail::channel_access::shut_down_soon(*channel);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
