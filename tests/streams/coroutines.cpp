// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Compiles where the compiler has coroutines.
#include <coroutine>

#if !defined(__cpp_impl_coroutine)
#  error "no coroutines"
#endif

int main() {}
