// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_DIFFERENTIAL_RANDOM_HPP
#define ASYNCHAT_TESTS_DIFFERENTIAL_RANDOM_HPP

#include <asynchat/detail/random.hpp>

namespace differential {

/// Numbers of the kind that the generator needs. The same seed gives the same programs with every
/// compiler: what is recorded depends on them.
class random : public asynchat::detail::random {
public:
    using asynchat::detail::random::random;

    /// In [0, bound).
    unsigned below(unsigned bound) noexcept
    {
        return static_cast<unsigned>(asynchat::detail::random::below(bound));
    }

    /// In [low, high].
    unsigned between(unsigned low, unsigned high) noexcept { return low + below(high - low + 1); }

    bool percent(unsigned chance) noexcept { return below(100) < chance; }
};

} // namespace differential

#endif
