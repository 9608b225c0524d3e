// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_PREFIX_TABLE_HPP
#define ASYNCHAT_DETAIL_FRAMING_PREFIX_TABLE_HPP

#include <cstddef>
#include <memory>
#include <string_view>

namespace asynchat::detail {

/// The failure function of Knuth, Morris and Pratt for one needle.
///
/// When the byte after n equal ones is not needle[n], retry(n) says what it could be without
/// looking at the haystack again: if it is needle[retry(n) - 1], then retry(n) bytes are matched
/// now, and no more can be; if not, retry(retry(n) - 1) is next, and so on; 0 ends it. This is what
/// keeps every search linear, whoever chose the bytes.
class prefix_table {
public:
    /// Builds the table; linear in the needle, which is not empty.
    void build(std::string_view needle)
    {
        retries_.reset(new std::size_t[needle.size()]);
        retries_[0] = 0;
        std::size_t border = 0; // the longest proper prefix that also ends the first i bytes
        for (std::size_t i = 1; i < needle.size(); ++i) {
            // The same byte would only fail again.
            retries_[i] = needle[i] == needle[border] ? retries_[border] : border + 1;
            border = advance(needle, border, needle[i]);
        }
    }

    void clear() noexcept { retries_.reset(); }
    bool empty() const noexcept { return !retries_; }

    /// How many bytes of the needle are matched after the byte `next`, if `matched` were before it.
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

} // namespace asynchat::detail

#endif
