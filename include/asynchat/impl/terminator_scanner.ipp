// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TERMINATOR_SCANNER_IPP
#define ASYNCHAT_IMPL_TERMINATOR_SCANNER_IPP

#include <asynchat/detail/terminator_scanner.hpp>

#include <cstring>

namespace asynchat::detail {

ASYNCHAT_DECL void terminator_scanner::replace_string(const std::string& bytes)
{
    terminator_.bytes_ = bytes; // by copy: reuses the memory of the one before
    table_.clear();
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
                return step::more_to_come(input.size(), 0);
            // Nearly every first byte is either a whole terminator or none at all.
            const std::size_t rest = input.size() - position;
            if (rest >= needle.size() &&
                std::memcmp(input.data() + position, needle.data(), needle.size()) == 0)
                return step::end_of_frame(position, needle.size());
            matched = 1;
            ++position;
            continue;
        }
        if (table_.empty())
            table_.build(needle);
        matched = advance_match(needle, table_, matched, input[position]);
        ++position;
        if (matched == needle.size())
            return step::end_of_frame(position - needle.size(), needle.size());
    }
    return step::more_to_come(input.size() - matched, matched);
}

} // namespace asynchat::detail

#endif
