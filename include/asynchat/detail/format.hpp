// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FORMAT_HPP
#define ASYNCHAT_DETAIL_FORMAT_HPP

#include <fmt/core.h>

namespace asynchat::detail {

/// The text of a fmt::format_string; fmt 11 gave it a function of its own.
template <class Format>
fmt::string_view text_of(const Format& format)
{
#if FMT_VERSION >= 110000
    return format.get();
#else
    return format;
#endif
}

} // namespace asynchat::detail

#endif
