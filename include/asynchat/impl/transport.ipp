// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TRANSPORT_IPP
#define ASYNCHAT_IMPL_TRANSPORT_IPP

#include <asynchat/transport.hpp>

#include <asynchat/dispatcher.hpp>
#include <asynchat/socket.hpp>

#include <asio/error.hpp>
#include <asio/post.hpp>

#include <cassert>
#include <new>
#include <stdexcept>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

// --- waits -----------------------------------------------------------------------------------

ASYNCHAT_DECL void wait_handler::operator()(const std::error_code& result)
{
    using detail::channel_access;
    dispatcher* const channel = state_->live();
    if (!channel)
        return;
    if (state_->epoch != epoch_)
        return call(detail::state_ptr(state_), epoch_, what_, result);
    // A descriptor without waits, such as a regular file, is always ready.
    const bool always = result == asio::error::operation_not_supported;
    const std::error_code error = always ? std::error_code() : result;
    if (what_ != readiness::write)
        return channel_access::ready(*channel, what_, error);
    // Reads before writes, as in asyncore's poll(). Handlers that became ready together with this
    // one are already queued; a writer is posted behind them, if there is memory. Not in Asio's: of
    // that a thread has two places, and many channels may be posted at a time.
    struct writer {
        using allocator_type = wait_handler::allocator_type;

        allocator_type get_allocator() const noexcept { return allocator_type(state); }
        void operator()() const { call(state, epoch, readiness::write, error); }

        detail::state_ptr state;
        unsigned epoch;
        std::error_code error;
    };
    try {
        asio::post(channel->owner().context(), writer{detail::state_ptr(state_), epoch_, error});
    } catch (const std::bad_alloc&) {
        channel_access::ready(*channel, readiness::write, error);
    }
}

/// Calls the channel, or the layer above the transport that has waited; the layer may have been
/// added during the wait.
ASYNCHAT_DECL void wait_handler::call(const detail::state_ptr& state, unsigned epoch,
                                      readiness what, const std::error_code& error)
{
    const auto channel = state->channel();
    if (!channel)
        return;
    if (state->epoch == epoch)
        return detail::channel_access::ready(*channel, what, error);
    const unsigned layers_on_top = state->epoch - epoch;
    if (layers_on_top <= state->layers())
        detail::channel_access::layer_ready(*channel, state->layers() - layers_on_top + 1, what,
                                            error);
}

ASYNCHAT_DECL void wait_handler::post() &&
{
    dispatcher* const channel = state_->live();
    if (!channel)
        return;
    asio::post(channel->owner().context(),
               [ready = std::move(*this)]() mutable { ready(std::error_code()); });
}

// --- what not every transport can do ---------------------------------------------------------

ASYNCHAT_DECL void transport::establish(const endpoint&, std::error_code& error)
{
    error.clear();
}

ASYNCHAT_DECL std::optional<error_explanation> transport::explain(const std::error_code&)
{
    return std::nullopt;
}

ASYNCHAT_DECL std::size_t transport::write_file(int, std::uint64_t, std::size_t,
                                                std::error_code& error)
{
    error = asio::error::operation_not_supported;
    return 0;
}

ASYNCHAT_DECL std::size_t transport::receive_below_(asio::mutable_buffer, bool,
                                                    std::error_code& error)
{
    error = asio::error::operation_not_supported;
    return 0;
}

ASYNCHAT_DECL void transport::bind(const endpoint&, std::error_code& error)
{
    error = asio::error::operation_not_supported;
}

ASYNCHAT_DECL void transport::shutdown_write(std::error_code& error)
{
    error = asio::error::operation_not_supported;
}

ASYNCHAT_DECL void transport::listen(int, std::error_code& error)
{
    error = asio::error::operation_not_supported;
}

ASYNCHAT_DECL socket transport::accept(std::error_code& error)
{
    error = asio::error::operation_not_supported;
    return {};
}

ASYNCHAT_DECL void transport::async_connect(const endpoint&, connect_handler)
{
    throw std::logic_error("asynchat: only a socket can be connected");
}

// --- layers: what is passed on ---------------------------------------------------------------

ASYNCHAT_DECL bool transport_layer::is_established() const noexcept
{
    return lower_->is_established();
}

ASYNCHAT_DECL void transport_layer::establish(const endpoint& peer, std::error_code& error)
{
    lower_->establish(peer, error);
}

ASYNCHAT_DECL std::optional<error_explanation>
transport_layer::explain(const std::error_code& error)
{
    return lower_->explain(error);
}

ASYNCHAT_DECL std::size_t transport_layer::read_some(asio::mutable_buffer into,
                                                     std::error_code& error)
{
    return lower_->read_some(into, error);
}

ASYNCHAT_DECL std::size_t transport_layer::write_some(const_buffers from, std::error_code& error)
{
    return lower_->write_some(from, error);
}

ASYNCHAT_DECL std::size_t transport_layer::held_output() const
{
    return lower_->held_output();
}

ASYNCHAT_DECL int transport_layer::native_handle()
{
    return lower_->native_handle();
}

ASYNCHAT_DECL std::error_code transport_layer::take_error()
{
    return lower_->take_error();
}

ASYNCHAT_DECL bool transport_layer::peer_has_finished()
{
    return lower_->peer_has_finished();
}

ASYNCHAT_DECL std::size_t transport_layer::in_flight()
{
    return lower_->in_flight();
}

ASYNCHAT_DECL bool transport_layer::may_read()
{
    return has_input() || lower_->may_read();
}

ASYNCHAT_DECL bool transport_layer::is_connection() const noexcept
{
    return lower_->is_connection();
}

ASYNCHAT_DECL void transport_layer::shutdown_write(std::error_code& error)
{
    lower_->shutdown_write(error);
}

ASYNCHAT_DECL void transport_layer::reset_on_close() noexcept
{
    lower_->reset_on_close();
}

ASYNCHAT_DECL void transport_layer::bind(const endpoint& where, std::error_code& error)
{
    lower_->bind(where, error);
}

ASYNCHAT_DECL void transport_layer::listen(int backlog, std::error_code& error)
{
    lower_->listen(backlog, error);
}

ASYNCHAT_DECL socket transport_layer::accept(std::error_code& error)
{
    return lower_->accept(error);
}

ASYNCHAT_DECL void transport_layer::async_connect(const endpoint& to, connect_handler done)
{
    lower_->async_connect(to, std::move(done));
}

ASYNCHAT_DECL endpoint transport_layer::local_endpoint() const
{
    return lower_->local_endpoint();
}

ASYNCHAT_DECL endpoint transport_layer::peer_endpoint() const
{
    return lower_->peer_endpoint();
}

ASYNCHAT_DECL detail::socket_transport* transport_layer::as_socket_() noexcept
{
    return lower_->as_socket_();
}

ASYNCHAT_DECL std::size_t transport_layer::receive_below_(asio::mutable_buffer into, bool keep,
                                                          std::error_code& error)
{
    return lower_->receive_below_(into, keep, error);
}

// --- layers: putting one over the other ------------------------------------------------------

ASYNCHAT_DECL void transport_layer::stack(std::unique_ptr<transport_layer>& layers,
                                          std::unique_ptr<transport_layer> next, unsigned below)
{
    if (!next)
        throw std::invalid_argument("asynchat: add_layer() of a null pointer");
    if (next->lower_)
        throw std::logic_error("asynchat: add_layer() of a layer that was added already");
    const unsigned level = (layers ? layers->level_ : 0U) + 1U;
    if (below + level > detail::channel_state::max_layers)
        throw std::length_error("asynchat: add_layer(): too many layers");
    next->level_ = static_cast<unsigned char>(level);
    next->lower_ = std::move(layers);
    layers = std::move(next);
}

ASYNCHAT_DECL std::unique_ptr<transport_layer>
transport_layer::unstack(std::unique_ptr<transport_layer> layers) noexcept
{
    auto* const below = layers->layer_below();
    layers->lower_.release();
    return std::unique_ptr<transport_layer>(below);
}

ASYNCHAT_DECL std::unique_ptr<transport>
transport_layer::put_over(std::unique_ptr<transport> below, std::unique_ptr<transport_layer> layers,
                          detail::readiness_set armed) noexcept
{
    auto* const layer_below = below->as_layer_();
    const unsigned levels = layer_below ? layer_below->level_ : 0U;
    transport_layer* lowest = layers.get();
    for (;; lowest = lowest->layer_below()) {
        lowest->level_ = static_cast<unsigned char>(lowest->level_ + levels);
        if (!lowest->lower_)
            break;
    }
    lowest->armed_ = armed; // the channel's waits are those of the layer from now on
    lowest->lower_ = std::move(below);
    return layers;
}

ASYNCHAT_DECL void transport_layer::require_urgent_data()
{
    for (transport_layer* layer = this; layer; layer = layer->layer_below()) {
        if (layer->forbids_urgent_data_())
            throw std::logic_error("asynchat: urgent data over TLS: it would not be protected");
    }
}

ASYNCHAT_DECL unsigned transport_layer::start_anew() noexcept
{
    for (transport_layer* layer = this; layer; layer = layer->layer_below()) {
        layer->reader_.reset();
        layer->writer_.reset();
        layer->armed_ = {};
    }
    return level_;
}

// --- layers: waiting -------------------------------------------------------------------------

ASYNCHAT_DECL void transport_layer::async_wait(readiness what, wait_handler ready)
{
    if (what == readiness::urgent)
        return lower_->async_wait(what, std::move(ready));
    waiter_for(what) = std::move(ready);
    wait(what);
}

/// Starts the wait below for a pending wait, if it has to wait.
ASYNCHAT_DECL void transport_layer::wait(readiness what)
{
    auto& waiter = waiter_for(what);
    if (!waiter || (what == readiness::read && holds_input_))
        return;
    if (what == readiness::read && has_input()) {
        wait_handler(*waiter).post();
        return waiter.reset();
    }
    const readiness needed = waits_for(what);
    if (armed_.has(needed))
        return;
    wait_handler ours = *waiter;
    ours.what_ = needed;
    --ours.epoch_;
    lower_->async_wait(needed, std::move(ours));
    armed_.set(needed, true);
}

ASYNCHAT_DECL void transport_layer::look_again(const detail::state_ptr& state)
{
    wait(readiness::read);
    wait(readiness::write);
    if (!armed_.has(readiness::write) && send_own()) {
        wait_handler ours(state, readiness::write);
        ours.epoch_ -= state->layers() - level_ + 1U;
        lower_->async_wait(readiness::write, std::move(ours));
        armed_.set(readiness::write, true);
    }
    if (auto* const below = layer_below())
        below->look_again(state);
}

ASYNCHAT_DECL bool transport_layer::wait_ended(unsigned level, readiness what,
                                               const std::error_code& error)
{
    if (level != level_)
        return layer_below()->wait_ended(level, what, error);
    armed_.set(what, false);
    std::optional<wait_handler> ended[2]; // the writer first: its handler is only queued
    for (const readiness kind : {readiness::write, readiness::read}) {
        auto& waiter = waiter_for(kind);
        if (!waiter)
            continue;
        if (waits_for(kind) == what)
            std::swap(ended[kind == readiness::read], waiter);
        else
            wait(kind);
    }
    const bool was_awaited = ended[0] || ended[1];
    for (auto& ready : ended) {
        if (ready)
            (*ready)(error); // may destroy this
    }
    return was_awaited;
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
