// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A part of dispatcher.hpp, which includes it where the class is complete.

#ifndef ASYNCHAT_DETAIL_CHANNEL_ACCESS_HPP
#define ASYNCHAT_DETAIL_CHANNEL_ACCESS_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/scope_exit.hpp>

#include <fmt/core.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The only access of the rest of the library to private members of a dispatcher.
struct channel_access {
    // --- the loop ------------------------------------------------------------------------------

    static const state_ptr& state(const dispatcher& channel) noexcept { return channel.state_; }

    /// Sets what create() knows from the type of the channel.
    static void set_overrides(dispatcher& channel, bool sends_plainly,
                              bool keeps_terminator) noexcept
    {
        channel.sends_plainly_ = sends_plainly;
        channel.gate_.set(gate::steered, !keeps_terminator || channel.has_rates());
    }
    /// Handles an event that is not for the user: of a handshake, or of a channel that is idle in a
    /// pool. Returns false for others.
    ASYNCHAT_DECL static bool take_event(dispatcher& channel, readiness what);
    template <class Body>
    static void in_event(dispatcher& channel, Body&& body)
    {
        channel.in_event(std::forward<Body>(body));
    }
    /// The same for what no message needs: compiled once, not for each body.
    template <class Body>
    static void in_rare_event(dispatcher& channel, const Body& body)
    {
        call_in_event(
            channel, [](const void* f) { (*static_cast<const Body*>(f))(); }, &body);
    }
    ASYNCHAT_DECL static void call_in_event(dispatcher& channel, void (*call)(const void* body),
                                            const void* body);
    template <class Body>
    static void guarded(dispatcher& channel, Body&& body)
    {
        channel.guarded(std::forward<Body>(body));
    }
    static void speculative_read(dispatcher& channel, bool alone)
    {
        channel.speculative_read(alone);
    }
    static void nested_run(dispatcher& channel, bool begins) { channel.nested_run_(begins); }
    static void go_on_opening(dispatcher& channel)
    {
        in_rare_event(channel, [&channel] { channel.step_opening(); });
    }
    static void deadline_reached(dispatcher& channel) { channel.deadline_reached(); }
    static void flush_soon(dispatcher& channel) { channel.flush_soon(); }

    /// set_reason() and close_with() do not call handle_close(). The loop calls close(), which may
    /// be overridden, between the two.
    static void set_reason(dispatcher& channel, close_reason reason) noexcept
    {
        channel.reason_ = reason;
    }
    static void close_with(dispatcher& channel, close_reason reason) { channel.close_with(reason); }
    /// During the call nested loops deliver no input.
    static void tell_open(dispatcher& channel)
    {
        if (!channel.connected_)
            return;
        channel.reading_ = true;
        const scope_exit done([&channel] { channel.reading_ = false; });
        channel.handle_open();
    }
    template <class T, class... Args>
    static std::shared_ptr<T> make(loop& owner, Args&&... args)
    {
        return owner.make<T>(std::forward<Args>(args)...);
    }
    static void begin(const std::shared_ptr<dispatcher>& channel)
    {
        channel->owner().begin(channel);
    }
    static void tell_end(dispatcher& channel) noexcept { channel.tell_end(); }
    /// Whether the end was decided: closed, about to be closed, or lost.
    static bool is_ending(const dispatcher& channel) noexcept
    {
        return channel.gate_.has(gate::of_both | gate::lost);
    }
    static void watch(dispatcher& channel, std::shared_ptr<channel_watcher> by)
    {
        channel.rare().watchers.push_back(std::move(by));
    }
    /// The watcher of this final class, or null.
    template <class Watcher>
    static std::shared_ptr<Watcher> find_watcher(const dispatcher& channel)
    {
        if (!channel.rare_)
            return nullptr;
        for (const auto& each : channel.rare_->watchers) {
            const channel_watcher& found = *each;
            if (typeid(found) == typeid(Watcher))
                return std::static_pointer_cast<Watcher>(each);
        }
        return nullptr;
    }
    /// The part of close_text() that the reason does not say.
    static std::string noted_text(const dispatcher& channel)
    {
        return channel.rare_ ? channel.rare_->noted_text() : std::string();
    }
    static void note_text(dispatcher& channel, std::string text) noexcept
    {
        channel.note_text(std::move(text));
    }

    // --- connections that linger ---------------------------------------------------------------

    /// Gives the connection to the channel, which is closed at `time` at the latest.
    ASYNCHAT_DECL static void
    begin_linger(dispatcher& channel, std::unique_ptr<transport> connection, loop::time_point time);

    // --- receivers of PROXY headers ------------------------------------------------------------

    /// Gives the connection to a channel of the library, which is closed at `time` at the latest.
    ASYNCHAT_DECL static void begin_receive(dispatcher& channel, socket connection,
                                            loop::time_point time);
    static std::size_t receive_below(dispatcher& channel, asio::mutable_buffer into, bool keep,
                                     std::error_code& error)
    {
        return channel.transport_->receive_below_(into, keep, error);
    }
    ASYNCHAT_DECL static std::size_t receive_below(const socket& connection,
                                                   asio::mutable_buffer into, bool keep,
                                                   std::error_code& error);

    /// Takes the connection from the channel.
    ASYNCHAT_DECL static socket end_receive(dispatcher& channel);

    // --- rates -----------------------------------------------------------------------------------

    /// What the channel shares with the others of its server; null if that has no rates.
    static server_rates* rates_of_server(const dispatcher& channel) noexcept
    {
        return channel.slot_ ? channel.slot_->server->rates.get() : nullptr;
    }
    /// Sets the deadline of a channel that is held by a rate.
    ASYNCHAT_DECL static void wake_by_rate(loop& owner, channel_state& which, loop::time_point at);
    /// Wakes the channel that waits longest for the rate of the server.
    ASYNCHAT_DECL static void wake_first_waiting(const dispatcher& of) noexcept;
    /// The channel is closed, or has another connection.
    ASYNCHAT_DECL static void leave_rates(dispatcher& channel) noexcept;

    // --- servers -------------------------------------------------------------------------------

    static address_slot* slot(const dispatcher& channel) noexcept { return channel.slot_; }
    static void set_slot(dispatcher& channel, address_slot* slot) noexcept
    {
        channel.slot_ = slot;
        channel.count_opening();
    }
    /// A handshake counts from this time on.
    ASYNCHAT_DECL static void begin_handshake_at(dispatcher& channel, loop::time_point time);
    static bool is_opening(const dispatcher& channel) noexcept
    {
        return channel.state_->opening != 0;
    }
    static void finish(dispatcher& channel, close_reason reason) { channel.finish(reason); }
    static void obey_rates(dispatcher& channel) { channel.obey_rates_(); }
    /// The channel listens with these transports, which listen already; addr() is `where`.
    ASYNCHAT_DECL static void listen_with(dispatcher& channel,
                                          std::vector<std::unique_ptr<transport>> listeners,
                                          endpoint where);
    static std::vector<transport*> listeners_of(const dispatcher& channel);
    ASYNCHAT_DECL static std::vector<endpoint> listening_endpoints(const dispatcher& channel);
    /// Empty where the system has no descriptors for them.
    ASYNCHAT_DECL static std::vector<socket> copies_of_listeners(const dispatcher& channel);
    ASYNCHAT_DECL static void stop_listening(dispatcher& channel);
    /// Asks the channel to finish, in a later turn.
    ASYNCHAT_DECL static void shut_down_soon(dispatcher& channel);
    /// Errors do not end the channel, also when it listens no longer.
    static void survive_errors(dispatcher& channel) { channel.rare().survives_errors = true; }
    /// What the log says of a channel that an error does not end; null for others.
    static const char* stays_after_errors(const dispatcher& channel) noexcept
    {
        if (channel.accepting_)
            return "still listening";
        const bool stays = channel.rare_ && channel.rare_->survives_errors && !channel.closed();
        return stays ? "still stopping" : nullptr;
    }
    /// An accept() outside of an event has failed. A row of failures is one line in the log.
    static void accept_failed(dispatcher& channel)
    {
        channel.rare().backoff.event_begins();
        channel.rare().backoff.event_failed();
    }
    static bool may_read(dispatcher& channel)
    {
        return channel.transport_ && channel.transport_->may_read();
    }
    /// Receives what has arrived already, without a wait.
    static void look_now(dispatcher& channel)
    {
        in_rare_event(channel, [&channel] {
            if (!channel.may_receive())
                return;
            channel.reading_ = true;
            const scope_exit done([&channel] { channel.reading_ = false; });
            channel.handle_read_event();
        });
    }
    /// Of what has no listener, or no longer: its connections come from elsewhere.
    static void set_accepting(dispatcher& channel, bool on) noexcept { channel.accepting_ = on; }
    /// As loop::post(), but compiled once.
    static void post(loop& owner, unique_function<void()> f) { owner.post_function(std::move(f)); }
    static network* network_of(loop& owner) noexcept { return owner.network_; }
    /// Null if it is no socket of the system.
    static socket_transport* socket_of(transport& of) noexcept { return of.as_socket_(); }
    static void end_oldest_linger(dispatcher& channel, const server_state& server,
                                  const address_slot* slot)
    {
        channel.loop_.end_oldest_linger(&server, slot);
    }
    template <class... Args>
    static void log_of_peer(dispatcher& channel, log_type type, fmt::format_string<Args...> format,
                            const Args&... args)
    {
        channel.log_of_peer(type, format, args...);
    }
    static std::string safe_repr(const dispatcher& channel) { return channel.safe_repr(); }

    // --- clients -------------------------------------------------------------------------------

    /// Makes the channel idle in a pool, unless it is in the middle of something. Returns whether
    /// it did.
    ASYNCHAT_DECL static bool park(dispatcher& channel);
    ASYNCHAT_DECL static void unpark(dispatcher& channel);
    /// Nothing may come while the channel is idle: bytes, an end or an error end it.
    ASYNCHAT_DECL static void look_while_parked(dispatcher& channel);
    /// Whether what has arrived ends the channel is known before it is lent.
    static void look_before_use(dispatcher& channel)
    {
        if (!channel.state_->parked)
            return look_now(channel);
        in_rare_event(channel, [&channel] { look_while_parked(channel); });
    }
    static void log(loop& owner, log_type type, std::string_view message)
    {
        owner.write_log(type, message);
    }
    template <class F>
    static timer call_later(dispatcher& channel, loop::duration delay, F f)
    {
        return channel.call_later(delay, std::move(f));
    }
    static random& random_of(loop& owner) { return owner.random_numbers(); }
    static void seed(loop& owner, std::uint64_t seed) { owner.random_.emplace(seed); }

    // --- pending operations, other kinds of descriptors ----------------------------------------

    static void ready(dispatcher& channel, readiness what, const std::error_code& error)
    {
        channel.handle_readiness(what, error);
    }
    /// As ready(), for a wait below a layer, or for a wait that began before the layer was added.
    ASYNCHAT_DECL static void layer_ready(dispatcher& channel, unsigned level, readiness what,
                                          const std::error_code& error);
    ASYNCHAT_DECL static void set_transport(dispatcher& channel, std::unique_ptr<transport> next);
    ASYNCHAT_DECL static void put_on_layers(dispatcher& channel) noexcept;

    // --- layers of the library -----------------------------------------------------------------

    /// The topmost layer of this type on the connection, or null.
    template <class Layer>
    static const Layer* find_layer(const dispatcher& channel)
    {
        auto* layer = channel.transport_ ? channel.transport_->as_layer_() : nullptr;
        for (; layer; layer = layer->layer_below()) {
            if (const auto* const found = dynamic_cast<const Layer*>(layer))
                return found;
        }
        return nullptr;
    }

    /// Drops the layer that was added last and waits for a connection, if is_same(layer).
    template <class Predicate>
    static void drop_waiting_layer(dispatcher& channel, Predicate is_same)
    {
        if (!channel.connected_ && channel.has_waiting_layers() && is_same(*channel.rare_->layers))
            channel.rare_->layers = transport_layer::unstack(std::move(channel.rare_->layers));
    }
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
