// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_ESCAPE_HPP
#define ASYNCHAT_ESCAPE_HPP

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace asynchat {

/// `bytes` as printable ASCII, for logs and people: \n, \r, \t, and \xNN for the rest.
///
/// No more than `most` bytes come out; "..." at the end shows that something was cut off.
/// A backslash is left alone, so that escaping twice changes nothing: the library escapes what it
/// quotes from a peer, and the default log escapes whatever reaches it.
inline std::string escaped(std::string_view bytes, std::size_t most = std::string::npos)
{
    constexpr std::string_view cut = "...";
    constexpr char hex[] = "0123456789abcdef";
    std::string out;
    out.reserve(std::min(bytes.size(), most));
    std::size_t end = 0; // of what may stay when the rest is cut off
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
        if (out.size() > most)
            return out.erase(end).append(cut.substr(0, most));
        if (out.size() + cut.size() <= most)
            end = out.size();
    }
    return out;
}

namespace detail {

// Of what a line of the log or the text of an exception quotes, in bytes.
inline constexpr std::size_t longest_name = 256;
inline constexpr std::size_t longest_text = 1024;

/// What the text of an exception says of a name or value that was given.
inline std::string quoted(std::string_view name)
{
    return escaped(name, longest_name);
}

} // namespace detail

} // namespace asynchat

#endif
