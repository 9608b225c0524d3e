// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_CHANNEL_STATE_IPP
#define ASYNCHAT_IMPL_CHANNEL_STATE_IPP

#include <asynchat/detail/io/channel_state.hpp>

#include <asynchat/dispatcher.hpp>

#include <asio/error.hpp>
#include <asio/post.hpp>

#include <new>

namespace asynchat::detail {

ASYNCHAT_DECL void readiness_handler::operator()(const std::error_code& result)
{
    dispatcher* const channel = state_->live();
    if (!channel || state_->epoch != epoch_)
        return;
    // What cannot be waited for, such as a regular file, is always ready.
    const bool always = result == asio::error::operation_not_supported;
    const std::error_code error = always ? std::error_code() : result;
    if (what_ != readiness::write)
        return channel_access::ready(*channel, what_, error);
    // Reads before writes, as asyncore's poll() has it: what became ready together with us is
    // queued already, and a writer goes behind it, if there is memory for that.
    try {
        asio::post(channel->owner().context(), [state = state_, epoch = epoch_, error] {
            const auto writer = state->channel();
            if (writer && state->epoch == epoch)
                channel_access::ready(*writer, readiness::write, error);
        });
    } catch (const std::bad_alloc&) {
        channel_access::ready(*channel, readiness::write, error);
    }
}

} // namespace asynchat::detail

#endif
