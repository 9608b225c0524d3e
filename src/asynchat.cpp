// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_COMPILED_LIB
#  error "src/asynchat.cpp is for the compiled library: define ASYNCHAT_COMPILED_LIB"
#endif

#include <asynchat/impl/address_range.ipp>
#include <asynchat/impl/async_chat.ipp>
#include <asynchat/impl/async_chat_end.ipp>
#include <asynchat/impl/async_chat_output.ipp>
#include <asynchat/impl/async_chat_rates.ipp>
#include <asynchat/impl/back_off.ipp>
#include <asynchat/impl/byte_block.ipp>
#include <asynchat/impl/channel_access.ipp>
#include <asynchat/impl/connect_attempt.ipp>
#include <asynchat/impl/connect_race.ipp>
#include <asynchat/impl/deadlines.ipp>
#include <asynchat/impl/descriptors.ipp>
#include <asynchat/impl/dispatcher.ipp>
#include <asynchat/impl/dispatcher_connect.ipp>
#include <asynchat/impl/dispatcher_end.ipp>
#include <asynchat/impl/dispatcher_layers.ipp>
#include <asynchat/impl/dispatcher_log.ipp>
#include <asynchat/impl/dispatcher_opening.ipp>
#include <asynchat/impl/dispatcher_sockets.ipp>
#include <asynchat/impl/dispatcher_time.ipp>
#include <asynchat/impl/dispatcher_with_send.ipp>
#include <asynchat/impl/endpoint.ipp>
#include <asynchat/impl/error.ipp>
#include <asynchat/impl/failure.ipp>
#include <asynchat/impl/file_dispatcher.ipp>
#include <asynchat/impl/file_producer.ipp>
#include <asynchat/impl/frame_chat.ipp>
#include <asynchat/impl/frame_decoder.ipp>
#include <asynchat/impl/frame_pass.ipp>
#include <asynchat/impl/hand_off.ipp>
#include <asynchat/impl/joint_listener.ipp>
#include <asynchat/impl/lingerer.ipp>
#include <asynchat/impl/listen_options.ipp>
#include <asynchat/impl/log_limit.ipp>
#include <asynchat/impl/loop.ipp>
#include <asynchat/impl/loop_time.ipp>
#include <asynchat/impl/memory_network.ipp>
#include <asynchat/impl/output_pump.ipp>
#include <asynchat/impl/output_queue.ipp>
#include <asynchat/impl/pool.ipp>
#include <asynchat/impl/print.ipp>
#include <asynchat/impl/producer.ipp>
#include <asynchat/impl/proxy_header.ipp>
#include <asynchat/impl/proxy_line.ipp>
#include <asynchat/impl/proxy_receiver.ipp>
#include <asynchat/impl/reconnecting.ipp>
#include <asynchat/impl/relay.ipp>
#include <asynchat/impl/server.ipp>
#include <asynchat/impl/server_group.ipp>
#include <asynchat/impl/server_state.ipp>
#include <asynchat/impl/service_manager.ipp>
#include <asynchat/impl/socket.ipp>
#include <asynchat/impl/socket_transport.ipp>
#include <asynchat/impl/stream_buffer.ipp>
#include <asynchat/impl/string_search.ipp>
#include <asynchat/impl/target.ipp>
#include <asynchat/impl/terminator.ipp>
#include <asynchat/impl/terminator_scanner.ipp>
#include <asynchat/impl/testing.ipp>
#include <asynchat/impl/timer_queue.ipp>
#include <asynchat/impl/transport.ipp>
