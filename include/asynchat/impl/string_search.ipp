// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_STRING_SEARCH_IPP
#define ASYNCHAT_IMPL_STRING_SEARCH_IPP

#include <asynchat/detail/framing/string_search.hpp>

#include <asynchat/detail/framing/length_prefix.hpp>

#include <algorithm>
#include <utility>

#ifdef __SSE2__
#  include <emmintrin.h>
#endif

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL void append_string(std::string& list, std::string_view next)
{
    std::size_t length = next.size();
    for (; length >= 0x80; length >>= 7)
        list += static_cast<char>(length | 0x80);
    (list += static_cast<char>(length)) += next;
}

ASYNCHAT_DECL std::vector<std::string_view> strings_of(std::string_view list)
{
    std::vector<std::string_view> strings;
    while (!list.empty()) {
        const auto prefix = read_varint(list);
        strings.push_back(list.substr(prefix.size, prefix.length));
        list.remove_prefix(prefix.size + prefix.length);
    }
    return strings;
}

ASYNCHAT_RARE string_search::string_search(std::string list)
    : list_(std::move(list)), strings_(strings_of(list_)), nodes_(1)
{
    std::sort(strings_.begin(), strings_.end());
    // The strings below node i are those before ends[i], from the one that it came of.
    std::vector<index> ends{static_cast<index>(strings_.size())};
    for (index i = 0; i < nodes_.size(); ++i)
        add_children(i, nodes_[i].origin, ends[i], ends);
    nodes_.shrink_to_fit();

    for (index i = 0; i < nodes_[0].child_count; ++i) {
        const unsigned char byte = nodes_[nodes_[0].children + i].byte;
        first_bytes_.set(byte);
        if (i == 0)
            few_first_bytes_.fill(static_cast<char>(byte));
        else if (i < few_first_bytes_.size())
            few_first_bytes_[i] = static_cast<char>(byte);
    }
}

inline void string_search::add_children(index parent, index first, index last,
                                        std::vector<index>& ends)
{
    const index depth = nodes_[parent].depth;
    nodes_[parent].children = static_cast<index>(nodes_.size());
    while (first < last && strings_[first].size() == depth)
        ++first; // ends here
    while (first < last) {
        node next;
        next.byte = static_cast<unsigned char>(strings_[first][depth]);
        next.depth = depth + 1;
        next.origin = first;
        // Shorter prefixes already have their children.
        next.fallback = parent == 0 ? 0 : advance(nodes_[parent].fallback, next.byte);
        next.found = strings_[first].size() == next.depth ? first + 1 : nodes_[next.fallback].found;
        while (first < last && static_cast<unsigned char>(strings_[first][depth]) == next.byte)
            ++first;
        nodes_.push_back(next);
        ends.push_back(first);
        ++nodes_[parent].child_count;
    }
}

/// The child of a node for a byte, or 0.
inline string_search::index string_search::child(index parent, unsigned char byte) const
{
    index low = nodes_[parent].children;
    index high = low + nodes_[parent].child_count;
    while (low < high) {
        const index middle = low + (high - low) / 2;
        if (nodes_[middle].byte == byte)
            return middle;
        if (nodes_[middle].byte < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

inline string_search::index string_search::advance(index from, unsigned char byte) const
{
    for (;;) {
        const index next = child(from, byte);
        if (next != 0 || from == 0)
            return next;
        from = nodes_[from].fallback;
    }
}

/// Index of the first byte that begins any of the strings; input.size() without one.
inline std::size_t string_search::find_first_byte(std::string_view input, std::size_t from) const
{
#ifdef __SSE2__
    if (nodes_[0].child_count <= few_first_bytes_.size()) {
        constexpr std::size_t block = 16;
        for (; input.size() - from >= block; from += block) {
            const __m128i bytes = _mm_loadu_si128( // at any alignment
                reinterpret_cast<const __m128i*>(input.data() + from));
            __m128i equal = _mm_setzero_si128();
            for (const char byte : few_first_bytes_)
                equal = _mm_or_si128(equal, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte)));
            const int places = _mm_movemask_epi8(equal);
            if (places != 0)
                return from +
                       static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(places)));
        }
    }
#endif
    while (from < input.size() && !first_bytes_[static_cast<unsigned char>(input[from])])
        ++from;
    return from;
}

ASYNCHAT_DECL string_search::result string_search::find(std::string_view input, std::size_t matched)
{
    index at = matched > 0 ? at_ : 0;
    std::size_t position = matched;
    for (;;) {
        if (at == 0)
            position = find_first_byte(input, position);
        if (position == input.size()) {
            at_ = at;
            return {position, nodes_[at].depth, false};
        }
        at = advance(at, static_cast<unsigned char>(input[position++]));
        if (nodes_[at].found > 0) {
            found_ = strings_[nodes_[at].found - 1];
            return {position, found_.size(), true};
        }
    }
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
