// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TERMINATOR_IPP
#define ASYNCHAT_IMPL_TERMINATOR_IPP

#include <asynchat/terminator.hpp>

#include <asynchat/detail/prefix_table.hpp>
#include <asynchat/escape.hpp>

#include <stdexcept>

namespace asynchat {

namespace detail {

ASYNCHAT_DECL void throw_negative_count(std::intmax_t count)
{
    throw std::invalid_argument("asynchat: the number of received bytes must be positive, not " +
                                std::to_string(count));
}

} // namespace detail

ASYNCHAT_DECL std::string terminator::repr() const
{
    if (is_none())
        return "None";
    if (is_count())
        return std::to_string(count_);
    return "'" + escaped(bytes_) + "'";
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

} // namespace asynchat

#endif
