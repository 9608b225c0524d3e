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
inline namespace ASYNCHAT_ABI {

namespace detail {

/// Whether this thread may use a loop and its channels: no other thread runs the loop. Always true
/// without assertions, because the thread is not recorded then.
ASYNCHAT_API ASYNCHAT_DECL bool runs_here(const loop& owner) noexcept;

} // namespace detail

/// A weak reference to a channel that a loop owns; what loop::create() returns.
///
/// A regular value: it can be copied, compared and hashed, and used as the key of a map. It stays
/// the same key when its channel is closed; get() is null then. To read a channel after its close,
/// for example its counters, call lock() before and keep the result.
/// Copying, comparing, hashing, empty() and post() are allowed in any thread, everything else in
/// the loop's thread only.
template <class T>
class handle {
public:
    /// Empty.
    handle() = default;

    /// True for a handle that never had a channel. Stays false when its channel is closed or
    /// destroyed; test that with get() or `if (handle)`.
    [[nodiscard]] bool empty() const noexcept { return loop_ == nullptr; }

    /// The channel, or null when it is closed or the handle is empty. Valid until the next event
    /// of the loop.
    [[nodiscard]] T* get() const noexcept
    {
        const auto channel = channel_.lock();
        if (!channel || channel->::asynchat::dispatcher::closed())
            return nullptr;
        assert(detail::runs_here(*loop_)); // else use post()
        return channel.get();
    }

    /// The channel, which the result keeps alive after its close; null when it is destroyed, which
    /// happens some time after its close. Release the result before the loop is destroyed.
    [[nodiscard]] std::shared_ptr<T> lock() const noexcept { return channel_.lock(); }

    /// Whether get() has the channel.
    explicit operator bool() const noexcept { return get() != nullptr; }

    /// Calls a member of the channel, which lives until the call returns, also if it is closed.
    /// Throws std::logic_error when the channel is closed or the handle is empty.
    std::shared_ptr<T> operator->() const
    {
        auto channel = channel_.lock();
        if (channel && !channel->::asynchat::dispatcher::closed()) {
            assert(detail::runs_here(*loop_)); // else use post()
            return channel;
        }
        throw std::logic_error(empty() ? "asynchat: this handle is empty"
                                       : "asynchat: this handle's channel is closed");
    }

    /// Valid until the next event of the loop. Throws as above.
    T& operator*() const { return *operator->(); }

    /// Calls `f(T&)` in the loop's thread, as one event of the channel. Does nothing if the channel
    /// is closed by then or the handle is empty. `f` may be move-only. May be called from any
    /// thread while the loop lives.
    template <class F>
    void post(F f) const;

    /// Two handles are equal if they refer to the same channel, also after its end, or if both are
    /// empty. The order is unspecified but does not change.
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

} // namespace ASYNCHAT_ABI
} // namespace asynchat

template <class T>
struct std::hash<asynchat::handle<T>> {
    std::size_t operator()(const asynchat::handle<T>& of) const noexcept
    {
        return std::hash<const void*>()(of.address_);
    }
};

#endif
