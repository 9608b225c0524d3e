// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FMT_FORMAT_HPP
#define ASYNCHAT_DETAIL_FMT_FORMAT_HPP

#include <asynchat/config.hpp>

// fmt::format() and fmt::vformat(). Up to fmt 10 they are in core.h, and format.h would have us
// compile what is in the library of fmt.
#include <fmt/core.h>
#if FMT_VERSION >= 110000
#  include <fmt/format.h>
#endif

#endif
