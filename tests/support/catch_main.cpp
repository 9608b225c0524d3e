// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Catch2 2.x brings its main function as a macro; 3.x is linked instead of this file.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
