// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_ESCAPE_HPP
#define ASYNCHAT_ESCAPE_HPP

#include <asynchat/config.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// `bytes` as printable ASCII, for logs: \n, \r, \t, and \xNN for other unprintable bytes.
///
/// The result has at most `max_bytes` bytes; it ends in "..." if it was cut.
/// A backslash is not escaped, so that escaping twice changes nothing: the library escapes the
/// bytes of a peer that it quotes, and the default log escapes each line again.
[[gnu::cold]] inline std::string escaped(std::string_view bytes,
                                         std::size_t max_bytes = std::string::npos)
{
    constexpr std::string_view cut = "...";
    constexpr char hex[] = "0123456789abcdef";
    std::string out;
    out.reserve(std::min(bytes.size(), max_bytes));
    std::size_t end = 0; // what is before it still fits together with the dots
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n')
            out += "\\n";
        else if (c == '\r')
            out += "\\r";
        else if (c == '\t')
            out += "\\t";
        else if (byte < 0x20 || byte > 0x7e)
            ((out += "\\x") += hex[byte >> 4]) += hex[byte & 15];
        else
            out += c;
        if (out.size() > max_bytes)
            return out.erase(end).append(cut.substr(0, max_bytes));
        if (out.size() + cut.size() <= max_bytes)
            end = out.size();
    }
    return out;
}

namespace detail {

// Limits in bytes for a quotation in a log line or in the text of an exception.
inline constexpr std::size_t longest_name = 256;
inline constexpr std::size_t longest_text = 1024;

/// A name or value of the caller, for the text of an exception.
inline std::string quoted(std::string_view name)
{
    return escaped(name, longest_name);
}

} // namespace detail

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
