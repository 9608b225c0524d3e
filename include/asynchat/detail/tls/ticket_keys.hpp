// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TLS_TICKET_KEYS_HPP
#define ASYNCHAT_DETAIL_TLS_TICKET_KEYS_HPP

#include <asynchat/config.hpp>

#include <array>
#include <chrono>
#include <mutex>
#include <optional>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The keys that protect the session tickets of one context, for all loops of the process. They
/// change twice a day; tickets under the key before are still accepted. So a ticket is valid for
/// 12 to 24 hours at most, and a reload of certificates does not end sessions.
///
/// Thread safety: all functions may be called in any thread.
class tls_ticket_keys {
public:
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr auto lifetime = std::chrono::hours(12);

    struct key {
        std::array<unsigned char, 16> name; // in clear in the ticket
        std::array<unsigned char, 32> secret;
        std::array<unsigned char, 32> mac_secret;
        time_point made;
    };

    /// The key for new tickets. Throws std::system_error if there are no random bytes.
    ASYNCHAT_DECL key current(time_point now);

    /// The key of a ticket; empty if it is not known any more.
    ASYNCHAT_DECL std::optional<key> find(const unsigned char* name, time_point now);

    /// Whether new tickets get this key.
    ASYNCHAT_DECL bool is_current(const key& which);

private:
    void drop_old(time_point now);

    std::mutex mutex_;
    std::optional<key> current_;
    std::optional<key> previous_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/tls/ticket_keys.ipp>
#endif
#endif
