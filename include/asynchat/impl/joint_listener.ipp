// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_JOINT_LISTENER_IPP
#define ASYNCHAT_IMPL_JOINT_LISTENER_IPP

#include <asynchat/detail/io/joint_listener.hpp>

#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/dispatcher.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The waits for sockets go on when one of them has ended: Asio has no call that ends a single one.
struct joint_listener::waits {
    std::optional<wait_handler> ready; // of the channel, while it waits
    std::vector<bool> armed;           // by listener

    void ended(std::size_t index, const std::error_code& error)
    {
        armed[index] = false;
        if (auto handler = std::exchange(ready, std::nullopt))
            (*handler)(error); // may destroy the transport
    }
};

ASYNCHAT_RARE joint_listener::joint_listener(std::vector<std::unique_ptr<transport>> all)
    : all_(std::move(all)), waits_(std::make_shared<waits>())
{
    waits_->armed.resize(all_.size());
}

ASYNCHAT_RARE joint_listener::~joint_listener()
{
    waits_->ready.reset();
}

ASYNCHAT_RARE void joint_listener::async_wait(readiness what, wait_handler ready)
{
    if (what != readiness::read) // a listener has no other events
        return;
    waits_->ready = ready;
    for (std::size_t i = 0; i < all_.size(); ++i) {
        auto* const socket = channel_access::socket_of(*all_[i]);
        if (!socket) { // another network keeps one wait, and replaces it
            all_[i]->async_wait(what, ready);
        } else if (!waits_->armed[i]) {
            socket->asio_socket().async_wait(
                socket_transport::native_socket::wait_read,
                [waits = waits_, i](const std::error_code& error) { waits->ended(i, error); });
            waits_->armed[i] = true;
        }
    }
}

ASYNCHAT_RARE socket joint_listener::accept(std::error_code& error)
{
    for (std::size_t tried = 0; tried < all_.size(); ++tried) {
        transport& listener = *all_[next_];
        next_ = (next_ + 1) % all_.size();
        auto connection = listener.accept(error);
        if (!is_would_block(error)) // an error, too: the others are asked the next time
            return connection;
    }
    return {};
}

ASYNCHAT_RARE bool joint_listener::may_read()
{
    return std::any_of(all_.begin(), all_.end(), [](const auto& each) { return each->may_read(); });
}

ASYNCHAT_RARE std::size_t joint_listener::read_some(asio::mutable_buffer, std::error_code& error)
{
    error = std::make_error_code(std::errc::operation_not_supported);
    return 0;
}

ASYNCHAT_RARE std::size_t joint_listener::write_some(const_buffers, std::error_code& error)
{
    error = std::make_error_code(std::errc::operation_not_supported);
    return 0;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
