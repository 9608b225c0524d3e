// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_WEBSOCKET_OPTIONS_HPP
#define ASYNCHAT_WEBSOCKET_OPTIONS_HPP

#include <asynchat/config.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/upgrade_request.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// The settings of websocket_chat channels: limits, times, and which pages may connect.
///
///     asynchat::websocket_options().allow_origin("https://chat.example").max_message(1 << 20)
///
/// Copies share the settings until one of them is changed, so a channel holds a pointer only. May
/// be copied in any thread. The functions that set something return the object itself, and throw
/// std::bad_alloc.
class ASYNCHAT_API websocket_options {
public:
    /// All settings have their defaults. Allocates nothing.
    ASYNCHAT_DECL websocket_options();
    ASYNCHAT_DECL websocket_options(const websocket_options& other) noexcept;
    ASYNCHAT_DECL websocket_options& operator=(const websocket_options& other) noexcept;
    ASYNCHAT_DECL ~websocket_options();

    /// Largest message in bytes, over all its fragments; 64 KiB by default. A longer one ends the
    /// connection with the close code 1009, before there is memory for it.
    ASYNCHAT_DECL websocket_options& max_message(std::size_t bytes);
    [[nodiscard]] ASYNCHAT_DECL std::size_t max_message() const noexcept;

    /// Adds an origin whose pages may connect, as browsers write it: "https://chat.example:8443".
    /// Pages of the host that they connect to may do so anyway, by http and by https.
    ASYNCHAT_DECL websocket_options& allow_origin(std::string origin);

    /// Whether any page may connect; false by default. A page acts with the cookies, and from the
    /// network, of the person who looks at it: do not set this for a service that trusts either.
    ASYNCHAT_DECL websocket_options& allow_any_origin(bool on = true);

    /// Whether a request without an origin is refused; false by default, because programs that are
    /// no browsers send none.
    ASYNCHAT_DECL websocket_options& require_origin(bool on = true);

    /// Whether a WebSocket with this origin may be opened at this host.
    [[nodiscard]] ASYNCHAT_DECL bool allows(const upgrade_request& request) const;

    /// Adds a sub-protocol. The first one added that the client offers is chosen. Throws
    /// std::invalid_argument unless `name` is a token of HTTP; std::length_error after 255 of them.
    ASYNCHAT_DECL websocket_options& add_protocol(std::string name);

    /// After this time without input a ping is sent; 30 seconds by default. Zero: no pings, and a
    /// peer that is gone is noticed only when something is sent to it.
    /// Each of the times throws std::invalid_argument if it is negative.
    ASYNCHAT_DECL websocket_options& ping_interval(loop::duration interval);
    [[nodiscard]] ASYNCHAT_DECL loop::duration ping_interval() const noexcept;

    /// How long after a ping some input must come, or the channel ends; 10 seconds by default.
    /// Zero: no limit.
    ASYNCHAT_DECL websocket_options& pong_timeout(loop::duration timeout);
    [[nodiscard]] ASYNCHAT_DECL loop::duration pong_timeout() const noexcept;

    /// How long the peer may take to answer push_close(), and to take the last output; 5 seconds by
    /// default. Zero: no limit.
    ASYNCHAT_DECL websocket_options& close_timeout(loop::duration timeout);
    [[nodiscard]] ASYNCHAT_DECL loop::duration close_timeout() const noexcept;

private:
    friend class websocket_chat;
    struct settings;

    ASYNCHAT_PRIVATE settings& own();
    ASYNCHAT_PRIVATE void let_go() noexcept;
    /// The number of the chosen sub-protocol, from 1; 0 if there is none. And its name.
    ASYNCHAT_PRIVATE std::uint8_t choose_protocol(const upgrade_request& request) const;
    ASYNCHAT_PRIVATE std::string_view protocol(std::uint8_t number) const noexcept;

    settings* settings_; // counts its owners; null: the defaults
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/websocket/websocket_options.ipp>
#endif
#endif
