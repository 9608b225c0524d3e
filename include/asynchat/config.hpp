// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_CONFIG_HPP
#define ASYNCHAT_CONFIG_HPP

// In front of Asio, whose older releases ask the standard library's macros how to allocate: all
// translation units have to get the same answer.
#include <cstddef>

#include <asynchat/detail/platform.hpp>

// The library is header-only unless ASYNCHAT_COMPILED_LIB is defined. The CMake target
// asynchat::asynchat defines it for its users; asynchat::header_only does not. A program uses one
// of the two throughout: mixing them breaks the one-definition rule.
//
// A build without CMake may define ASYNCHAT_HEADER_ONLY as well. If both are defined,
// ASYNCHAT_COMPILED_LIB wins.
#ifdef ASYNCHAT_COMPILED_LIB
#  undef ASYNCHAT_HEADER_ONLY
#  define ASYNCHAT_DECL
#else
#  ifndef ASYNCHAT_HEADER_ONLY
#    define ASYNCHAT_HEADER_ONLY
#  endif
#  define ASYNCHAT_DECL inline
#endif

#endif
