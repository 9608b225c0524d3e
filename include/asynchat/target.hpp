// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TARGET_HPP
#define ASYNCHAT_TARGET_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/random.hpp>
#include <asynchat/dispatcher.hpp>
#include <asynchat/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asynchat {

namespace detail {
class target_list;
} // namespace detail

/// Where a client connects to: a host and a service, as for dispatcher::connect(), or an address.
class target {
public:
    /// Throws std::invalid_argument when a name is empty or has a NUL inside.
    ASYNCHAT_DECL target(std::string_view host, std::string_view service);
    ASYNCHAT_DECL target(std::string_view host, std::int64_t port);
    template <class Unsigned, detail::if_wide_unsigned<Unsigned> = 0>
    target(std::string_view host, Unsigned port) : target(host, std::to_string(port))
    {
    }

    /// Throws std::logic_error when it is not an address.
    ASYNCHAT_DECL target(endpoint address);

    /// For logs: "name:service", or as endpoint::to_string().
    [[nodiscard]] ASYNCHAT_DECL std::string to_string() const;

private:
    friend class detail::target_list;

    std::string host_; // empty: the address
    std::string service_;
    endpoint address_;
};

namespace detail {

/// The servers of a client, which takes them in turn. Their order is random, so that not all
/// clients begin with the same one.
class target_list {
public:
    /// Throws std::invalid_argument when there is no server; `whose` is for its message.
    ASYNCHAT_DECL target_list(std::vector<target> all, random& numbers, const char* whose);

    /// The server of the next attempt.
    const target& next() const noexcept { return all_[next_]; }

    /// Returns the server of this attempt.
    const target& take() noexcept
    {
        const target& taken = all_[next_];
        next_ = (next_ + 1) % all_.size();
        return taken;
    }

    /// Does nothing when the channel was closed by its own constructor. Passes on exceptions.
    ASYNCHAT_DECL static void connect(dispatcher& channel, const target& to);

private:
    std::vector<target> all_;
    std::size_t next_ = 0;
};

} // namespace detail

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/target.ipp>
#endif
#endif
