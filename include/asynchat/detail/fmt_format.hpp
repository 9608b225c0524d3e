// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FMT_FORMAT_HPP
#define ASYNCHAT_DETAIL_FMT_FORMAT_HPP

#include <asynchat/config.hpp>

// fmt::format(), fmt::vformat() and fmt::vformat_to(). Up to fmt 10 they are in core.h, and
// format.h would have us compile what is in the library of fmt. But clang gives a template of that
// library another name than g++, which has compiled it for most systems.
#include <fmt/core.h>
#if FMT_VERSION >= 110000 || defined(__clang__)
#  include <fmt/format.h>
#endif

#endif
