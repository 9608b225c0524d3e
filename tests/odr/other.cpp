// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include <asynchat/asynchat.hpp>

using search = std::size_t (*)(std::string_view, std::string_view);

search other_find_prefix_at_end();

search other_find_prefix_at_end()
{
    return &asynchat::find_prefix_at_end;
}
