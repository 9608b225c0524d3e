// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_CONFIG_HPP
#define ASYNCHAT_CONFIG_HPP

// The library is header-only unless ASYNCHAT_COMPILED_LIB is defined. The CMake target
// asynchat::asynchat defines it for its users; asynchat::header_only does not. A program uses one
// of the two throughout: mixing them breaks the one-definition rule.
#ifdef ASYNCHAT_COMPILED_LIB
#  define ASYNCHAT_DECL
#else
#  define ASYNCHAT_HEADER_ONLY
#  define ASYNCHAT_DECL inline
#endif

#endif
