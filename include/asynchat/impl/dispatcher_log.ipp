// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_LOG_IPP
#define ASYNCHAT_IMPL_DISPATCHER_LOG_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/detail/failure.hpp>
#include <asynchat/detail/fmt_format.hpp>
#include <asynchat/escape.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <typeinfo>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_RARE void channel_log::format_line(log_type type, fmt::string_view format,
                                            fmt::format_args args)
{
    handle_log(type, fmt::vformat(format, args));
}

ASYNCHAT_RARE std::string dispatcher::exception_text()
{
    return detail::failure::text();
}

ASYNCHAT_RARE void dispatcher::handle_log(log_type type, std::string_view message)
{
    if (!ignores(type))
        loop_.write_log(type, message);
}

/// Writes the message as one printable line.
ASYNCHAT_RARE void loop::write_log(log_type type, std::string_view message)
{
    const std::string text = escaped(message);
    if (const auto elsewhere = log_sink_) // it may be replaced inside
        return (*elsewhere)(type, text);
    const std::string line = std::string(to_string(type)) + ": " + text + '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

ASYNCHAT_RARE void dispatcher::log_line_of_peer(log_type type, fmt::string_view format,
                                                fmt::format_args args)
{
    if (ignores(type)) // ignored lines must not use up the limits of the others
        return handle_log(type, fmt::vformat(format, args));
    detail::server_log_limit* const of_server = slot_ ? &slot_->server->log_limit : nullptr;
    const auto now = loop_.now().time_since_epoch();
    const auto second =
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
    auto& of_channel = rare().log_limit;
    if (!detail::admit_line(second, of_channel, of_server, loop_.log_limit_))
        return;
    handle_log(type, fmt::vformat(format, args) +
                         detail::left_out_before(of_channel, of_server, loop_.log_limit_));
}

ASYNCHAT_RARE void dispatcher::ignore_log_types(std::initializer_list<log_type> types)
{
    ignored_log_types_ = 0;
    for (const log_type type : types)
        ignored_log_types_ =
            static_cast<unsigned char>(ignored_log_types_ | 1U << static_cast<unsigned>(type));
}

ASYNCHAT_RARE std::string dispatcher::repr() const
{
    std::string text = "<" + detail::type_name(typeid(*this));
    if (accepting_ && !addr_.empty())
        text += " listening";
    else if (connected_)
        text += " connected";
    if (const std::string where = addr_.to_string(); !where.empty())
        text += " " + where;
    return text + fmt::format(" at {}>", static_cast<const void*>(this));
}

/// repr(), or a substitute if an override of it throws.
ASYNCHAT_RARE std::string dispatcher::safe_repr() const
{
    try {
        return escaped(repr(), detail::longest_name);
    } catch (...) {
        return fmt::format("<repr() failed for the channel at {}>", static_cast<const void*>(this));
    }
}

namespace detail {

/// Logs the result of `line`. Exceptions are ignored, so that the caller continues.
template <class Line>
void log_in_any_case(dispatcher& channel, const Line& line)
{
    try {
        channel_access::log_of_peer(channel, log_type::error, "{}", line());
    } catch (const exit_now&) {
        throw;
    } catch (...) { // no memory, or an override of the log throws
    }
}

} // namespace detail

/// `where` says where the exception came from; it precedes the name of the channel.
ASYNCHAT_RARE void dispatcher::log_exception(const char* where)
{
    detail::log_in_any_case(*this, [&] {
        return fmt::format("uncaptured exception {} {} ({})", where, safe_repr(),
                           detail::failure::text());
    });
}

/// For handle_error(). `follows` says what happens to the channel. An error of the system, such as
/// a refused connection, is not logged as an exception of the program.
ASYNCHAT_RARE void dispatcher::log_failure(const char* follows)
{
    detail::log_in_any_case(*this, [&] {
        const std::string text = detail::failure::text();
        if (detail::failure::is_of_the_system())
            return fmt::format("{} {}: {}", follows, safe_repr(), text);
        return fmt::format("uncaptured exception, {} {} ({})", follows, safe_repr(), text);
    });
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
