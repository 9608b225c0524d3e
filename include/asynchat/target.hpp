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
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {
class target_list;
} // namespace detail

/// Where a client connects to: a host and a service, as for dispatcher::connect(), or an address.
class ASYNCHAT_API target {
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
    [[nodiscard]] const target& next() const noexcept { return all_[next_]; }

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

/// Makes the channel of a client, and does not connect it yet.
using client_maker = std::function<std::shared_ptr<dispatcher>(loop&)>;

/// Makes T(loop&, args...), with const references to these args, which it owns.
template <class T, class... Args>
client_maker clients_with(Args... args)
{
    static_assert(!std::is_abstract_v<T>,
                  "reconnecting<T>, pool<T>: T is abstract: it has to override found_terminator() "
                  "if it is an async_chat, found_frame() if it is a frame_chat");
    static_assert(std::is_abstract_v<T> || std::is_constructible_v<T, loop&, const Args&...>,
                  "reconnecting<T>, pool<T>: T must be constructible from (loop&, args...); args "
                  "are passed as const references, and one that it changes is passed by std::ref");
    return [args = std::tuple<Args...>(std::move(args)...)](loop& owner) {
        return std::apply(
            [&owner](const auto&... each) -> std::shared_ptr<dispatcher> {
                return channel_access::make<T>(owner, each...);
            },
            args);
    };
}

} // namespace detail

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/target.ipp>
#endif
#endif
