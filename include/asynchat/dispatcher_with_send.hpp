// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DISPATCHER_WITH_SEND_HPP
#define ASYNCHAT_DISPATCHER_WITH_SEND_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/output/output_queue.hpp>
#include <asynchat/detail/output/water_marks.hpp>
#include <asynchat/dispatcher.hpp>

#include <cstddef>

namespace asynchat {

/// A dispatcher whose send() takes everything and sends it when the socket does.
///
/// For protocols that need no terminators: override handle_read(), call recv() and send().
///
/// What waits is bounded as in async_chat: over the high mark a channel that was accepted is not
/// readable() until the low mark is reached, and output that is added while more than max_output()
/// waits ends the channel. When the connection is lost the output is dropped, and the channel ends
/// when handle_read() has received what is left.
/// Python: Lib/asyncore.py, dispatcher_with_send
class dispatcher_with_send : public dispatcher {
public:
    ASYNCHAT_DECL explicit dispatcher_with_send(loop& owner);
    ASYNCHAT_DECL dispatcher_with_send(loop& owner, socket from);

    /// Logs what is given to send(), as "info". Python: the attribute `debug`
    bool debug = false;

    /// Queues `data`, whole, and returns its size; 0 when the channel is closed or ends, the
    /// connection is lost, or too much waits already. It is sent at the end of the running event,
    /// once connected, up to 65536 bytes a time. Python: dispatcher_with_send.send
    ASYNCHAT_DECL std::size_t send(const_buffers data) override;

    /// Sends what the socket takes now. Python: dispatcher_with_send.initiate_send
    ASYNCHAT_DECL void initiate_send();

    /// Bytes that were given to send() and not sent yet; when the connection is lost or closed, the
    /// bytes that were lost. Python: the length of out_buffer
    std::size_t pending_output() const noexcept
    {
        return queue_.size() + (rare_ ? rare_->lost.output : 0);
    }

    /// As in async_chat; 256 KiB and 64 KiB by default. Throws std::invalid_argument when `low` is
    /// over `high`.
    ASYNCHAT_DECL void write_buffer_limits(std::size_t high, std::size_t low);

    /// As in async_chat; 8 MiB by default.
    ASYNCHAT_DECL void max_output(std::size_t bytes);

    /// Whether the high mark was passed, and not yet the low one.
    bool write_paused() const noexcept { return marks_.paused(); }

    /// False while an accepted channel is over its high mark. An override asks the original, too.
    ASYNCHAT_DECL bool readable() override;
    ASYNCHAT_DECL bool writable() override;
    ASYNCHAT_DECL void handle_write() override;

    /// The other side will send no more. The default ends the channel when all was sent.
    ASYNCHAT_DECL void handle_eof() override;

    /// Ends the channel when all was sent.
    ASYNCHAT_DECL void handle_shutdown() override;

private:
    ASYNCHAT_DECL void end_of_event_() override;
    ASYNCHAT_DECL void connection_lost_(asynchat::close_reason reason,
                                        const std::error_code& error) override;
    ASYNCHAT_DECL void forget_connection_() override;
    ASYNCHAT_DECL bool switches_later_() override;
    void note_left();

    detail::output_queue queue_;
    detail::water_marks marks_;
    asynchat::close_reason ends_for_ = asynchat::close_reason::open; // once all is sent
};

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/dispatcher_with_send.ipp>
#endif
#endif
