// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_WITH_SEND_IPP
#define ASYNCHAT_IMPL_DISPATCHER_WITH_SEND_IPP

#include <asynchat/dispatcher_with_send.hpp>

#include <utility>

namespace asynchat {

ASYNCHAT_DECL dispatcher_with_send::dispatcher_with_send(loop& owner)
    : dispatcher_with_send(owner, socket())
{
}

ASYNCHAT_DECL dispatcher_with_send::dispatcher_with_send(loop& owner, socket from)
    : dispatcher(owner, std::move(from)), queue_(owner.pool())
{
}

ASYNCHAT_DECL std::size_t dispatcher_with_send::send(const_buffers data)
{
    if (closed())
        return 0;
    if (debug)
        log_info(log_type::info, "sending {}", data.str());
    for (const asio::const_buffer& buffer : data)
        queue_.push(std::string_view(static_cast<const char*>(buffer.data()), buffer.size()));
    flush_soon();
    return data.size();
}

ASYNCHAT_DECL void dispatcher_with_send::initiate_send()
{
    bool progress = false;
    while (connected() && !queue_.is_empty()) {
        std::string_view data;
        queue_.gather(1, 65536, [&](std::string_view head) { data = head; });
        const std::size_t taken = dispatcher::send(data);
        if (closed())
            return;
        queue_.consume(taken);
        progress = progress || taken > 0;
        if (taken < data.size())
            return output_blocked(true, progress);
    }
    output_blocked(false, progress);
    if (ends_for_ != close_reason::open && queue_.is_empty())
        end(ends_for_);
}

ASYNCHAT_DECL bool dispatcher_with_send::writable()
{
    return !connected() || !queue_.is_empty();
}

ASYNCHAT_DECL void dispatcher_with_send::handle_write()
{
    initiate_send();
}

ASYNCHAT_DECL void dispatcher_with_send::flush()
{
    initiate_send();
}

ASYNCHAT_DECL void dispatcher_with_send::handle_eof()
{
    ends_for_ = close_reason::peer_finished;
    flush_soon();
}

ASYNCHAT_DECL void dispatcher_with_send::handle_shutdown()
{
    ends_for_ = close_reason::local;
    flush_soon();
}

} // namespace asynchat

#endif
