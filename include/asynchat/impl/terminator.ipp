// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TERMINATOR_IPP
#define ASYNCHAT_IMPL_TERMINATOR_IPP

#include <asynchat/terminator.hpp>

#include <asynchat/detail/fmt_format.hpp>
#include <asynchat/detail/framing/prefix_table.hpp>
#include <asynchat/detail/framing/string_search.hpp>
#include <asynchat/escape.hpp>

#include <stdexcept>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_DECL void terminator::refuse(std::intmax_t count)
{
    throw std::invalid_argument("asynchat: the number of received bytes must be positive, not " +
                                std::to_string(count));
}

ASYNCHAT_DECL terminator::terminator(std::initializer_list<detail::string_argument> strings)
{
    join(strings);
}

ASYNCHAT_DECL terminator::terminator(const std::vector<std::string>& strings)
{
    join(strings);
}

template <class Strings>
void terminator::join(const Strings& strings)
{
    if (strings.size() == 0)
        throw std::invalid_argument("asynchat: a terminator of no strings");
    kind_ = strings.size() == 1 ? kind::bytes : kind::several;
    std::string list;
    for (const std::string_view each : strings) {
        if (!is_several())
            list = each;
        else if (each.empty())
            throw std::invalid_argument("asynchat: an empty string among several terminators");
        else
            detail::append_string(list, each);
    }
    assign(list);
}

/// Adds a string behind a count.
ASYNCHAT_DECL void terminator::be_followed_by(std::string_view string)
{
    if (string.empty())
        throw std::invalid_argument("asynchat: an empty string behind a count");
    kind_ = kind::counted;
    in_frame_ = true;
    assign(string);
}

ASYNCHAT_DECL terminator terminator::length_prefix(std::size_t width, byte_order order)
{
    if (width < 1 || width > 8)
        throw std::invalid_argument(
            fmt::format("asynchat: a length prefix has 1 to 8 bytes, not {}", width));
    terminator made(kind::fixed);
    made.width_ = static_cast<unsigned char>(width);
    made.order_ = order;
    return made;
}

ASYNCHAT_DECL terminator terminator::varint()
{
    return terminator(kind::varint);
}

ASYNCHAT_DECL terminator terminator::netstring()
{
    return terminator(kind::netstring);
}

ASYNCHAT_DECL std::vector<std::string_view> terminator::strings() const
{
    if (is_several())
        return detail::strings_of(view());
    if (is_bytes())
        return {view()};
    return {};
}

/// `other` is of the same kind.
ASYNCHAT_DECL bool terminator::equals(const terminator& other) const noexcept
{
    switch (kind_) {
    case kind::count: return count_ == other.count_;
    case kind::counted: return count_ == other.count_ && view() == other.view();
    case kind::bytes:
    case kind::several: return view() == other.view();
    case kind::fixed: return width_ == other.width_ && order_ == other.order_;
    default: return true;
    }
}

ASYNCHAT_RARE std::string terminator::repr() const
{
    switch (kind_) {
    case kind::none: return "None";
    case kind::count: return std::to_string(count_);
    case kind::bytes: return "'" + escaped(view()) + "'";
    case kind::several: break;
    case kind::counted: return fmt::format("counted({}, '{}')", count_, escaped(view()));
    case kind::fixed:
        return fmt::format("length_prefix({}, {})", width_,
                           order_ == byte_order::big ? "big" : "little");
    case kind::varint: return "varint()";
    case kind::netstring: return "netstring()";
    }
    std::string text;
    for (const std::string_view each : strings())
        ((text += text.empty() ? "('" : ", '") += escaped(each)) += "'";
    return text + ")";
}

ASYNCHAT_DECL std::size_t find_prefix_at_end(std::string_view haystack, std::string_view needle)
{
    if (needle.size() < 2)
        return 0;
    // Only the last needle.size() - 1 bytes can be such a prefix.
    if (haystack.size() > needle.size() - 1)
        haystack.remove_prefix(haystack.size() - (needle.size() - 1));
    detail::prefix_table table;
    table.build(needle);
    std::size_t matched = 0;
    for (const char byte : haystack)
        matched = table.advance(needle, matched, byte);
    return matched;
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
