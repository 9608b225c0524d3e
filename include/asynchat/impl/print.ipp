// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_PRINT_IPP
#define ASYNCHAT_IMPL_PRINT_IPP

#include <asynchat/async_chat.hpp>
#include <asynchat/detail/copy_bytes.hpp>
#include <asynchat/detail/fmt_format.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <exception>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// "00" to "99".
inline constexpr auto two_digits = [] {
    std::array<char, 200> all{};
    for (std::size_t i = 0; i < 100; ++i) {
        all[2 * i] = static_cast<char>('0' + i / 10);
        all[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return all;
}();

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
        char digits[20]; // those of 64 bits, or 19 and a sign
        char* const end_of_digits = digits + sizeof digits;
        char* first = end_of_digits;
        auto left = static_cast<std::make_unsigned_t<Integer>>(value);
        if (value < 0)
            left = 0 - left;
        for (; left >= 100; left /= 100)
            std::memcpy(first -= 2, &two_digits[left % 100 * 2], 2);
        if (left >= 10)
            std::memcpy(first -= 2, &two_digits[left * 2], 2);
        else
            *--first = static_cast<char>('0' + left);
        if (value < 0)
            *--first = '-';
        return (*this)(fmt::string_view(first, static_cast<std::size_t>(end_of_digits - first)));
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

/// Where fmt writes what it formats: in place up to a size, beyond that in memory of its own.
class printed_text {
public:
    using value_type = char;

    /// Throws nothing: fmt calls it in a destructor as well. See view().
    void push_back(char next) noexcept
    {
        if (size_ < sizeof(text_))
            text_[size_++] = next;
        else if (!failure_)
            push_back_further(next);
    }

    /// The text. Throws what adding to it could not throw.
    std::string_view view() const
    {
        if (failure_)
            std::rethrow_exception(failure_);
        return longer_.empty() ? std::string_view(text_, size_) : std::string_view(longer_);
    }

private:
    void push_back_further(char next) noexcept
    {
        try {
            if (longer_.empty())
                longer_.assign(text_, size_);
            longer_ += next;
        } catch (...) {
            failure_ = std::current_exception();
        }
    }

    char text_[4096]; // not set to zero first
    std::size_t size_ = 0;
    std::string longer_; // all of the text
    std::exception_ptr failure_;
};

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
    detail::printed_text text;
    fmt::vformat_to(std::back_inserter(text), format, args);
    return queue_first(text.view());
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
