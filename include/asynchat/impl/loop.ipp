// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_LOOP_IPP
#define ASYNCHAT_IMPL_LOOP_IPP

#include <asynchat/loop.hpp>

#include <asynchat/dispatcher.hpp>
#include <asynchat/detail/run_then_always.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/detail/timing/system_clock.hpp>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>

#include <algorithm>
#include <cassert>
#include <csignal>
#include <cstdint>
#include <new>
#include <random>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

// No concurrency hint: with a hint of 1 Asio keeps the count of what a handler posts to itself
// until the handler returns, and a nested run() would find no work.
ASYNCHAT_RARE loop::loop(std::unique_ptr<detail::clock> clock, detail::network* network)
    : own_context_(std::make_unique<asio::io_context>()), context_(own_context_.get()),
      anchor_(std::make_shared<detail::loop_anchor>(detail::loop_anchor{this})),
      clock_(std::move(clock)), network_(network)
{
}

ASYNCHAT_RARE loop::loop(detail::this_asio) : loop(std::unique_ptr<detail::clock>())
{
    clock_ = std::make_unique<detail::system_clock>(*context_);
}

ASYNCHAT_RARE loop::loop(asio::io_context& borrowed, detail::this_asio)
    : context_(&borrowed),
      anchor_(std::make_shared<detail::loop_anchor>(detail::loop_anchor{this})),
      clock_(std::make_unique<detail::system_clock>(borrowed))
{
}

ASYNCHAT_RARE loop::~loop()
{
    anchor_.reset();
    // No handler runs here. But the destructors of channels and of timer functions may close other
    // channels and create new ones.
    while (!channels_.empty() || !timers_.empty()) {
        const turn in_turn(*this);
        while (open() > 0)
            detail::channel_access::close_with(*channels_[open() - 1]->owned,
                                               close_reason::shutdown);
        while (!timers_.empty()) {
            const auto gone = timers_.pop();
            if (gone.timer)
                gone.timer->done = true;
        }
    }
}

// --- channels --------------------------------------------------------------------------------

ASYNCHAT_RARE std::vector<std::shared_ptr<dispatcher>> loop::channels() const
{
    check_thread();
    std::vector<std::shared_ptr<dispatcher>> all;
    all.reserve(open());
    for (std::size_t i = 0; i < open(); ++i) {
        if (!channels_[i]->hidden)
            all.push_back(channels_[i]->owned);
    }
    return all;
}

ASYNCHAT_DECL void loop::adopt(std::shared_ptr<dispatcher> channel, bool sends_plainly,
                               bool keeps_terminator)
{
    detail::channel_access::set_overrides(*channel, sends_plainly, keeps_terminator);
    if (channel->closed()) // by its own constructor
        return;
    const auto state = detail::channel_access::state(*channel);
    // Behind the open channels. Among the closed ones, the doomed stay in front of the others.
    channels_.push_back(state);
    swap_channels(channels_.size() - 1, open() - 1 + doomed_);
    swap_channels(open() - 1 + doomed_, open() - 1);
    assert(!state->owned && channels_[open() - 1].get() == state.get());
    state->number = adopted_++;
    if (state->hidden)
        ++hidden_;
    if (state->lingers)
        lingerers_.opened();
    state->owned = std::move(channel);
}

/// Starts the events of an adopted channel. If a server made it, it is already in its slot.
ASYNCHAT_DECL void loop::begin(const std::shared_ptr<dispatcher>& channel)
{
    using detail::channel_access;
    if (channel->closed()) // by its own constructor
        return channel_access::tell_end(*channel);
    const turn in_turn(*this);
    const auto state = channel_access::state(*channel);
    const auto tell_open = [&] {
        channel_access::guarded(*channel, [&] { channel_access::tell_open(*channel); });
    };
    detail::run_then_always(tell_open, [&] { // also after exit_now
        channel_access::guarded(*channel, [&] { channel->update_interest(); });
        channel_access::guarded(*channel, [&] {
            if (!state->flush_listed)
                return;
            state->flush_listed = false;
            flush_soon(state); // the output of the constructor
        });
    });
}

ASYNCHAT_DECL void loop::remove(detail::channel_state& state)
{
    assert(state.index < open() && channels_[state.index].get() == &state); // among the open ones
    // The caller of close() may be a function of the channel: the end of the turn destroys it.
    drop_deadline(state);
    if (state.hidden)
        --hidden_;
    if (state.lingers)
        lingerers_.closed();
    state.closed = true;
    swap_channels(state.index, open() - 1);
    ++closed_;
    doom(open());
    if (turns_ == 0) {
        try {
            post([] {});                  // a turn
        } catch (const std::bad_alloc&) { // the next turn destroys it
        }
    }
    end_run();
}

/// Called when a reason to run is gone: makes run() check for another reason.
inline void loop::end_run()
{
    if (!has_to_run() && running_ > 0 && own_context_)
        context_->stop();
}

ASYNCHAT_DECL void loop::swap_channels(std::size_t a, std::size_t b) noexcept
{
    std::swap(channels_[a], channels_[b]);
    channels_[a]->index = static_cast<unsigned>(a);
    channels_[b]->index = static_cast<unsigned>(b);
}

ASYNCHAT_RARE void loop::close_all(bool ignore_all)
{
    const turn in_turn(*this);
    for (const auto& channel : channels()) {
        if (channel->closed())
            continue;
        detail::channel_access::set_reason(*channel, close_reason::shutdown);
        const detail::scope_exit done([&channel] {
            if (!channel->closed())
                detail::channel_access::set_reason(*channel, close_reason::open);
        });
        try {
            channel->close();
        } catch (const exit_now&) {
            throw;
        } catch (const std::system_error& error) {
            if (!ignore_all && error.code() != std::errc::bad_file_descriptor)
                throw;
        } catch (...) {
            if (!ignore_all)
                throw;
        }
        detail::channel_access::close_with(*channel, close_reason::shutdown);
    }
    // From the back, because the last channel takes the place of a closed one.
    for (std::size_t i = open(); i-- > 0;) {
        if (channels_[i]->hidden)
            channels_[i]->owned->close();
    }
}

/// The random numbers of the clients of this loop.
ASYNCHAT_DECL detail::random& loop::random_numbers()
{
    if (!random_) {
        std::random_device system;
        random_.emplace(std::uint64_t{system()} << 32U | system());
    }
    return *random_;
}

// --- the thread --------------------------------------------------------------------------------

ASYNCHAT_DECL bool detail::runs_here(const loop& owner) noexcept
{
    const std::thread::id thread = owner.thread_;
    return thread == std::thread::id() || thread == std::this_thread::get_id();
}

/// Begins a run or a turn: the outermost one records the thread. So a borrowed io_context that its
/// owner runs counts only while an event of this loop is on the stack.
inline void loop::enter_thread() noexcept
{
    check_thread();
#ifndef NDEBUG
    if (running_ == 0 && turns_ == 0)
        thread_ = std::this_thread::get_id();
#endif
}

inline void loop::leave_thread() noexcept
{
#ifndef NDEBUG
    if (running_ == 0 && turns_ == 0)
        thread_ = std::thread::id();
#endif
}

ASYNCHAT_DECL void loop::enter_turn() noexcept
{
    enter_thread();
    ++turns_;
    if (turn_watch_)
        begin_watch();
}

ASYNCHAT_DECL void loop::begin_watch() noexcept
{
    if (turns_ == 1)
        turn_watch_->began = now();
}

ASYNCHAT_DECL void loop::end_watch() noexcept
{
    if (turns_ == 0)
        turn_watch_->f(now() - turn_watch_->began);
}

ASYNCHAT_DECL void loop::leave_turn() noexcept
{
    assert(turns_ > turns_before_);
    if (doomed_ > 0 && turns_ == turns_before_ + 1)
        destroy_closed();
    --turns_;
    if (turn_watch_)
        end_watch();
    leave_thread();
}

/// Dooms a closed channel: it is destroyed with the turn. A channel that is older than a nested
/// run() is not doomed, because one of its functions may be further out on the stack.
inline void loop::doom(std::size_t closed) noexcept
{
    if (channels_[closed]->number - adopted_before_ < adopted_ - adopted_before_)
        ++doomed_;
    else
        swap_channels(closed, open() + doomed_);
}

/// Called when a nested run() begins and ends.
ASYNCHAT_DECL void loop::find_doomed() noexcept
{
    doomed_ = 0;
    for (std::size_t at = open(); at < channels_.size(); ++at) {
        if (channels_[at]->number - adopted_before_ < adopted_ - adopted_before_)
            swap_channels(at, open() + doomed_++);
    }
}

/// Destroys the doomed channels. Their destructors are user code and may close other channels, so
/// this is part of the turn.
ASYNCHAT_DECL void loop::destroy_closed() noexcept
{
    while (doomed_ > 0) {
        assert(doomed_ <= closed_ && closed_ <= channels_.size());
        swap_channels(open() + --doomed_, channels_.size() - 1);
        const auto state = std::move(channels_.back());
        channels_.pop_back();
        --closed_;
        assert(state->heap_index == detail::not_queued); // its deadline was removed
        detail::channel_access::tell_end(*state->owned);
        const auto gone = std::move(state->owned);
    }
}

/// All buffers are in use. Reserves the place for the return of the new one, which must not throw.
ASYNCHAT_DECL std::unique_ptr<detail::receive_buffer> loop::new_receive_buffer()
{
    receive_buffers_.reserve(receive_buffers_.capacity() + 1);
    return std::make_unique<detail::receive_buffer>();
}

// --- output outside of events ----------------------------------------------------------------

ASYNCHAT_DECL void loop::flush_soon(const detail::state_ptr& state)
{
    if (!state->flush_listed && state->live())
        to_flush_.push(state);
    state->flush_listed = true;
    if (!flush_posted_ && state->live()) // otherwise it is not adopted yet
        post_flush();
}

ASYNCHAT_DECL void loop::post_function(callback f)
{
    post([f = std::move(f)]() mutable { f(); });
}

ASYNCHAT_DECL void loop::post_call(void (loop::*what)())
{
    asio::post(*context_, [anchor = std::weak_ptr<detail::loop_anchor>(anchor_), what] {
        if (const auto alive = anchor.lock())
            (alive->owner->*what)();
    });
}

ASYNCHAT_DECL void loop::post_flush()
{
    post_call(&loop::flush_posted);
    flush_posted_ = true;
}

ASYNCHAT_DECL void loop::flush_posted()
{
    // Channels that are listed during this round wait for the next round. After an exception the
    // rest of this round does too.
    const auto flush_listed = [this] {
        const turn in_turn(*this);
        for (std::size_t left = to_flush_.size(); left > 0 && !to_flush_.is_empty(); --left) {
            const auto state = *to_flush_.pop();
            state->flush_listed = false;
            if (const auto channel = state->channel())
                detail::channel_access::in_event(*channel, [] {});
        }
    };
    detail::run_then_always(flush_listed, [this] {
        flush_posted_ = false;
        if (!to_flush_.is_empty())
            post_flush();
    });
}

// --- looking ahead -----------------------------------------------------------------------------

/// Lists a channel after its event. It tries to receive once more after all other ready channels,
/// before it waits: if input is there, this saves the system call of the wait.
ASYNCHAT_DECL void loop::try_again_soon(const detail::state_ptr& state)
{
    to_look_at_.push(state);
    state->try_again_listed = true;
    if (!look_posted_)
        post_look();
}

ASYNCHAT_DECL void loop::post_look()
{
    post_call(&loop::try_again);
    look_posted_ = true;
}

ASYNCHAT_DECL void loop::try_again()
{
    const auto try_listed = [this] {
        const turn in_turn(*this);
        const bool alone = to_look_at_.size() == 1;
        for (std::size_t left = to_look_at_.size(); left > 0 && !to_look_at_.is_empty(); --left) {
            const auto state = *to_look_at_.pop();
            const bool listed = state->try_again_listed; // false if it has another socket now
            state->try_again_listed = false;
            if (listed && state->live())
                detail::channel_access::speculative_read(*state->live(), alone);
        }
    };
    detail::run_then_always(try_listed, [this] {
        look_posted_ = false;
        if (!to_look_at_.is_empty())
            post_look();
    });
}

// --- running ---------------------------------------------------------------------------------

/// A run() or poll() on the stack.
class loop::running {
public:
    explicit running(loop& owner, bool polls)
        : loop_(owner), outer_(std::exchange(owner.current_, nullptr)),
          outer_polls_(std::exchange(owner.polls_, polls)), turns_before_(owner.turns_before_),
          adopted_before_(owner.adopted_before_), work_(asio::make_work_guard(*owner.context_))
    {
        loop_.enter_thread();
        ++loop_.running_;
        if (loop_.turns_ > turns_before_) { // in a callback
            loop_.turns_before_ = loop_.turns_;
            loop_.adopted_before_ = loop_.adopted_;
            loop_.find_doomed();
        }
        if (outer_)
            detail::channel_access::nested_run(*outer_, true);
        // A flush_posted() or try_again() further out continues only when this run returns.
        loop_.flush_posted_ = loop_.look_posted_ = loop_.openings_posted_ = false;
        if (!loop_.to_open_.is_empty())
            loop_.post_openings();
        if (!loop_.to_flush_.is_empty())
            loop_.post_flush();
        if (!loop_.to_look_at_.is_empty())
            loop_.post_look();
        loop_.wait_for_timers();
        if (loop_.context_->stopped())
            loop_.context_->restart();
    }
    ~running()
    {
        loop_.current_ = outer_;
        loop_.polls_ = outer_polls_;
        if (loop_.turns_ > turns_before_) {
            loop_.turns_before_ = turns_before_;
            loop_.adopted_before_ = adopted_before_;
            loop_.find_doomed();
        }
        if (outer_)
            detail::channel_access::nested_run(*outer_, false);
        // The reason that ends this run may end the outer run(): stop it too, or let it check.
        if (--loop_.running_ == 0)
            loop_.stop_requested_ = false;
        else if (loop_.own_context_ && (loop_.stop_requested_ || !loop_.has_to_run()))
            loop_.context_->stop();
        loop_.leave_thread();
    }
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    /// The event further out continues only when this run returns, so the output of its channel is
    /// sent now. Not with post(): a posted function is work, and poll() would not wait.
    void flush_outer()
    {
        if (outer_)
            detail::channel_access::in_event(*outer_, [] {});
    }

private:
    loop& loop_;
    dispatcher* outer_;
    bool outer_polls_;
    int turns_before_;
    unsigned adopted_before_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
};

ASYNCHAT_DECL void loop::run()
{
    running guard(*this, false);
    guard.flush_outer();
    poll(); // functions posted before, also those of an outer handler
    while (has_to_run() && !stop_requested_) {
        if (!own_context_)
            context_->run_one();
        else if (!clock_->run(*context_)) // until nothing has to run, or stop()
            return;
        if (context_->stopped())
            context_->restart();
    }
}

ASYNCHAT_DECL void loop::run(std::size_t count, duration timeout)
{
    running guard(*this, true);
    guard.flush_outer();
    while (count-- > 0 && has_to_run() && !stop_requested_)
        poll(timeout);
}

ASYNCHAT_DECL bool loop::poll(duration timeout)
{
    running guard(*this, true);
    guard.flush_outer();
    if (stop_requested_)
        return false;
    constexpr duration max_timeout = std::chrono::hours(24 * 365); // more would overflow the clock
    // poll_one() also gets the functions that an outer handler has posted; run_one() does not see
    // them and would wait.
    bool ran = context_->poll_one() > 0;
    if (!ran && has_to_run() && timeout > duration::zero())
        ran = clock_->run_one_until(*context_, now() + std::min(timeout, max_timeout));
    if (!ran)
        return false;
    // All handlers that were ready together with the first are queued now. Handlers that become
    // ready later are queued behind the marker.
    const auto at_marker = std::make_shared<bool>(false);
    asio::post(*context_, [at_marker] { *at_marker = true; });
    while (!*at_marker && !stop_requested_ && context_->poll_one() > 0) {
    }
    return true;
}

ASYNCHAT_RARE run_guard loop::keep_running()
{
    ++guards_;
    return run_guard(anchor_);
}

/// Called in any thread. The guard counts until the loop handles this post, after all earlier
/// posts: so the loop cannot end and be destroyed during this call.
ASYNCHAT_DECL void loop::end_guard() noexcept
{
    try {
        asio::post(*context_, [anchor = std::weak_ptr<detail::loop_anchor>(anchor_)] {
            if (const auto alive = anchor.lock()) {
                --alive->owner->guards_;
                alive->owner->end_run();
            }
        });
    } catch (const std::bad_alloc&) {
        --guards_;
        if (own_context_)
            context_->stop(); // run() checks again
    }
}

ASYNCHAT_DECL run_guard& run_guard::operator=(run_guard&& other) noexcept
{
    const auto next = std::exchange(other.loop_, {});
    release();
    loop_ = next;
    return *this;
}

ASYNCHAT_DECL run_guard::~run_guard()
{
    release();
}

ASYNCHAT_DECL void run_guard::release() noexcept
{
    if (const auto alive = std::exchange(loop_, {}).lock())
        alive->owner->end_guard();
}

ASYNCHAT_RARE void loop::stop()
{
    stop_requested_ = true;
    if (own_context_)
        context_->stop();
    else
        asio::post(*context_, [] {}); // wakes our run() without ending the owner's
}

ASYNCHAT_RARE void loop::stop_on_signals()
{
    on_signals([this] { stop(); });
}

ASYNCHAT_RARE void loop::set_signal_handler(callback f)
{
    check_thread();
    on_signal_ = std::move(f);
    if (signals_)
        return;
    signals_ = std::make_unique<asio::signal_set>(*context_, SIGINT, SIGTERM);
    signals_->async_wait(
        [anchor = std::weak_ptr<detail::loop_anchor>(anchor_)](const std::error_code& error, int) {
            const auto alive = anchor.lock();
            if (!alive || error)
                return;
            alive->owner->signals_.reset();
            const turn in_turn(*alive->owner);
            auto once = std::move(alive->owner->on_signal_); // it may ask for the next signal
            once();
        });
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
