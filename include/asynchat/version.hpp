// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_VERSION_HPP
#define ASYNCHAT_VERSION_HPP

// The only place where the version is written; the build reads it from here.
#define ASYNCHAT_VERSION_MAJOR 0
#define ASYNCHAT_VERSION_MINOR 1
#define ASYNCHAT_VERSION_PATCH 0

#endif
