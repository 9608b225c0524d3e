// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_COMPILED_LIB
#  error "src/websocket.cpp is for the compiled library: define ASYNCHAT_COMPILED_LIB"
#endif

#include <asynchat/impl/websocket/websocket.ipp>
