// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_RELAY_IPP
#define ASYNCHAT_IMPL_RELAY_IPP

#include <asynchat/relay.hpp>

#include <optional>
#include <stdexcept>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_RARE relay::relay(loop& owner) : relay(owner, socket()) {}

ASYNCHAT_RARE relay::relay(loop& owner, socket from) : async_chat(owner, std::move(from))
{
    set_terminator(std::nullopt);
    when_full(full_output::reads_on); // the output of the other channel stops it
    pause_reading();
}

ASYNCHAT_RARE relay::~relay()
{
    part();
}

ASYNCHAT_RARE void relay::join(relay& other)
{
    if (other_ || other.other_ || this == &other)
        throw std::logic_error("asynchat: join() of a relay that is joined");
    other_ = &other;
    other.other_ = this;
    if (!other.write_paused())
        resume_reading();
    if (!write_paused())
        other.resume_reading();
}

ASYNCHAT_RARE void relay::collect_incoming_data(std::string_view data)
{
    if (other_)
        other_->push(data);
}

ASYNCHAT_RARE void relay::handle_connect() {}

ASYNCHAT_RARE void relay::handle_write_paused()
{
    if (other_)
        other_->pause_reading();
}

ASYNCHAT_RARE void relay::handle_write_resumed()
{
    if (other_)
        other_->resume_reading();
}

ASYNCHAT_RARE void relay::handle_eof()
{
    if (!other_)
        return async_chat::handle_eof();
    other_->push_eof();
}

ASYNCHAT_RARE void relay::close()
{
    relay* const left = other_;
    part();
    async_chat::close();
    if (!left)
        return;
    const bool in_order =
        close_reason() == close_reason::peer_finished || close_reason() == close_reason::local;
    if (in_order)
        return left->close_when_done();
    // An orderly end would make a part of an answer look complete. Only output that can be sent now
    // is still sent.
    try {
        left->initiate_send();
    } catch (...) { // from an override: the channel is aborted anyway
    }
    left->abort();
}

ASYNCHAT_RARE void relay::part() noexcept
{
    if (other_)
        other_->other_ = nullptr;
    other_ = nullptr;
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
