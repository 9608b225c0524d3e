// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FORMAT_HPP
#define ASYNCHAT_DETAIL_FORMAT_HPP

#include <asynchat/config.hpp>

#include <fmt/core.h>

#include <string_view>
#include <type_traits>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The text of a fmt::format_string; fmt 11 has a member function for it.
template <class Format>
fmt::string_view text_of(const Format& format)
{
#if FMT_VERSION >= 110000
    return format.get();
#else
    return format;
#endif
}

/// Literals, by their type: a parameter `const char (&)[N]` would also take a list of characters,
/// and drop the last.
template <class Text>
using if_literal = std::enable_if_t<
    std::is_array_v<Text> && std::is_same_v<std::remove_extent_t<Text>, const char>, int>;

/// Texts that are not literals: they are messages, never formats.
template <class Text>
using if_message =
    std::enable_if_t<std::is_convertible_v<Text, std::string_view> &&
                         !(std::is_array_v<std::remove_reference_t<Text>> &&
                           std::is_const_v<std::remove_extent_t<std::remove_reference_t<Text>>>),
                     int>;

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
