// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The header alone, and once more: it leans on nothing that another one includes.
#include <asynchat/streams.hpp>
#include <asynchat/streams.hpp>
