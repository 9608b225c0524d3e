// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_LEAVING_HPP
#define ASYNCHAT_TESTS_SUPPORT_LEAVING_HPP

#include <asynchat/asynchat.hpp>

#include <string>
#include <utility>
#include <vector>

namespace support {

/// The constructor of the first one throws exit_now.
template <class Base>
class leaving : public Base {
public:
    leaving(asynchat::loop& owner, std::vector<std::string>& told, bool& leaves) : Base(owner, told)
    {
        if (std::exchange(leaves, false))
            throw asynchat::exit_now();
    }
};

} // namespace support

#endif
