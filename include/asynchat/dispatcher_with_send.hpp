// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DISPATCHER_WITH_SEND_HPP
#define ASYNCHAT_DISPATCHER_WITH_SEND_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/output_queue.hpp>
#include <asynchat/dispatcher.hpp>

#include <cstddef>

namespace asynchat {

/// A dispatcher whose send() takes everything and sends it when the socket does.
///
/// For protocols that need no terminators: override handle_read(), call recv() and send().
/// Python: Lib/asyncore.py, dispatcher_with_send
class dispatcher_with_send : public dispatcher {
public:
    ASYNCHAT_DECL explicit dispatcher_with_send(loop& owner);
    ASYNCHAT_DECL dispatcher_with_send(loop& owner, socket from);

    /// Logs what is given to send(), as "info". Python: the attribute `debug`
    bool debug = false;

    /// Queues `data`, whole, and returns its size; 0 when the channel is closed. It is sent at the
    /// end of the running event, once connected, up to 65536 bytes a time.
    /// Python: dispatcher_with_send.send
    ASYNCHAT_DECL std::size_t send(const_buffers data) override;

    /// Sends what the socket takes now. Python: dispatcher_with_send.initiate_send
    ASYNCHAT_DECL void initiate_send();

    /// Bytes that were given to send() and not sent yet. Python: the length of out_buffer
    std::size_t pending_output() const noexcept { return queue_.size(); }

    ASYNCHAT_DECL bool writable() override;
    ASYNCHAT_DECL void handle_write() override;

    /// The other side will send no more. The default ends the channel when all was sent.
    ASYNCHAT_DECL void handle_eof() override;

    /// Ends the channel when all was sent.
    ASYNCHAT_DECL void handle_shutdown() override;

private:
    ASYNCHAT_DECL void flush() override;

    detail::output_queue queue_;
    asynchat::close_reason ends_for_ = asynchat::close_reason::open; // once all is sent
};

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/dispatcher_with_send.ipp>
#endif
#endif
