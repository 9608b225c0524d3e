// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_FWD_HPP
#define ASYNCHAT_FWD_HPP

#include <asynchat/config.hpp>

// Forward declarations only, for headers that name our types without using them.

namespace asynchat {
inline namespace ASYNCHAT_ABI {

class address_range;
class async_chat;
class const_buffers;
class dispatcher;
class dispatcher_with_send;
class endpoint;
class exit_now;
class file_dispatcher;
class file_producer;
class listen_options;
class loop;
class pool_base;
class producer;
class proxy_header;
class reconnector;
class relay;
class run_guard;
class scoped_timer;
class server_base;
class simple_producer;
class socket;
class target;
class terminator;
class timer;
class transport;
class transport_layer;
class wait_handler;

template <class T>
class fifo;
template <class T>
class handle;
template <class T>
class pool;
template <class T>
class reconnecting;
template <class Answer>
class request_queue;
template <class Handler>
class server;
template <class Handler>
class server_group;

enum class close_reason : unsigned char;
enum class early_input : unsigned char;
enum class full_output : unsigned char;
enum class log_type : unsigned char;
enum class readiness : unsigned char;

namespace detail {
class before_layer;
class connect_attempt;
class proxy_receiver;
class socket_transport;
class stream_channel;
struct channel_access;
struct connect_record;
struct proxy_fields;
struct race_settings;
} // namespace detail

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
