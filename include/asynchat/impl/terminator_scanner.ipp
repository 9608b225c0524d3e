// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TERMINATOR_SCANNER_IPP
#define ASYNCHAT_IMPL_TERMINATOR_SCANNER_IPP

#include <asynchat/detail/framing/terminator_scanner.hpp>

#include <asynchat/detail/framing/find_byte.hpp>
#include <asynchat/detail/framing/find_pair.hpp>

#include <algorithm>
#include <cstring>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL bool terminator_scanner::set(const terminator& next)
{
    if (is_sized(next)) {
        set_sized(next);
        return true;
    }
    if (next.is_bytes()) {
        if (!has_bytes(next.view()))
            replace_string(next.view());
        else if (terminator_.kind_ == next.kind_)
            return false;
    }
    if (next.kind_ == terminator::kind::bytes) {
        use_bytes();
        return true;
    }
    terminator_.kind_ = next.kind_;
    terminator_.count_ = next.count_;
    return true;
}

ASYNCHAT_DECL void terminator_scanner::replace_string(std::string_view bytes)
{
    terminator_.assign(bytes);
    terminator_.short_size_ = static_cast<unsigned char>(bytes.size() <= 2 ? bytes.size() : 0);
    if (tools_)
        tools_->table.clear();
}

inline terminator_scanner::search_tools& terminator_scanner::tools()
{
    if (!tools_)
        tools_ = std::make_unique<search_tools>();
    return *tools_;
}

ASYNCHAT_DECL std::string_view terminator_scanner::held(std::size_t bytes) const
{
    return terminator_.is_several() ? tools_->search->prefix()
                                    : terminator_.view().substr(0, bytes);
}

ASYNCHAT_DECL std::string_view terminator_scanner::behind() const noexcept
{
    return terminator_.kind_ == terminator::kind::netstring ? std::string_view(",")
                                                            : terminator_.view();
}

ASYNCHAT_DECL void terminator_scanner::set_sized(const terminator& next)
{
    const bool is_counted = next.kind_ == terminator::kind::counted;
    if (is_counted && !has_bytes(next.view())) // as in set()
        replace_string(next.view());
    terminator_.kind_ = next.kind_;
    terminator_.width_ = next.width_;
    terminator_.order_ = next.order_;
    terminator_.in_frame_ = is_counted; // else `next` may be a copy that is
    terminator_.count_ = is_counted ? next.count_ : 0;
}

ASYNCHAT_DECL length_prefix terminator_scanner::read_length(std::string_view input) const
{
    switch (terminator_.kind_) {
    case terminator::kind::varint: return read_varint(input);
    case terminator::kind::netstring: return read_netstring(input);
    default: return read_fixed(input, terminator_.width_, terminator_.order_ == byte_order::big);
    }
}

ASYNCHAT_DECL terminator_scanner::step terminator_scanner::find_several(std::string_view input,
                                                                        std::size_t matched)
{
    auto& search = tools().search; // kept while another terminator is in force
    if (!search || search->list() != terminator_.view())
        search = std::make_unique<string_search>(std::string(terminator_.view()));
    const auto result = search->find(input, matched);
    const std::size_t before = result.end - result.length;
    return result.found ? step::end_of_frame(before, result.length)
                        : step::more_to_come(before, result.length);
}

ASYNCHAT_DECL terminator_scanner::step
terminator_scanner::search(std::string_view input, std::size_t position, std::size_t matched)
{
    const std::string_view needle = terminator_.view();
    std::size_t cautious_until = 0;
    for (;;) {
        if (matched == 0 && terminator_.near_size() == 0)
            position += find_byte(input.substr(position), needle.front());
        if (matched == 0 && input.size() - position >= needle.size()) {
            const landing at = jump(input, position);
            if (at.found)
                return step::end_of_frame(at.position, needle.size());
            position = at.position;
            cautious_until = position + 1024 + needle.size();
        }
        // Byte by byte, each byte once.
        do {
            if (position == input.size())
                return step::more_to_come(position - matched, matched);
            const char next = input[position++];
            if (needle[matched] == next) {
                if (++matched == needle.size())
                    return step::end_of_frame(position - matched, matched);
            } else if (matched > 0) {
                auto& table = tools().table;
                if (table.empty())
                    table.build(needle);
                matched = table.advance(needle, matched, next);
            }
        } while (matched > 0 || position < cautious_until);
    }
}

ASYNCHAT_DECL terminator_scanner::landing terminator_scanner::jump(std::string_view input,
                                                                   std::size_t position) const
{
    const std::string_view needle = terminator_.view();
    const std::size_t end =
        input.size() - needle.size() + 1; // no whole terminator begins behind it
    const std::size_t few = std::min(needle.size(), std::size_t(16));
    std::size_t cost = 0;
    bool found = false;
    const auto stops_at = [&](std::size_t at) {
        const char* const bytes = input.data() + at;
        if (!equal_few(bytes, needle.data(), few)) {
            cost += 16;
        } else {
            found = std::memcmp(bytes + few, needle.data() + few, needle.size() - few) == 0;
            cost += 256 + needle.size();
        }
        return found || cost > 512 + 24 * (at - position);
    };

    // memchr() while its matches are far apart.
    std::size_t from = 0;
    std::size_t at = position;
    while (at - from > 256) {
        from = at;
        at = from + find_byte({input.data() + from, end - from}, needle.front());
        if (at == end || stops_at(at))
            return {at, found};
        ++at;
    }
    at = find_pair(input.data(), at, end, needle.size() - 1, needle.front(), needle.back(),
                   stops_at);
    return {at, found};
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
