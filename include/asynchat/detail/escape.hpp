// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_ESCAPE_HPP
#define ASYNCHAT_DETAIL_ESCAPE_HPP

#include <string>
#include <string_view>

namespace asynchat::detail {

/// Appends `bytes` to `out` as printable ASCII: \n, \r, \t and \xNN for the rest.
///
/// A backslash is left alone, so that escaping twice changes nothing: the library escapes what it
/// quotes from a peer, and the default log escapes whatever reaches it.
inline void append_escaped(std::string& out, std::string_view bytes)
{
    constexpr char hex[] = "0123456789abcdef";
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
    }
}

inline std::string escaped(std::string_view bytes)
{
    std::string out;
    out.reserve(bytes.size());
    append_escaped(out, bytes);
    return out;
}

} // namespace asynchat::detail

#endif
