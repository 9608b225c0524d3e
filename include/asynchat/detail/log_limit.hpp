// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_LOG_LIMIT_HPP
#define ASYNCHAT_DETAIL_LOG_LIMIT_HPP

#include <asynchat/config.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Limits the log lines per second. Further lines are left out and counted.
template <std::uint32_t MaxLines>
class log_limit {
public:
    static constexpr std::uint32_t max_lines = MaxLines;

    /// Called for each line. Returns false if the line is left out.
    bool admit(std::uint32_t second) noexcept
    {
        if (second != second_) {
            second_ = second;
            lines_ = 0;
        }
        if (lines_ == max_lines) {
            leave_out(1);
            return false;
        }
        ++lines_;
        return true;
    }

    /// Counts further lines that are left out.
    void leave_out(std::uint32_t lines) noexcept
    {
        left_out_ += std::min(lines, UINT32_MAX - left_out_);
    }

    /// The number of lines left out since the last call.
    std::uint32_t take_left_out() noexcept { return std::exchange(left_out_, 0U); }

private:
    std::uint32_t second_ = 0;
    std::uint32_t lines_ = 0; // in that second
    std::uint32_t left_out_ = 0;
};

/// The limits of one channel, of all channels of one server, and of one loop. One limit per channel
/// is not enough, because one peer can open many channels.
using channel_log_limit = log_limit<10>;
using server_log_limit = log_limit<40>;
using loop_log_limit = log_limit<100>;

/// Whether a line may be written. Each limit counts the lines that it leaves out, until a line
/// passes all limits. `of_server` is null for a channel without a server.
ASYNCHAT_DECL bool admit_line(std::uint32_t second, channel_log_limit& of_channel,
                              server_log_limit* of_server, loop_log_limit& of_loop) noexcept;

/// The end of that line, with the number of lines left out; empty if it is 0.
ASYNCHAT_DECL std::string left_out_before(channel_log_limit& of_channel,
                                          server_log_limit* of_server, loop_log_limit& of_loop);

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/log_limit.ipp>
#endif
#endif
