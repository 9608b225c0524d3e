// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_PREFIX_TABLE_HPP
#define ASYNCHAT_DETAIL_PREFIX_TABLE_HPP

#include <cstddef>
#include <memory>
#include <string_view>

namespace asynchat::detail {

/// The failure function of Knuth, Morris and Pratt for one needle.
///
/// border(n) is the length of the longest proper prefix of the needle that also ends its first n
/// bytes: where a comparison that failed after n equal bytes goes on, without looking at the
/// haystack again. This is what keeps every search linear, whoever chose the bytes.
class prefix_table {
public:
    /// Builds the table; linear in the needle.
    void build(std::string_view needle)
    {
        borders_.reset(new std::size_t[needle.size() + 1]());
        std::size_t border = 0;
        for (std::size_t i = 1; i < needle.size(); ++i) {
            while (border > 0 && needle[i] != needle[border])
                border = borders_[border];
            if (needle[i] == needle[border])
                ++border;
            borders_[i + 1] = border;
        }
    }

    void clear() noexcept { borders_.reset(); }
    bool empty() const noexcept { return !borders_; }
    std::size_t border(std::size_t length) const noexcept { return borders_[length]; }

private:
    std::unique_ptr<std::size_t[]> borders_; // not a vector: every channel has one, few build it
};

/// How many bytes of `needle` are matched after the byte `next`, if `matched` were before it.
inline std::size_t advance_match(std::string_view needle, const prefix_table& table,
                                 std::size_t matched, char next) noexcept
{
    while (matched > 0 && needle[matched] != next)
        matched = table.border(matched);
    return needle[matched] == next ? matched + 1 : 0;
}

} // namespace asynchat::detail

#endif
