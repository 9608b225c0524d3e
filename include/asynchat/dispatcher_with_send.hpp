// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DISPATCHER_WITH_SEND_HPP
#define ASYNCHAT_DISPATCHER_WITH_SEND_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/output/output_queue.hpp>
#include <asynchat/detail/output/water_marks.hpp>
#include <asynchat/dispatcher.hpp>

#include <cstddef>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// A dispatcher whose send() queues all data and sends it when the socket takes it.
///
/// For protocols that need no terminators: override handle_read(), call recv() and send().
///
/// Waiting output is bounded as in async_chat. Over the high mark an accepted channel is not
/// readable() until the low mark is reached. Output that is added while more than max_output()
/// waits ends the channel. When the connection is lost, the output is dropped, and the channel ends
/// when handle_read() has received the remaining input.
/// Python: Lib/asyncore.py, dispatcher_with_send
class ASYNCHAT_API dispatcher_with_send : public dispatcher {
public:
    /// As those of dispatcher: without a socket, or with one.
    ASYNCHAT_DECL explicit dispatcher_with_send(loop& owner);
    ASYNCHAT_DECL dispatcher_with_send(loop& owner, socket from);

    /// Logs the data of each send(), as "info". Python: the attribute `debug`
    bool debug = false;

    /// Queues all of `data` and returns its size; 0 when the channel is closed or ends, when the
    /// connection is lost, or when max_output() is passed. The data is sent at the end of the
    /// running event, once connected, up to 65536 bytes in one call of the system.
    /// Python: dispatcher_with_send.send
    ASYNCHAT_DECL std::size_t send(const_buffers data) override;

    /// Sends as much as the socket takes now. Python: dispatcher_with_send.initiate_send
    ASYNCHAT_DECL void initiate_send();

    /// Bytes that were given to send() and are not sent yet. When the connection is lost or closed:
    /// the bytes that were lost. Python: the length of out_buffer
    [[nodiscard]] std::size_t pending_output() const noexcept
    {
        return queue_.size() + (rare_ ? rare_->lost.output : 0);
    }

    /// As in async_chat; 256 KiB and 64 KiB by default. Throws std::invalid_argument when `low` is
    /// over `high`.
    ASYNCHAT_DECL void write_buffer_limits(std::size_t high, std::size_t low);
    [[nodiscard]] std::pair<std::size_t, std::size_t> write_buffer_limits() const noexcept
    {
        return {active_output_limits().high, active_output_limits().low};
    }

    /// As in async_chat; 8 MiB by default.
    ASYNCHAT_DECL void max_output(std::size_t bytes);
    [[nodiscard]] std::size_t max_output() const noexcept
    {
        return active_output_limits().max_bytes;
    }

    /// True from when the output passes the high mark until it is down to the low mark.
    [[nodiscard]] bool write_paused() const noexcept { return marks_.paused(); }

    /// False while an accepted channel is over its high mark. An override also calls the original.
    ASYNCHAT_DECL bool readable() override;
    ASYNCHAT_DECL bool writable() override;
    ASYNCHAT_DECL void handle_write() override;

    /// The peer has ended its stream. The default ends the channel when all output is sent.
    ASYNCHAT_DECL void handle_eof() override;

    /// Ends the channel when all output is sent.
    ASYNCHAT_DECL void handle_shutdown() override;

private:
    ASYNCHAT_DECL void end_of_event_() override;
    ASYNCHAT_DECL void connection_lost_(asynchat::close_reason reason,
                                        const std::error_code& error) override;
    ASYNCHAT_DECL void forget_connection_() override;
    bool is_at_rest_() const noexcept override { return queue_.is_empty(); }
    ASYNCHAT_DECL bool switches_later_() override;
    ASYNCHAT_PRIVATE void note_left();

    detail::output_queue queue_;
    detail::water_marks marks_;
    asynchat::close_reason ends_for_ = asynchat::close_reason::open; // once all is sent
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/dispatcher_with_send.ipp>
#endif
#endif
