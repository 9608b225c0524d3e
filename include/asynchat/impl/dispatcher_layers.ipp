// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_LAYERS_IPP
#define ASYNCHAT_IMPL_DISPATCHER_LAYERS_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/detail/failure.hpp>
#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/producer.hpp>
#include <asynchat/transport.hpp>

#include <asio/error.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// The transport below a layer that is added in the middle of a stream. It holds input back while
/// earlier output is sent without the layer. Then it passes the early input to the layer, and from
/// then on everything. If the end of the stream came before, it gives that again: what is below
/// need not do that.
class before_layer final : public transport_layer {
public:
    void begin(std::string bytes, bool holds, bool ended) noexcept
    {
        bytes_ = std::move(bytes);
        holds_input_ = holds;
        ended_ = ended;
    }

    std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override
    {
        if (holds_input()) {
            error = asio::error::would_block;
            return 0;
        }
        if (bytes_.empty() && ended_) {
            error = asio::error::eof;
            return 0;
        }
        if (bytes_.empty())
            return transport_layer::read_some(into, error);
        error.clear();
        const std::size_t size = std::min(into.size(), bytes_.size());
        std::memcpy(into.data(), bytes_.data(), size);
        bytes_.erase(0, size);
        return size;
    }
    bool may_read() override { return !holds_input() && transport_layer::may_read(); }

private:
    bool has_input() override { return ended_ || !bytes_.empty(); }

    std::string bytes_;
    bool ended_ = false;
};

/// In the place of the layers of a connection whose handshake has failed, if they are not renewed.
/// If another attempt is made without new ones, it fails: the output that waits was meant for them.
class missing_layer final : public transport_layer {
public:
    bool is_established() const noexcept override { return false; }
    void establish(const endpoint&, std::error_code& error) override
    {
        error = asio::error::no_permission;
    }
    std::optional<error_explanation> explain(const std::error_code&) override
    {
        return error_explanation{close_reason::system_error,
                                 "add the layer again before connect(), by start_tls() or "
                                 "add_layer(): its handshake has failed before"};
    }

private:
    bool has_input() override { return true; } // the attempt fails at once
};

/// A mark in an output queue: output before it is sent without the layers, output behind it through
/// the layers.
class layer_switch final : public producer {
public:
    explicit layer_switch(dispatcher& channel) noexcept : channel_(channel) {}

    std::string_view more() override
    {
        channel_access::put_on_layers(channel_);
        return {};
    }

private:
    dispatcher& channel_; // the owner of the queue
};

} // namespace detail

ASYNCHAT_RARE void dispatcher::add_layer(std::unique_ptr<transport_layer> layer, early_input early)
{
    if (!layer)
        throw std::invalid_argument("asynchat: add_layer() of a null pointer");
    require_life("add_layer");
    if (accepting_)
        throw std::logic_error("asynchat: add_layer() on a channel that listens; "
                               "use_layer() of a server<> is for its connections");
    if (is_socket_ && !require_socket("add_layer").is_stream())
        throw std::logic_error("asynchat: add_layer() over datagrams");
    if (rare_ && rare_->urgent.is_on())
        layer->require_urgent_data();
    const bool has_connection =
        connected_ || state_->opening != 0 || (transport_ && !transport_->peer_endpoint().empty());
    if (rare_ && dynamic_cast<detail::missing_layer*>(rare_->layers.get()))
        rare_->layers.reset();
    if (!has_connection || (!connected_ && has_waiting_layers()))
        return transport_layer::stack(rare().layers, std::move(layer), state_->layers());
    if (has_waiting_layers())
        throw std::logic_error("asynchat: add_layer() while one waits for the output before it");
    add_layer_now(std::move(layer), early);
}

ASYNCHAT_RARE void dispatcher::add_layer_now(std::unique_ptr<transport_layer> layer,
                                             early_input early)
{
    // With what may have to be below it. First: nothing has changed if that throws.
    std::unique_ptr<transport_layer> before;
    std::unique_ptr<transport_layer> layers;
    auto holding = std::make_unique<detail::before_layer>();
    auto& below = *holding;
    transport_layer::stack(before, std::move(holding), state_->layers());
    transport_layer::stack(layers, std::move(layer), state_->layers() + 1);
    auto& waiting = rare().layers;
    auto fed = take_early_input_(early);
    if (closed())
        return;
    const bool ended = eof_ && !fed.empty() && !is_lost();
    if (ended)
        eof_ = false; // it comes again, behind the early input
    bool later = false;
    try {
        later = switches_later_();
    } catch (...) { // the channel goes on without the layer: it receives the early input again
        if (!fed.empty() && transport_) {
            below.begin(std::move(fed), false, ended);
            put_on(std::move(before));
        }
        throw;
    }
    if (closed() || is_lost())
        return;
    if (later || !fed.empty()) {
        below.begin(std::move(fed), later, ended);
        put_on(std::move(before));
    }
    later ? waiting.swap(layers) : put_on(std::move(layers));
}

/// Makes the mark that is queued behind the earlier output.
ASYNCHAT_RARE std::unique_ptr<producer> dispatcher::make_layer_switch()
{
    return std::make_unique<detail::layer_switch>(*this);
}

ASYNCHAT_RARE bool dispatcher::layers_wait_for_output() const noexcept
{
    const auto* const before = transport_ ? transport_->as_layer_() : nullptr;
    return has_waiting_layers() && before && before->holds_input_;
}

ASYNCHAT_RARE void dispatcher::put_on_layers() noexcept
{
    if (!has_waiting_layers() || !transport_)
        return;
    if (auto* const before = transport_->as_layer_())
        before->holds_input_ = false;
    put_on(std::move(rare_->layers));
}

ASYNCHAT_RARE void dispatcher::put_on(std::unique_ptr<transport_layer> layers) noexcept
{
    // Pending waits below continue as waits of the lowest layer.
    auto waits = state_->armed;
    waits.set(readiness::urgent, false);
    if (state_->try_again_listed)
        waits.set(readiness::read, false);
    state_->armed.set(readiness::read, false);
    state_->armed.set(readiness::write, false);
    state_->try_again_listed = false;
    const unsigned level = layers->level_ + state_->layers();
    transport_ = transport_layer::put_over(std::move(transport_), std::move(layers), waits);
    state_->set_layers(level);
    has_event_ = true; // a layer may have events without a cause
    if (!transport_->is_established())
        begin_opening();
    try_flush_soon();
}

/// Ends our stream. Returns false when the last bytes of a layer would block.
ASYNCHAT_RARE bool dispatcher::end_output()
{
    if (!connected_ || !transport_)
        throw std::logic_error("asynchat: shutdown_output() needs a connection");
    std::error_code error;
    transport_->shutdown_write(error);
    if (is_would_block(error))
        return false;
    if (is_disconnected(error))
        connection_lost_(close_reason::reset, error);
    else if (error)
        throw detail::io_error(close_reason::system_error, error, "shutdown_output");
    return true;
}

ASYNCHAT_RARE void dispatcher::shutdown_output()
{
    if (!end_output())
        throw detail::io_error(close_reason::system_error, asio::error::would_block,
                               "shutdown_output");
}

/// Sends the last bytes of the layers when a channel ends in order, after its output was sent.
/// Returns false when they would block.
ASYNCHAT_RARE bool dispatcher::has_said_last_words()
{
    if (state_->layers() == 0 || !connected_ || !transport_)
        return true;
    std::error_code error; // ignored, because the channel ends anyway
    transport_->shutdown_write(error);
    return !is_would_block(error);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
