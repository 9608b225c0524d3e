// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_TLS_IPP
#define ASYNCHAT_IMPL_TLS_TLS_IPP

#include <asynchat/impl/tls/build.ipp>
#include <asynchat/impl/tls/connection.ipp>
#include <asynchat/impl/tls/context.ipp>
#include <asynchat/impl/tls/handshake.ipp>
#include <asynchat/impl/tls/pem.ipp>
#include <asynchat/impl/tls/ticket_keys.ipp>
#include <asynchat/impl/tls/tls_input.ipp>
#include <asynchat/impl/tls/tls_layer.ipp>
#include <asynchat/impl/tls/tls_output.ipp>

#endif
