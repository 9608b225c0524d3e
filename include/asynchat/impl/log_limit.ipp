// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_LOG_LIMIT_IPP
#define ASYNCHAT_IMPL_LOG_LIMIT_IPP

#include <asynchat/detail/log_limit.hpp>

#include <asynchat/detail/fmt_format.hpp>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_RARE bool admit_line(std::uint32_t second, channel_log_limit& of_channel,
                              server_log_limit* of_server, loop_log_limit& of_loop) noexcept
{
    return of_channel.admit(second) && (!of_server || of_server->admit(second)) &&
           of_loop.admit(second);
}

/// Appends the number of lines that a limit has left out.
template <class Limit>
void tell_left_out(std::string& text, Limit& limit, const char* whose)
{
    if (const std::uint32_t lines = limit.take_left_out(); lines > 0)
        text += fmt::format("{}{} of {}", text.empty() ? "" : ", ", lines, whose);
}

ASYNCHAT_RARE std::string left_out_before(channel_log_limit& of_channel,
                                          server_log_limit* of_server, loop_log_limit& of_loop)
{
    std::string left_out;
    tell_left_out(left_out, of_channel, "this channel");
    if (of_server)
        tell_left_out(left_out, *of_server, "its server");
    tell_left_out(left_out, of_loop, "its loop");
    if (left_out.empty())
        return {};
    return fmt::format(" (lines left out before this one: {})", left_out);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
