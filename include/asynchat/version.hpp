// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_VERSION_HPP
#define ASYNCHAT_VERSION_HPP

/// The version of the library, as three numbers. It is written nowhere else: the build reads it
/// here.
#define ASYNCHAT_VERSION_MAJOR 0
#define ASYNCHAT_VERSION_MINOR 1
#define ASYNCHAT_VERSION_PATCH 0

#endif
