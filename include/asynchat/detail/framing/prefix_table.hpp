// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_PREFIX_TABLE_HPP
#define ASYNCHAT_DETAIL_FRAMING_PREFIX_TABLE_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <memory>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The failure function of Knuth, Morris and Pratt for one needle.
///
/// Suppose that n bytes match and the next byte is not needle[n]. Then retry(n) gives the next
/// candidate without reading the haystack again: if the byte is needle[retry(n) - 1], now retry(n)
/// bytes match. If not, the next candidate is retry(retry(n) - 1), and so on until 0. So every
/// search is linear, also when an attacker chooses the bytes.
class prefix_table {
public:
    /// Builds the table; linear in the needle, which is not empty.
    void build(std::string_view needle)
    {
        retries_.reset(new std::size_t[needle.size()]);
        retries_[0] = 0;
        std::size_t border = 0; // the longest proper prefix that also ends the first i bytes
        for (std::size_t i = 1; i < needle.size(); ++i) {
            // The same byte would fail again.
            retries_[i] = needle[i] == needle[border] ? retries_[border] : border + 1;
            border = advance(needle, border, needle[i]);
        }
    }

    void clear() noexcept { retries_.reset(); }
    bool empty() const noexcept { return !retries_; }

    /// How many bytes of the needle match after the byte `next`, if `matched` bytes matched before.
    std::size_t advance(std::string_view needle, std::size_t matched, char next) const noexcept
    {
        std::size_t after = matched + 1;
        while (after > 0 && needle[after - 1] != next)
            after = retries_[after - 1];
        return after;
    }

private:
    std::unique_ptr<std::size_t[]> retries_; // not a vector: every channel has one, few build it
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
