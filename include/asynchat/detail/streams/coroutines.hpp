// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_STREAMS_COROUTINES_HPP
#define ASYNCHAT_DETAIL_STREAMS_COROUTINES_HPP

#include <asynchat/config.hpp>

#include <asio/detail/config.hpp>

// One line instead of the hundreds that would follow: who includes this leaves out the rest.
#if !defined(ASIO_HAS_CO_AWAIT)
#  error "streams need C++20 coroutines: g++ 11, or clang 16 (Asio 1.22: with ASIO_HAS_CO_AWAIT)"
#endif

#endif
