// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_LOGGED_HPP
#define ASYNCHAT_TESTS_SUPPORT_LOGGED_HPP

#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <string>

namespace support {

class plain : public asynchat::dispatcher {
public:
    using dispatcher::dispatcher;
};

/// What `act` writes to standard error.
template <class Act>
std::string written_by(Act act)
{
    captured_stderr capture;
    act();
    return capture.text();
}

} // namespace support

#endif
