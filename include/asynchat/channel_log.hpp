// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_CHANNEL_LOG_HPP
#define ASYNCHAT_CHANNEL_LOG_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/format.hpp>
#include <asynchat/error.hpp>

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// The part of a dispatcher that writes to its log.
///
/// A literal is a format string of fmt, with or without arguments; from C++20 on the compiler
/// checks it. Any other text is written as it is: text of a peer is never used as a format.
class ASYNCHAT_API channel_log {
public:
    /// Writes "log: ..." to the log, by handle_log(). Python: dispatcher.log
    template <class... Args>
    void log(fmt::format_string<Args...> format, Args&&... args)
    {
        format_line(log_type::log, detail::text_of(format), fmt::make_format_args(args...));
    }
    template <class Text, detail::if_message<Text> = 0>
    void log(Text&& message)
    {
        handle_log(log_type::log, message);
    }

    /// Writes "info: ...", "warning: ..." or "error: ..." to the log, by handle_log().
    /// Python: dispatcher.log_info. Differs: the type comes first.
    template <class... Args>
    void log_info(log_type type, fmt::format_string<Args...> format, Args&&... args)
    {
        format_line(type, detail::text_of(format), fmt::make_format_args(args...));
    }
    template <class Text, detail::if_message<Text> = 0>
    void log_info(log_type type, Text&& message)
    {
        handle_log(type, message);
    }

    /// As above, with log_type::info.
    template <class... Args>
    void log_info(fmt::format_string<Args...> format, Args&&... args)
    {
        format_line(log_type::info, detail::text_of(format), fmt::make_format_args(args...));
    }
    template <class Text, detail::if_message<Text> = 0>
    void log_info(Text&& message)
    {
        handle_log(log_type::info, message);
    }

    /// See dispatcher::handle_log().
    virtual void handle_log(log_type type, std::string_view message) = 0;

protected:
    ~channel_log() = default;

private:
    ASYNCHAT_DECL void format_line(log_type type, fmt::string_view format, fmt::format_args args);
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/dispatcher.hpp> // which has the implementation
#endif
#endif
