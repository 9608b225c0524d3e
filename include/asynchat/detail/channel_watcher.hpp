// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_CHANNEL_WATCHER_HPP
#define ASYNCHAT_DETAIL_CHANNEL_WATCHER_HPP

#include <asynchat/fwd.hpp>

#include <chrono>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Is told what becomes of a channel: what made it, or waits for its end. It must not
/// end the channel. A channel may have several watchers.
class channel_watcher {
public:
    channel_watcher() = default;
    channel_watcher(const channel_watcher&) = delete;
    channel_watcher& operator=(const channel_watcher&) = delete;

    /// The channel is connected, and its handle_connect() was called. Called again when a handshake
    /// in the middle of the stream is complete.
    virtual void connected(const dispatcher&, std::chrono::steady_clock::time_point) noexcept {}

    /// connection_is_good() was called.
    virtual void good() noexcept {}

    /// The last call, behind handle_end().
    virtual void ended(const dispatcher& channel) = 0;

protected:
    ~channel_watcher() = default; // they are shared, as what they are
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
