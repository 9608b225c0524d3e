// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_CATCH_HPP
#define ASYNCHAT_TESTS_SUPPORT_CATCH_HPP

// Catch2 3.x has no catch.hpp, 2.x has no catch_all.hpp. Tests are written for what both have,
// under the names of 3.x.
#if __has_include(<catch2/catch_all.hpp>)
#  include <catch2/catch_all.hpp>
#else
#  include <catch2/catch.hpp>

#  include <string>

namespace Catch::Matchers {

inline auto ContainsSubstring(const std::string& part)
{
    return Contains(part);
}

} // namespace Catch::Matchers
#endif

#include <cstdlib>

/// At the start of a test, before it asserts anything: what the machine has to have for it. Without
/// it the test says so and ends; ctest calls it skipped. With ASYNCHAT_NO_SKIP it fails instead.
#define ASYNCHAT_TEST_NEEDS(condition, what)                                                       \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      if (std::getenv("ASYNCHAT_NO_SKIP"))                                                         \
        FAIL("missing: " what);                                                                    \
      WARN("skipped: " what);                                                                      \
      return;                                                                                      \
    }                                                                                              \
  } while (false)

#endif
