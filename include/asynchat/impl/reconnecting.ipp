// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_RECONNECTING_IPP
#define ASYNCHAT_IMPL_RECONNECTING_IPP

#include <asynchat/reconnecting.hpp>

#include <asynchat/detail/failure.hpp>
#include <asynchat/escape.hpp>

#include <cassert>
#include <chrono>
#include <new>
#include <stdexcept>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

// --- the channels ----------------------------------------------------------------------------

/// What a reconnector shares with its channels. It owns the function that makes them, and with it
/// their arguments, so these live as long as any of them.
class reconnector::link final : public detail::channel_watcher,
                                public std::enable_shared_from_this<link> {
public:
    link(reconnector& owner, detail::client_maker make) : owner_(&owner), make_(std::move(make)) {}

    std::shared_ptr<dispatcher> make(loop& l)
    {
        up_since_.reset();
        is_good_ = false;
        auto channel = make_(l);
        channel_ = detail::channel_access::state(*channel);
        detail::channel_access::watch(*channel, shared_from_this());
        return channel;
    }

    dispatcher* channel() const noexcept { return channel_.get() ? channel_->live() : nullptr; }

    /// The reconnector is gone: its last channel may go on.
    void leave() noexcept { owner_ = nullptr; }

    /// How long the last connection stood.
    loop::duration up(loop::time_point until) const noexcept
    {
        return up_since_ ? until - *up_since_ : loop::duration::zero();
    }
    bool is_good() const noexcept { return is_good_; }

private:
    void connected(const dispatcher&, loop::time_point now) noexcept override
    {
        if (!up_since_)
            up_since_ = now;
    }
    void good() noexcept override
    {
        is_good_ = true;
        if (owner_)
            owner_->attempts_ = 0;
    }
    void ended(const dispatcher& channel) override
    {
        const bool is_last = detail::channel_access::state(channel).get() == channel_.get();
        if (owner_ && !owner_->closed() && is_last)
            owner_->attempt_ended(channel.close_reason(), channel.close_error(),
                                  detail::channel_access::noted_text(channel));
    }

    reconnector* owner_;
    detail::client_maker make_;
    detail::state_ptr channel_; // of the last attempt
    std::optional<loop::time_point> up_since_;
    bool is_good_ = false;
};

// --- life ------------------------------------------------------------------------------------

ASYNCHAT_RARE reconnector::reconnector(loop& owner, std::vector<target> servers,
                                       detail::client_maker make)
    : dispatcher(owner),
      servers_(std::move(servers), detail::channel_access::random_of(owner), "reconnecting<T>"),
      link_(std::make_shared<link>(*this, std::move(make)))
{
    call_later(loop::duration::zero(), [this] { attempt(); });
}

ASYNCHAT_RARE reconnector::~reconnector()
{
    link_->leave();
}

ASYNCHAT_RARE void reconnector::back_off(loop::duration base, loop::duration cap)
{
    if (base < detail::back_off::shortest_wait || base > cap)
        throw std::invalid_argument(
            "asynchat: back_off(): the base is under 50 ms or over the cap");
    back_off_.set(base, cap);
}

ASYNCHAT_RARE void reconnector::max_attempts(std::size_t n)
{
    max_attempts_ = n;
}

ASYNCHAT_RARE dispatcher* reconnector::current_channel() const noexcept
{
    return link_->channel();
}

ASYNCHAT_RARE void reconnector::handle_close()
{
    close();
}

// --- attempts --------------------------------------------------------------------------------

ASYNCHAT_RARE void reconnector::attempt()
{
    if (stopping_)
        return;
    const target& to = servers_.take();
    ++attempts_;
    ended_at_ = owner().now();
    std::shared_ptr<dispatcher> channel;
    try {
        channel = link_->make(owner());
        detail::target_list::connect(*channel, to);
    } catch (const exit_now&) { // it goes on when the loop runs again
        attempt_ended(close_reason::callback_error, {}, "exit_now");
        throw;
    } catch (...) {
        const auto failure = detail::failure::current();
        detail::channel_access::log_of_peer(*this, log_type::error, "{}: no channel for {}: {}",
                                            detail::channel_access::safe_repr(*this),
                                            escaped(to.to_string(), detail::longest_name),
                                            detail::failure::text());
        if (channel && !channel->closed())
            detail::channel_access::close_with(*channel, failure.reason);
        else
            attempt_ended(failure.reason, failure.error, detail::failure::text());
        return;
    }
    detail::channel_access::begin(channel);
}

/// Decides in a later turn, as an event: retry() is user code.
ASYNCHAT_RARE void reconnector::attempt_ended(asynchat::close_reason why,
                                              const std::error_code& error,
                                              std::string text) noexcept
{
    why_ = why;
    error_ = error;
    detail::channel_access::note_text(*this, std::move(text));
    ended_at_ = owner().now();
    try {
        call_later(loop::duration::zero(), [this] { judge(); });
    } catch (const std::bad_alloc&) { // without memory it ends: it could not try again either
        detail::channel_access::close_with(*this, why);
    }
}

ASYNCHAT_RARE void reconnector::judge()
{
    if (stopping_)
        return finish(close_reason::local);
    const loop::duration up = link_->up(ended_at_);
    const bool was_good = detail::back_off::was_good(link_->is_good(), up);
    if (was_good)
        attempts_ = 0;
    if (!retry(why_, error_, attempts_) || attempts_ >= max_attempts_)
        return finish(why_, error_);
    if (closed() || stopping_) // in retry()
        return;
    auto& numbers = detail::channel_access::random_of(owner());
    const loop::duration wait = back_off_.next(link_->is_good(), up, numbers);
    call_later(wait, [this] { attempt(); });
    const std::chrono::duration<double> seconds = wait;
    detail::channel_access::log_of_peer(*this, log_type::info, "connects to {} again in {:.2f} s",
                                        escaped(servers_.next().to_string(), detail::longest_name),
                                        seconds.count());
}

ASYNCHAT_RARE bool reconnector::retry(asynchat::close_reason why, const std::error_code&,
                                      std::size_t)
{
    return why != close_reason::local && why != close_reason::shutdown;
}

// --- the end ---------------------------------------------------------------------------------

ASYNCHAT_RARE void reconnector::stop()
{
    if (closed() || std::exchange(stopping_, true))
        return;
    call_later(loop::duration::zero(), [this] { shut_down(); });
}

ASYNCHAT_RARE void reconnector::shut_down()
{
    auto* const channel = current_channel();
    if (!channel)
        return finish(close_reason::local);
    detail::channel_access::shut_down_soon(*channel);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
