// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The macros that a user may define: after them it is known which of the two the library is.
#include <asynchat/asynchat.hpp>

#if defined(ASYNCHAT_COMPILED_LIB) == defined(ASYNCHAT_HEADER_ONLY)
#  error "compiled, or header-only"
#endif

int main()
{
    asynchat::loop loop;
}
