// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_SERVER_IPP
#define ASYNCHAT_IMPL_SERVER_IPP

#include <asynchat/server.hpp>

#include <asynchat/detail/fmt_format.hpp>
#include <asynchat/detail/io/proxy_receiver.hpp>
#include <asynchat/detail/run_then_always.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/dispatcher.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/proxy_header.hpp>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_RARE server_base::server_base(loop& owner, const listen_options& where, maker make)
    : dispatcher(owner), make_(std::move(make)), shared_(std::make_shared<detail::server_state>())
{
    if (auto listeners = where.open(owner); !listeners.empty()) {
        endpoint first = where.places_.front().where;
        rest_ = (std::size_t{1} + static_cast<unsigned>(std::max(where.backlog_, 0))) *
                listeners.size();
        detail::channel_access::listen_with(*this, std::move(listeners), std::move(first));
        listens_ = true;
        is_inherited_ = where.has_sockets_only();
    } else { // connections come from elsewhere
        detail::channel_access::set_accepting(*this, true);
    }
    detail::channel_access::survive_errors(*this); // of a connection
    shared_->listener = this;
}

/// The server takes its connections from the one that accepts for the group, or is that.
ASYNCHAT_RARE void server_base::join(std::shared_ptr<detail::hand_off> group)
{
    shared_->place = &group->add(*this);
    shared_->place->take = [](dispatcher& server, socket&& connection) {
        static_cast<server_base&>(server).take(std::move(connection));
    };
    shared_->place->max_connections = max_connections_;
    shared_->place->max_handshakes = max_handshakes_;
    shared_->group = std::move(group);
}

/// Its group gives it no more connections.
ASYNCHAT_RARE void server_base::leave_group() noexcept
{
    if (!shared_->place)
        return;
    shared_->place->stops = true;
    shared_->group->changed();
}

ASYNCHAT_RARE server_base::~server_base()
{
    shared_->listener = nullptr;
    detail::proxy_receiver::close_all(*shared_);
    if (!shared_->place)
        return;
    shared_->place->stops = true;
    shared_->place->server = nullptr;
}

// --- connections -----------------------------------------------------------------------------

ASYNCHAT_RARE void server_base::max_connections(std::size_t n)
{
    max_connections_ = n;
    if (shared_->place) {
        shared_->place->max_connections = n;
        shared_->group->changed();
    }
    flush_soon(); // it may accept again
}

ASYNCHAT_RARE void server_base::max_handshakes(std::size_t n)
{
    max_handshakes_ = n;
    if (shared_->place) {
        shared_->place->max_handshakes = n;
        shared_->group->changed();
    }
    flush_soon(); // it may accept again
}

/// The connections that count in the limit. Those whose PROXY header is awaited will be of any
/// server of the group.
ASYNCHAT_DECL std::size_t server_base::connections() const noexcept
{
    return counters().open + (shared_->group ? 0 : shared_->receivers.size());
}

ASYNCHAT_DECL bool server_base::readable()
{
    if (connections() < max_connections_ - max_connections_ / 4)
        told_full_ = false;
    const bool is_full = !has_room();
    shared_->wakes_listener = stopping_ || is_full;
    return !is_full;
}

/// Whether it may accept, for itself or for its group.
ASYNCHAT_DECL bool server_base::has_room() noexcept
{
    if (shared_->group && listens_)
        return shared_->group->has_room_for(shared_->receivers.size() + 1);
    return connections() < max_connections_ && counters().handshakes < max_handshakes_;
}

ASYNCHAT_DECL void server_base::handle_accepted(socket connection, const endpoint& peer)
{
    if (!proxies_.empty() && !connection.proxy()) // an override of handle_accept() has called this
        return server_base::accepted_(std::move(connection), peer);
    if (shared_->group && listens_)
        hand_on(std::move(connection), peer);
    else
        admit(std::move(connection), peer);
}

/// Gives the connection to the server of the group that has the fewest.
ASYNCHAT_DECL void server_base::hand_on(socket&& connection, const endpoint& peer)
{
    auto* to = shared_->group->choose();
    if (!to && stopping_ && !refuses_) { // so do the others: the rest is served here
        to = shared_->place;
        ++to->connections;
        ++to->coming;
    }
    if (!to)
        return refuse(peer, 0);
    if (to != shared_->place)
        return shared_->group->give(*to, std::move(connection));
    --to->coming;
    admit(std::move(connection), peer);
}

/// A connection from the server that accepts for the group.
ASYNCHAT_DECL void server_base::take(socket&& connection)
{
    detail::channel_access::in_rare_event(*this, [&] {
        const endpoint peer = connection.peer();
        admit(std::move(connection), peer);
    });
}

ASYNCHAT_DECL void server_base::admit(socket&& connection, const endpoint& peer)
{
    const proxy_header* const proxy = connection.proxy();
    const auto address =
        proxy && proxy->source().empty() ? std::nullopt : detail::server_state::address_of(peer);
    const std::size_t from_there = address ? shared_->open_from(*address) : 0;
    if (refuses_ || connections() >= max_connections_ || from_there >= max_per_address_) {
        if (shared_->place)
            shared_->group->left(*shared_->place);
        return refuse(peer, from_there);
    }
    serve(std::move(connection), address);
    if (connections() >= max_connections_ && !std::exchange(told_full_, true))
        detail::channel_access::log_of_peer(
            *this, log_type::info, "{} accepts no more: {} connections are open",
            detail::channel_access::safe_repr(*this), connections());
}

ASYNCHAT_RARE void server_base::refuse(const endpoint& peer, std::size_t from_there)
{
    refuse(peer, refuses_ ? "the server stops"
                          : fmt::format("{} connections are open, {} from there", connections(),
                                        from_there));
}

ASYNCHAT_RARE void server_base::refuse(const endpoint& peer, const std::string& why)
{
    ++shared_->counters.refused;
    if (!why.empty())
        detail::channel_access::log_of_peer(
            *this, log_type::info, "{} refused {}: {}", detail::channel_access::safe_repr(*this),
            escaped(peer.to_string(), detail::longest_name), escaped(why, detail::longest_text));
}

/// The channel for an accepted connection; null if there is none, or its constructor has closed it.
/// Then the place in the slot is free again.
ASYNCHAT_DECL std::shared_ptr<dispatcher> server_base::make_channel(socket&& connection,
                                                                    detail::address_slot& slot)
{
    const auto leave = [&slot](asynchat::close_reason reason) {
        detail::server_state::leave(slot, reason);
        detail::server_state::forget(slot);
    };
    std::shared_ptr<dispatcher> channel;
    try {
        if (make_layer_)
            connection.add_layer(make_layer_());
        channel = make_(owner(), std::move(connection));
    } catch (...) {
        leave(close_reason::callback_error);
        throw;
    }
    if (channel && !channel->closed())
        return channel;
    leave(channel ? channel->close_reason() : close_reason::local);
    if (channel)
        detail::channel_access::begin(channel); // which calls its handle_end()
    return nullptr;
}

/// Connections without an address, over UNIX sockets, share one slot; only the total is limited.
ASYNCHAT_DECL void server_base::serve(socket&& connection, std::optional<std::uint64_t> address)
{
    using detail::channel_access;
    detail::address_slot& slot = enter(address);
    make_room(slot);
    const auto proxy = std::exchange(connection.proxy_, nullptr);
    const auto channel = make_channel(std::move(connection), slot);
    if (!channel)
        return;
    channel_access::set_slot(*channel, &slot);
    if (shared_->rates)
        channel_access::guarded(*channel, [&] { channel_access::obey_rates(*channel); });
    if (proxy) {
        channel_access::begin_handshake_at(*channel, proxy->accepted_);
        shared_->proxy_headers.emplace(channel.get(), proxy);
    }
    {
        const detail::scope_exit opened([shared = shared_, channel] {
            if (!channel_access::is_opening(*channel)) // else its handle_open() is still to come
                shared->proxy_headers.erase(channel.get());
        });
        channel_access::begin(channel);
    }
    if (!stopping_)
        return;
    channel_access::look_now(*channel); // what it has asked already is answered
    shut_down(owner(), {channel_access::state(*channel)}, false);
}

/// Without memory for its slot, the connection gives its place in the group back.
ASYNCHAT_DECL detail::address_slot& server_base::enter(std::optional<std::uint64_t> address)
{
    try {
        return shared_->enter(address);
    } catch (...) {
        if (shared_->place)
            shared_->group->left(*shared_->place);
        throw;
    }
}

/// A lingering connection must not take the place of an open one.
ASYNCHAT_DECL void server_base::make_room(const detail::address_slot& slot)
{
    const server_counters& all = counters();
    if (all.lingering > 0 && all.open + all.lingering > max_connections_)
        detail::channel_access::end_oldest_linger(*this, *shared_, nullptr);
    if (slot.address && slot.lingering > 0 && slot.open + slot.lingering > max_per_address_)
        detail::channel_access::end_oldest_linger(*this, *shared_, &slot);
}

// --- rates -----------------------------------------------------------------------------------

ASYNCHAT_RARE void server_base::read_rate(std::size_t bytes_per_second)
{
    set_rate(&detail::rate_limits::bytes, bytes_per_second);
}

ASYNCHAT_RARE void server_base::frame_rate(std::size_t frames_per_second)
{
    set_rate(&detail::rate_limits::frames, frames_per_second);
}

ASYNCHAT_RARE void server_base::set_rate(detail::rate_limit detail::rate_limits::*which,
                                         std::size_t per_second)
{
    using detail::channel_access;
    detail::require_rate(per_second);
    if (!shared_->rates) {
        if (per_second == unlimited)
            return;
        auto rates = std::make_unique<detail::server_rates>();
        for (const auto& state : channels_of(owner(), *shared_))
            channel_access::obey_rates(*state->channel());
        shared_->rates = std::move(rates);
    }
    (shared_->rates->limits.*which).rate(per_second, owner().now());
    if (!shared_->rates->waiting.is_empty()) // it may go on earlier
        channel_access::wake_by_rate(owner(), shared_->rates->waiting.first().channel,
                                     owner().now());
}

// --- behind a proxy --------------------------------------------------------------------------

ASYNCHAT_RARE void server_base::expect_proxy(std::vector<address_range> from)
{
    proxies_ = std::move(from);
}

ASYNCHAT_RARE void server_base::proxy_timeout(loop::duration timeout)
{
    if (timeout < loop::duration::zero())
        throw std::invalid_argument("asynchat: a timeout is negative");
    proxy_timeout_ = timeout;
}

ASYNCHAT_RARE void server_base::max_proxy_header(std::size_t bytes)
{
    using detail::proxy_input;
    if (bytes < proxy_input::min_header || bytes > proxy_input::max_header)
        throw std::invalid_argument(
            fmt::format("asynchat: max_proxy_header() is {} to {} bytes, not {}",
                        proxy_input::min_header, proxy_input::max_header, bytes));
    max_proxy_header_ = bytes;
}

ASYNCHAT_DECL void server_base::accepted_(socket connection, const endpoint& peer)
{
    if (proxies_.empty())
        return handle_accepted(std::move(connection), peer);
    if (std::none_of(proxies_.begin(), proxies_.end(),
                     [&](const address_range& each) { return each.contains(peer); }))
        return refuse(peer, "it is no proxy that expect_proxy() lists");
    using detail::proxy_input;
    proxy_input input(max_proxy_header_);
    const auto result =
        input.receive([&](asio::mutable_buffer into, bool keep, std::error_code& error) {
            return detail::channel_access::receive_below(connection, into, keep, error);
        });
    switch (result) {
    case proxy_input::result::complete:
        return take_proxied(std::move(connection), std::move(input.fields()), owner().now());
    case proxy_input::result::failed: return refuse(peer, input.error());
    case proxy_input::result::incomplete: break;
    }
    const std::size_t used = counters().open + shared_->receivers.size();
    if (refuses_ || (stopping_ && used >= max_connections_)) // nobody has asked has_room()
        return refuse(peer, 0);
    detail::channel_access::begin(detail::channel_access::make<detail::proxy_receiver>(
        owner(), std::move(connection), shared_, std::move(input), proxy_timeout_));
}

/// The header of a connection is complete.
ASYNCHAT_DECL void server_base::take_proxied(socket&& connection, detail::proxy_fields&& fields,
                                             loop::time_point accepted)
{
    connection.proxy_.reset(new proxy_header(std::move(fields), accepted));
    if (!connection.proxy()->source().empty())
        connection.peer_ = connection.proxy()->source();
    const endpoint peer = connection.peer();
    handle_accepted(std::move(connection), peer);
}

ASYNCHAT_RARE void server_base::proxy_failed(const detail::server_state& server,
                                             const endpoint& peer, const std::string& why)
{
    if (server.listener)
        static_cast<server_base*>(server.listener)->refuse(peer, why);
}

ASYNCHAT_DECL void server_base::proxy_received(detail::server_state& server, socket&& connection,
                                               detail::proxy_fields&& fields,
                                               loop::time_point accepted)
{
    const auto listener =
        server.listener ? detail::channel_access::state(*server.listener)->channel() : nullptr;
    if (!listener) {
        ++server.counters.refused;
        return;
    }
    detail::channel_access::in_rare_event(*listener, [&] {
        static_cast<server_base&>(*listener).take_proxied(std::move(connection), std::move(fields),
                                                          accepted);
    });
}

ASYNCHAT_RARE std::vector<endpoint> server_base::local_endpoints() const
{
    return detail::channel_access::listening_endpoints(*this);
}

// --- the end ---------------------------------------------------------------------------------

ASYNCHAT_RARE void server_base::stop(loop::duration deadline)
{
    if (closed())
        return;
    if (shared_->place)
        shared_->place->stops = true;
    deadline_.cancel();
    deadline_ = owner().call_later(
        deadline, [&owner = owner(), shared = shared_] { deadline_reached(owner, shared); });
    refuses_ = refuses_ || deadline <= loop::duration::zero();
    if (!std::exchange(stopping_, true)) {
        detail::channel_access::set_accepting(*this, false);
        accepts_rest_ = listens_ && !is_inherited_ && !is_shared_;
        if (accepts_rest_)
            accept_rest_soon(false);
        shut_down(owner(), channels_of(owner(), *shared_), false);
    }
    if (refuses_ || !accepts_rest_)
        end_listening();
    flush_soon();
}

/// What has not finished is closed, and nothing more is accepted. The server may be gone.
ASYNCHAT_RARE void server_base::deadline_reached(loop& owner,
                                                 const std::shared_ptr<detail::server_state>& of)
{
    const auto listener =
        of->listener ? detail::channel_access::state(*of->listener)->channel() : nullptr;
    const auto refuse_rest = [&] {
        if (!listener)
            return detail::proxy_receiver::close_all(*of);
        detail::channel_access::in_rare_event(
            *listener, [&] { static_cast<server_base&>(*listener).refuse_rest(); });
    };
    detail::run_then_always(refuse_rest, [&] { shut_down(owner, channels_of(owner, *of), true); });
}

/// Who waits for the rest of its PROXY header is refused by name.
ASYNCHAT_RARE void server_base::refuse_rest()
{
    refuses_ = true;
    end_listening();
    const detail::scope_exit others([this] { detail::proxy_receiver::close_all(*shared_); });
    while (!shared_->receivers.empty())
        shared_->receivers.begin()->second->refuse(
            "its PROXY header is not complete, and the server stops");
}

ASYNCHAT_RARE void server_base::end_listening()
{
    accepts_rest_ = false;
    detail::channel_access::stop_listening(*this);
}

/// In a later turn; after a failure a little later, as channels that close free descriptors.
ASYNCHAT_RARE void server_base::accept_rest_soon(bool has_failed)
{
    auto go_on = [state = detail::channel_access::state(*this), this] {
        if (const auto alive = state->channel())
            detail::channel_access::in_rare_event(*alive, [this] { accept_rest(); });
    };
    if (has_failed)
        owner().call_later(detail::accept_backoff::pause, std::move(go_on));
    else
        detail::channel_access::post(owner(), std::move(go_on));
}

/// Accepts what waits in the system's queue, some of it in each turn, and then ends the listening.
/// A queue that is filled again and again does not keep the server for ever.
ASYNCHAT_RARE void server_base::accept_rest()
{
    if (!accepts_rest_) // another stop(), or its deadline, has ended it
        return;
    bool fails = false;
    const auto accept_some = [&] {
        constexpr int max_connections = 64;
        for (int i = 0; i < max_connections && accepts_rest_ && rest_ > 0 && !fails; ++i)
            fails = !accept_one_more();
    };
    detail::run_then_always(accept_some, [&] {
        if (!accepts_rest_ || closed())
            return;
        if (rest_ > 0)
            accept_rest_soon(fails);
        else
            end_listening();
    });
}

/// Returns false if accept() fails, for want of descriptors for example.
ASYNCHAT_RARE bool server_base::accept_one_more()
{
    bool fails = false;
    detail::channel_access::guarded(*this, [&] {
        std::optional<std::pair<socket, endpoint>> accepted;
        try {
            accepted = accept();
        } catch (const exit_now&) {
            throw;
        } catch (...) {
            fails = true;
            detail::channel_access::accept_failed(*this);
            throw;
        }
        if (accepted || detail::channel_access::may_read(*this)) // one may be lost already
            --rest_;
        else
            rest_ = 0;
        if (accepted)
            accepted_(std::move(accepted->first), accepted->second);
    });
    return !fails;
}

ASYNCHAT_RARE std::vector<socket> server_base::share_listeners()
{
    auto shared = detail::channel_access::copies_of_listeners(*this);
    is_shared_ = is_shared_ || !shared.empty();
    return shared;
}

/// The channels that a server made, the oldest at the back.
ASYNCHAT_RARE std::vector<detail::state_ptr>
server_base::channels_of(loop& owner, const detail::server_state& shared)
{
    std::vector<detail::state_ptr> found;
    for (const auto& channel : owner.channels()) {
        const detail::address_slot* const slot = detail::channel_access::slot(*channel);
        if (slot && slot->server.get() == &shared)
            found.push_back(detail::channel_access::state(*channel));
    }
    std::reverse(found.begin(), found.end());
    return found;
}

/// In a later turn, asks the channels to finish, from the back, or ends them if `now`. If an
/// exception leaves the loop, the remaining channels follow after it.
ASYNCHAT_RARE void server_base::shut_down(loop& owner, std::vector<detail::state_ptr> channels,
                                          bool now)
{
    detail::channel_access::post(owner, [&owner, channels = std::move(channels), now]() mutable {
        const detail::scope_exit others([&] {
            if (!channels.empty())
                shut_down(owner, std::move(channels), now);
        });
        while (!channels.empty()) {
            const auto state = std::move(channels.back());
            channels.pop_back();
            const auto channel = state->channel();
            if (!channel)
                continue;
            detail::channel_access::in_rare_event(*channel, [&] {
                if (now)
                    detail::channel_access::finish(*channel, close_reason::shutdown);
                else
                    channel->handle_shutdown();
            });
        }
    });
}

ASYNCHAT_DECL void server_base::end_of_event_()
{
    if (!stopping_ || accepts_rest_)
        return;
    shared_->wakes_listener = true;
    if (counters().open > 0 || !shared_->receivers.empty() ||
        (shared_->place && shared_->place->coming > 0))
        return;
    deadline_.cancel();
    finish(close_reason::local);
}

ASYNCHAT_DECL void server_base::handle_close()
{
    close();
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
