// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_ERROR_TEXT_HPP
#define ASYNCHAT_TESTS_SUPPORT_ERROR_TEXT_HPP

#include <string>
#include <system_error>

namespace support {

/// What the system says of an error: each system has words of its own.
inline std::string error_text(std::errc error)
{
    return std::make_error_code(error).message();
}

} // namespace support

#endif
