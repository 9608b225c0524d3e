// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Compiles where <asynchat/streams.hpp> does: this compiler's coroutines are ones that Asio knows.
#include <asio/detail/config.hpp>

#if !defined(ASIO_HAS_CO_AWAIT)
#  error "no coroutines for Asio"
#endif

int main() {}
