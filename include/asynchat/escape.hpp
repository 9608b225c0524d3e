// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_ESCAPE_HPP
#define ASYNCHAT_ESCAPE_HPP

#include <string>
#include <string_view>

namespace asynchat {

/// `bytes` as printable ASCII, for logs and people: \n, \r, \t, and \xNN for the rest.
///
/// A backslash is left alone, so that escaping twice changes nothing: the library escapes what it
/// quotes from a peer, and the default log escapes whatever reaches it.
inline std::string escaped(std::string_view bytes)
{
    constexpr char hex[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size());
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
    return out;
}

} // namespace asynchat

#endif
