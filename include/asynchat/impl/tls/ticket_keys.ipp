// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_TICKET_KEYS_IPP
#define ASYNCHAT_IMPL_TLS_TICKET_KEYS_IPP

#include <asynchat/detail/tls/ticket_keys.hpp>

#include <openssl/rand.h>

#include <cstring>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL tls_ticket_keys::key tls_ticket_keys::current(time_point now)
{
    const std::lock_guard lock(mutex_);
    drop_old(now);
    if (!current_ || now - current_->made >= lifetime) {
        key next = {};
        next.made = now;
        if (RAND_bytes(next.name.data(), static_cast<int>(next.name.size())) != 1 ||
            RAND_bytes(next.secret.data(), static_cast<int>(next.secret.size())) != 1 ||
            RAND_bytes(next.mac_secret.data(), static_cast<int>(next.mac_secret.size())) != 1)
            throw std::system_error(std::make_error_code(std::errc::io_error),
                                    "asynchat: no random bytes for session tickets");
        previous_ = std::exchange(current_, next);
    }
    return *current_;
}

ASYNCHAT_DECL std::optional<tls_ticket_keys::key> tls_ticket_keys::find(const unsigned char* name,
                                                                        time_point now)
{
    const std::lock_guard lock(mutex_);
    drop_old(now);
    for (const auto& candidate : {current_, previous_}) {
        if (candidate && std::memcmp(candidate->name.data(), name, candidate->name.size()) == 0)
            return candidate;
    }
    return std::nullopt;
}

ASYNCHAT_DECL bool tls_ticket_keys::is_current(const key& which)
{
    const std::lock_guard lock(mutex_);
    return current_ && current_->name == which.name;
}

ASYNCHAT_DECL void tls_ticket_keys::drop_old(time_point now)
{
    for (auto* const old : {&current_, &previous_}) {
        if (*old && now - (*old)->made >= 2 * lifetime)
            old->reset();
    }
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
