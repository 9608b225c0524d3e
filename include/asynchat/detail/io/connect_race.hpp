// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_CONNECT_RACE_HPP
#define ASYNCHAT_DETAIL_IO_CONNECT_RACE_HPP

#include <asynchat/config.hpp>

#include <chrono>
#include <cstddef>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// How the addresses of a name are tried. See dispatcher::happy_eyeballs_delay() and interleave().
struct race_settings {
    std::chrono::steady_clock::duration delay = std::chrono::milliseconds(250);
    std::size_t first_family =
        1; // addresses of the first family at the front; 0: do not interleave

    bool are_default() const noexcept
    {
        return delay == race_settings().delay && first_family == race_settings().first_family;
    }
};

/// Decides when the attempts of a connect() to several addresses start (RFC 8305, section 5).
///
/// Flow: perform the steps of next() until it says wait. Ask again when that time has come, and
/// after each attempt that failed. The first attempt that succeeds ends the race: then it is not
/// asked again. It knows the addresses by their index only.
class connect_race {
public:
    using duration = std::chrono::steady_clock::duration;
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr time_point never = time_point::max();
    static constexpr std::size_t max_addresses = 16;
    static constexpr std::size_t max_attempts = 4; // under way: each has a descriptor

    enum class action : unsigned char {
        start, // the attempt to `address`
        wait,  // until `until`, or for an attempt that fails
        fail   // every attempt has failed
    };
    struct step {
        action what;
        std::size_t address = 0;
        time_point until = never;
    };

    /// With a `delay` of 0 an attempt starts only when the one before has failed.
    connect_race(std::size_t addresses, duration delay) noexcept;

    /// The next step. An attempt that it starts counts as under way from now on.
    ASYNCHAT_DECL step next(time_point now) noexcept;

    /// An attempt that is under way has failed.
    ASYNCHAT_DECL void failed(time_point now) noexcept;

    bool is_under_way() const noexcept { return under_way_ > 0; }

    /// The attempt that was started last; there is one.
    ASYNCHAT_DECL std::size_t last_started() const noexcept;

    /// The order in which addresses of these families are tried, as indices, max_addresses at most
    /// (RFC 8305, section 4): `first_count` of the first family, then the families take turns, and
    /// within a family the order stays. With 0 the order stays altogether.
    ASYNCHAT_DECL static std::vector<std::size_t> interleave(const std::vector<int>& families,
                                                             std::size_t first_count);

private:
    std::size_t addresses_;
    std::size_t started_ = 0;
    std::size_t under_way_ = 0;
    duration delay_;
    time_point next_start_ = never; // while an attempt is under way
};

inline connect_race::connect_race(std::size_t addresses, duration delay) noexcept
    : addresses_(addresses), delay_(delay)
{
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/connect_race.ipp>
#endif
#endif
