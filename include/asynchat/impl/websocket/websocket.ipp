// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_WEBSOCKET_WEBSOCKET_IPP
#define ASYNCHAT_IMPL_WEBSOCKET_WEBSOCKET_IPP

#include <asynchat/impl/websocket/upgrade_request.ipp>
#include <asynchat/impl/websocket/utf8_check.ipp>
#include <asynchat/impl/websocket/websocket_chat.ipp>
#include <asynchat/impl/websocket/websocket_machine.ipp>
#include <asynchat/impl/websocket/websocket_options.ipp>

#endif
