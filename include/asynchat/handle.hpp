// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_HANDLE_HPP
#define ASYNCHAT_HANDLE_HPP

#include <asynchat/config.hpp>
#include <asynchat/fwd.hpp>

#include <cassert>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>

namespace asynchat {

namespace detail {

/// Whether this thread may touch a loop and its channels: no other one runs it. True without
/// assertions, as nobody takes notes of it then.
ASYNCHAT_DECL bool runs_here(const loop& owner) noexcept;

} // namespace detail

/// A weak reference to a channel that a loop owns; what loop::create() returns.
///
/// A regular value: it can be copied, compared and hashed, and be the key of a map. It stays the
/// same key when its channel is closed; get() is null then. To look at a channel after its close,
/// at counters for instance, call lock() before, and keep the result.
/// Copying, comparing, hashing, empty() and post() may be done in any thread; the rest belongs to
/// the loop's thread.
template <class T>
class handle {
public:
    /// Empty.
    handle() = default;

    /// True for a handle that never had a channel. False when its channel is closed or gone: that
    /// is told by get() and by `if (handle)`.
    [[nodiscard]] bool empty() const noexcept { return loop_ == nullptr; }

    /// The channel, or null when it is closed or the handle is empty. Valid until the next event
    /// of the loop.
    [[nodiscard]] T* get() const noexcept
    {
        const auto channel = channel_.lock();
        if (!channel || channel->closed())
            return nullptr;
        assert(detail::runs_here(*loop_)); // else use post()
        return channel.get();
    }

    /// The channel, kept alive by the caller beyond its close, or null when it is gone: some time
    /// after its close. To be let go of before the loop is.
    [[nodiscard]] std::shared_ptr<T> lock() const noexcept { return channel_.lock(); }

    explicit operator bool() const noexcept { return get() != nullptr; }

    /// For a call of the channel, which it outlives, whatever the call closes.
    /// Throws std::logic_error when the channel is closed or the handle is empty.
    std::shared_ptr<T> operator->() const
    {
        auto channel = channel_.lock();
        if (channel && !channel->closed()) {
            assert(detail::runs_here(*loop_)); // else use post()
            return channel;
        }
        throw std::logic_error(empty() ? "asynchat: this handle is empty"
                                       : "asynchat: this handle's channel is closed");
    }

    /// Valid until the next event of the loop. Throws as above.
    T& operator*() const { return *operator->(); }

    /// Calls `f(T&)` in the loop's thread, as one event of the channel, unless it is closed by
    /// then; on an empty handle it does nothing. `f` may be movable only. May be called from any
    /// thread as long as the loop lives.
    template <class F>
    void post(F f) const;

    /// Equal are handles of the same channel, whether it is open, closed or gone, and empty ones.
    /// The order is any, and stays.
    friend bool operator==(const handle& a, const handle& b) noexcept
    {
        return !(a < b) && !(b < a);
    }
    friend bool operator!=(const handle& a, const handle& b) noexcept { return !(a == b); }
    friend bool operator<(const handle& a, const handle& b) noexcept
    {
        return a.channel_.owner_before(b.channel_);
    }

private:
    friend class loop;
    friend struct std::hash<handle>;
    handle(loop& owner, const std::shared_ptr<T>& channel)
        : loop_(&owner), address_(channel.get()), channel_(channel)
    {
    }

    loop* loop_ = nullptr;
    const void* address_ = nullptr; // of the channel, also when it is gone
    std::weak_ptr<T> channel_;
};

} // namespace asynchat

template <class T>
struct std::hash<asynchat::handle<T>> {
    std::size_t operator()(const asynchat::handle<T>& of) const noexcept
    {
        return std::hash<const void*>()(of.address_);
    }
};

#endif
