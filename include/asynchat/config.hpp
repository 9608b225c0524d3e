// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_CONFIG_HPP
#define ASYNCHAT_CONFIG_HPP

// In front of Asio, whose older releases ask the standard library's macros how to allocate: all
// translation units have to get the same answer.
#include <cstddef>

#include <asynchat/detail/platform.hpp>
#include <asynchat/version.hpp>

/// @file The library is header-only unless ASYNCHAT_COMPILED_LIB is defined. The CMake target
/// asynchat::asynchat defines it for its users; asynchat::header_only does not. A program uses one
/// of the two throughout.
///
/// A build without CMake may define ASYNCHAT_HEADER_ONLY as well. If both are defined,
/// ASYNCHAT_COMPILED_LIB wins.
///
/// All names are in an inline namespace, which users do not write: `v0_1`, or `v0_1_header_only`.
/// So code for another minor version, or a mix of the two kinds, does not link where one hands our
/// types to the other, and does no harm where they only share a process.

// A compiled library is built with hidden visibility. What programs call or derive from bears
// ASYNCHAT_API; ASYNCHAT_PRIVATE stands instead of ASYNCHAT_DECL at members of such a class that
// only the library calls.
#define ASYNCHAT_ABI_NAME(major, minor, kind) v##major##_##minor##kind
#define ASYNCHAT_ABI_OF(major, minor, kind) ASYNCHAT_ABI_NAME(major, minor, kind)
#ifdef ASYNCHAT_COMPILED_LIB
#  undef ASYNCHAT_HEADER_ONLY
#  define ASYNCHAT_DECL
#  define ASYNCHAT_API [[gnu::visibility("default")]]
#  define ASYNCHAT_PRIVATE [[gnu::visibility("hidden")]]
#  define ASYNCHAT_ABI ASYNCHAT_ABI_OF(ASYNCHAT_VERSION_MAJOR, ASYNCHAT_VERSION_MINOR, )
#else
#  ifndef ASYNCHAT_HEADER_ONLY
#    define ASYNCHAT_HEADER_ONLY
#  endif
#  define ASYNCHAT_DECL inline
#  define ASYNCHAT_API
#  define ASYNCHAT_PRIVATE inline
#  define ASYNCHAT_ABI ASYNCHAT_ABI_OF(ASYNCHAT_VERSION_MAJOR, ASYNCHAT_VERSION_MINOR, _header_only)
#endif

// Stands instead of ASYNCHAT_DECL in front of bodies that no message needs, which are most of them:
// the compiler makes them small, and puts them where they do not lie between the others.
#define ASYNCHAT_RARE [[gnu::cold]] ASYNCHAT_DECL

#define ASYNCHAT_TEXT(name) #name
#define ASYNCHAT_TEXT_OF(name) ASYNCHAT_TEXT(name)
#define ASYNCHAT_ABI_TEXT ASYNCHAT_TEXT_OF(ASYNCHAT_ABI)

#endif
