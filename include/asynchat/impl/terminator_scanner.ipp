// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TERMINATOR_SCANNER_IPP
#define ASYNCHAT_IMPL_TERMINATOR_SCANNER_IPP

#include <asynchat/detail/terminator_scanner.hpp>

#include <algorithm>
#include <cstring>

namespace asynchat::detail {

ASYNCHAT_DECL void terminator_scanner::set(const terminator& next)
{
    // A count set again counts from here; a string set again changes nothing.
    if (next == terminator_ && next.is_bytes())
        return;
    ++revision_;
    if (next.bytes() != terminator_.bytes())
        table_.clear();
    terminator_ = next; // by copy: a string reuses the memory of the one before
}

ASYNCHAT_DECL void terminator_scanner::count_down(std::size_t bytes)
{
    terminator_.count_ -= bytes;
}

ASYNCHAT_DECL terminator_scanner::step terminator_scanner::scan_other(std::string_view input,
                                                                      std::size_t matched)
{
    if (terminator_.collects_everything())
        return {input.size(), false, 0, 0};
    if (terminator_.is_count()) {
        const std::size_t piece = std::min(input.size(), terminator_.count());
        return {piece, piece == terminator_.count(), 0, 0};
    }
    return find_string(input, matched);
}

ASYNCHAT_DECL terminator_scanner::step terminator_scanner::find_string(std::string_view input,
                                                                       std::size_t matched)
{
    const std::string_view needle = terminator_.bytes();
    std::size_t position = matched; // bytes looked at; the last `matched` of them match
    while (position < input.size()) {
        if (matched == 0) {
            position = input.find(needle.front(), position);
            if (position == std::string_view::npos)
                return {input.size(), false, 0, 0};
            // Nearly every first byte is either a whole terminator or none at all.
            const std::size_t rest = input.size() - position;
            if (rest >= needle.size() &&
                std::memcmp(input.data() + position, needle.data(), needle.size()) == 0)
                return {position, true, needle.size(), 0};
            matched = 1;
            ++position;
            continue;
        }
        if (table_.empty())
            table_.build(needle);
        matched = advance_match(needle, table_, matched, input[position]);
        ++position;
        if (matched == needle.size())
            return {position - needle.size(), true, needle.size(), 0};
    }
    return {input.size() - matched, false, 0, matched};
}

} // namespace asynchat::detail

#endif
