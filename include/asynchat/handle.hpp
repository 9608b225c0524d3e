// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_HANDLE_HPP
#define ASYNCHAT_HANDLE_HPP

#include <asynchat/fwd.hpp>

#include <memory>
#include <stdexcept>

namespace asynchat {

/// A weak reference to a channel that a loop owns; what loop::create() returns.
///
/// Copyable. All but post() belong to the loop's thread. When the channel is closed the handle
/// becomes empty; who needs the object for longer keeps the result of lock().
template <class T>
class handle {
public:
    handle() = default;

    /// The channel, or null when it is closed. Valid until the next event of the loop.
    T* get() const noexcept
    {
        const auto channel = channel_.lock();
        return channel && !channel->closed() ? channel.get() : nullptr;
    }

    /// The channel, kept alive by the caller beyond its close, or null when it is gone. To be let
    /// go of before the loop is.
    std::shared_ptr<T> lock() const noexcept { return channel_.lock(); }

    explicit operator bool() const noexcept { return get() != nullptr; }

    /// For a call of the channel, which it outlives, whatever the call closes.
    /// Throws std::logic_error when the channel is closed.
    std::shared_ptr<T> operator->() const
    {
        auto channel = channel_.lock();
        if (channel && !channel->closed())
            return channel;
        throw std::logic_error("asynchat: this handle's channel is closed");
    }

    /// Valid until the next event of the loop. Throws as above.
    T& operator*() const { return *operator->(); }

    /// Calls `f(T&)` in the loop's thread, as one event of the channel, unless it is closed by
    /// then. May be called from any thread as long as the loop lives.
    template <class F>
    void post(F f) const;

private:
    friend class loop;
    handle(loop& owner, const std::shared_ptr<T>& channel) : loop_(&owner), channel_(channel) {}

    loop* loop_ = nullptr;
    std::weak_ptr<T> channel_;
};

} // namespace asynchat

#endif
