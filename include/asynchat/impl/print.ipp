// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_PRINT_IPP
#define ASYNCHAT_IMPL_PRINT_IPP

#include <asynchat/async_chat.hpp>
#include <asynchat/detail/copy_bytes.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// Writes an argument of a format as "{}" does, if it is an integer or a string: returns the place
/// behind it, or null when it has no room or is of another type.
struct plain_argument {
    char* to;
    char* end;

    char* operator()(int value) const { return integer(value); }
    char* operator()(unsigned value) const { return integer(value); }
    char* operator()(long long value) const { return integer(value); }
    char* operator()(unsigned long long value) const { return integer(value); }
    char* operator()(const char* text) const
    {
        return text ? (*this)(fmt::string_view(text)) : nullptr;
    }
    char* operator()(fmt::string_view text) const
    {
        if (static_cast<std::ptrdiff_t>(text.size()) > end - to)
            return nullptr;
        copy_bytes(to, text.data(), text.size());
        return to + text.size();
    }
    template <class Other>
    char* operator()(const Other&) const
    {
        return nullptr;
    }

private:
    template <class Integer>
    char* integer(Integer value) const
    {
        const fmt::format_int digits(value);
        return (*this)(fmt::string_view(digits.data(), digits.size()));
    }
};

template <class Argument>
[[gnu::always_inline]] inline char* write_plain(const Argument& argument, char* to, char* end)
{
#if FMT_VERSION >= 110000
    return argument.visit(plain_argument{to, end});
#else
    return fmt::visit_format_arg(plain_argument{to, end}, argument);
#endif
}

/// What a format and its arguments make is written without fmt up to this size.
inline constexpr std::ptrdiff_t max_plain_format = 128;
inline constexpr std::ptrdiff_t max_plain_text = 512;

/// Writes the text that fmt would make, in a third of its time, if the format has no fields but
/// "{}", as those of most answers, with integers and strings. Returns its end; or null when it has
/// no room, or fmt has to do it.
[[gnu::always_inline]] inline char* write_plain(fmt::string_view format,
                                                const fmt::format_args& args, char* to)
{
    const char* at = format.begin();
    const char* const end_of_format = at + format.size();
    if (end_of_format - at > max_plain_format)
        return nullptr;
    char* const end_of_arguments = to + max_plain_text - max_plain_format;
    for (int field = 0; at != end_of_format; ++at) {
        const char next = *at;
        if (next != '{' && next != '}') {
            *to++ = next; // has room, whatever the arguments take
            continue;
        }
        if (next == '}' || ++at == end_of_format || *at != '}')
            return nullptr;
        to = write_plain(args.get(field++), to, end_of_arguments);
        if (!to)
            return nullptr;
    }
    return to;
}

} // namespace detail

// Not straight into the output: a formatter may push to this channel as well, or throw.
ASYNCHAT_DECL bool async_chat::vprint(fmt::string_view format, fmt::format_args args)
{
    char text[detail::max_plain_text]; // not set to zero first
    const char* const end = detail::write_plain(format, args, text);
    return end ? push(std::string_view(text, static_cast<std::size_t>(end - text)))
               : print_by_fmt(format, args);
}

ASYNCHAT_DECL bool async_chat::print_by_fmt(fmt::string_view format, fmt::format_args args)
{
    if (!accepts_output())
        return false;
    fmt::basic_memory_buffer<char, 4096> text; // what is longer takes memory of its own
    fmt::vformat_to(fmt::appender(text), format, args);
    return queue_first(std::string_view(text.data(), text.size()));
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
