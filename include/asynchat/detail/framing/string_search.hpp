// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_STRING_SEARCH_HPP
#define ASYNCHAT_DETAIL_FRAMING_STRING_SEARCH_HPP

#include <asynchat/config.hpp>

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Several strings in one, for a terminator: short strings then need no allocation.
ASYNCHAT_DECL void append_string(std::string& list, std::string_view next);
ASYNCHAT_DECL std::vector<std::string_view> strings_of(std::string_view list);

/// Finds the end of the first of several strings, in input that arrives in any pieces.
///
/// The automaton of Aho and Corasick. A node stands for the bytes that lead to it: a prefix of one
/// of the strings. The current node is always the longest prefix that ends the input read so far.
/// The children of a node are the prefixes that are longer by one byte. Its fallback is the longest
/// shorter prefix that ends it. Each byte goes down by one node at most, so there are no more
/// fallbacks than bytes.
///
/// The nodes are stored breadth first. So all children of a node are adjacent, ordered by byte.
class string_search {
public:
    /// Takes a list made by append_string() from strings that are not empty. Linear in the size of
    /// the list, except for sorting.
    ASYNCHAT_DECL explicit string_search(std::string list);
    string_search(const string_search&) = delete; // the views are into the list
    string_search& operator=(const string_search&) = delete;

    const std::string& list() const noexcept { return list_; }

    struct result {
        std::size_t end;    // behind the string found; the size of the input if not found
        std::size_t length; // of that string, or of the longest prefix that ends the input
        bool found;
    };

    /// Continues behind the first `matched` bytes of `input`: the size of the prefix at which the
    /// last call ended, or 0. If several strings end at the same byte, it finds the longest.
    ASYNCHAT_DECL result find(std::string_view input, std::size_t matched);

    /// The string that was found last.
    std::string_view found() const noexcept { return found_; }

    /// The prefix at which the last call ended.
    std::string_view prefix() const noexcept
    {
        return strings_[nodes_[at_].origin].substr(0, nodes_[at_].depth);
    }

private:
    using index = std::uint32_t;

    struct node {
        index fallback = 0;
        index children = 0; // the first child
        index depth = 0;    // number of bytes that lead here
        index origin = 0;   // a string that begins with these bytes
        index found = 0;    // the longest string that ends these bytes, from 1; or 0
        std::uint16_t child_count = 0;
        unsigned char byte = 0; // the last of these bytes
    };

    void add_children(index parent, index first, index last, std::vector<index>& ends);
    index child(index parent, unsigned char byte) const;
    index advance(index from, unsigned char byte) const;
    std::size_t find_first_byte(std::string_view input, std::size_t from) const;

    std::string list_;
    std::vector<std::string_view> strings_; // sorted
    std::vector<node> nodes_;
    std::bitset<256> first_bytes_;
    std::array<char, 4> few_first_bytes_{}; // may have duplicates
    index at_ = 0;
    std::string_view found_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/string_search.ipp>
#endif
#endif
