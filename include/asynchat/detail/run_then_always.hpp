// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_RUN_THEN_ALWAYS_HPP
#define ASYNCHAT_DETAIL_RUN_THEN_ALWAYS_HPP

#include <asynchat/config.hpp>

#include <new>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Calls `work` and then `rest`, also if `work` throws. If both fail because there is no memory,
/// the next run() does the work.
template <class Work, class Rest>
void run_then_always(const Work& work, const Rest& rest)
{
    try {
        work();
    } catch (...) {
        try {
            rest();
        } catch (const std::bad_alloc&) {
        }
        throw;
    }
    rest();
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
