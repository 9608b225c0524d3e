// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_ASYNCHAT_HPP
#define ASYNCHAT_ASYNCHAT_HPP

/// @file The whole library. Subclass async_chat, set a terminator, override two functions:
///
///     class echo : public asynchat::async_chat {
///     public:
///         echo(asynchat::loop& loop, asynchat::socket peer) : async_chat(loop, std::move(peer))
///         {
///             set_terminator("\n");
///         }
///         void collect_incoming_data(std::string_view data) override { line_ += data; }
///         void found_terminator() override { push(std::exchange(line_, {}) + "\n"); }
///
///     private:
///         std::string line_;
///     };
///
///     asynchat::loop loop;
///     loop.create<asynchat::server<echo>>(asynchat::endpoint("127.0.0.1", 8080));
///     loop.run();

// Bytes only, no sockets:     terminator.hpp  producer.hpp  fifo.hpp  escape.hpp
//                             number.hpp
// Loop and sockets:           loop.hpp  handle.hpp  timer.hpp  run_guard.hpp  socket.hpp
//                             endpoint.hpp  address_range.hpp  const_buffers.hpp  error.hpp
//                             transport.hpp
// Channels:                   dispatcher.hpp  dispatcher_with_send.hpp  file_dispatcher.hpp
// Framed channels:            async_chat.hpp  frame_chat.hpp  file_producer.hpp
// Ready-made:                 server.hpp  server_counters.hpp  listen_options.hpp
//                             server_group.hpp  proxy_header.hpp  relay.hpp  service_manager.hpp
//                             descriptors.hpp  reconnecting.hpp  request_queue.hpp  pool.hpp
//                             target.hpp

#include <asynchat/address_range.hpp>
#include <asynchat/async_chat.hpp>
#include <asynchat/channel_log.hpp>
#include <asynchat/const_buffers.hpp>
#include <asynchat/descriptors.hpp>
#include <asynchat/dispatcher.hpp>
#include <asynchat/dispatcher_with_send.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/error.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/fifo.hpp>
#include <asynchat/file_dispatcher.hpp>
#include <asynchat/file_producer.hpp>
#include <asynchat/frame_chat.hpp>
#include <asynchat/fwd.hpp>
#include <asynchat/handle.hpp>
#include <asynchat/listen_options.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/number.hpp>
#include <asynchat/platform.hpp>
#include <asynchat/pool.hpp>
#include <asynchat/producer.hpp>
#include <asynchat/proxy_header.hpp>
#include <asynchat/reconnecting.hpp>
#include <asynchat/relay.hpp>
#include <asynchat/request_queue.hpp>
#include <asynchat/run_guard.hpp>
#include <asynchat/server.hpp>
#include <asynchat/server_counters.hpp>
#include <asynchat/server_group.hpp>
#include <asynchat/service_manager.hpp>
#include <asynchat/socket.hpp>
#include <asynchat/target.hpp>
#include <asynchat/terminator.hpp>
#include <asynchat/timer.hpp>
#include <asynchat/transport.hpp>
#include <asynchat/version.hpp>

#endif
