// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include <asynchat/asynchat.hpp>

#include <cstdio>

using search = std::size_t (*)(std::string_view, std::string_view);

search other_find_prefix_at_end();

int main()
{
    const search mine = &asynchat::find_prefix_at_end;
    const bool same = mine == other_find_prefix_at_end();
    const bool right = mine("qwerty\r", "\r\n") == 1;
    std::printf("one definition: %s, result: %s\n", same ? "yes" : "no", right ? "right" : "wrong");
    return same && right ? 0 : 1;
}
