// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_JOINT_LISTENER_HPP
#define ASYNCHAT_DETAIL_IO_JOINT_LISTENER_HPP

#include <asynchat/config.hpp>
#include <asynchat/transport.hpp>

#include <cstddef>
#include <memory>
#include <system_error>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Several listening transports as one: it is ready when one of them is.
class joint_listener final : public transport {
public:
    /// At least one; all of them listen.
    ASYNCHAT_DECL explicit joint_listener(std::vector<std::unique_ptr<transport>> all);
    ASYNCHAT_DECL ~joint_listener() override;

    ASYNCHAT_DECL void async_wait(readiness what, wait_handler ready) override;

    /// The next connection of any of them, from each in turn.
    ASYNCHAT_DECL socket accept(std::error_code& error) override;
    ASYNCHAT_DECL bool may_read() override;

    /// Of the first.
    endpoint local_endpoint() const override { return all_.front()->local_endpoint(); }
    const std::vector<std::unique_ptr<transport>>& all() const noexcept { return all_; }

    // It is no connection.
    ASYNCHAT_DECL std::size_t read_some(asio::mutable_buffer, std::error_code& error) override;
    ASYNCHAT_DECL std::size_t write_some(const_buffers, std::error_code& error) override;

private:
    struct waits;

    std::vector<std::unique_ptr<transport>> all_;
    std::shared_ptr<waits> waits_; // shared with the pending operations
    std::size_t next_ = 0;         // is asked first for a connection
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/dispatcher.hpp> // which has the implementation
#endif
#endif
