// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_ASIO_FWD_HPP
#define ASYNCHAT_DETAIL_ASIO_FWD_HPP

#include <asynchat/config.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/detail/config.hpp>

// Our headers name these types of Asio and do not use them. To include their headers would take
// longer than all of ours. A program that makes an object of such a type includes its header
// itself.

#ifndef ASIO_INLINE_NAMESPACE_BEGIN // older releases
#  define ASYNCHAT_ASIO_BEGIN
#  define ASYNCHAT_ASIO_END
#else
#  define ASYNCHAT_ASIO_BEGIN ASIO_INLINE_NAMESPACE_BEGIN
#  define ASYNCHAT_ASIO_END ASIO_INLINE_NAMESPACE_END
#endif

namespace asio {
ASYNCHAT_ASIO_BEGIN

template <typename Executor>
class basic_signal_set;
template <typename Protocol, typename Executor>
class basic_stream_socket;

namespace generic {
class datagram_protocol;
} // namespace generic

namespace ip {
class address;
class tcp;
class udp;
template <typename InternetProtocol>
class basic_endpoint;
} // namespace ip

namespace local {
class datagram_protocol;
class stream_protocol;
template <typename Protocol>
class basic_endpoint;
} // namespace local

ASYNCHAT_ASIO_END
} // namespace asio

#undef ASYNCHAT_ASIO_BEGIN
#undef ASYNCHAT_ASIO_END

#endif
