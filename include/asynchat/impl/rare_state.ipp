// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_RARE_STATE_IPP
#define ASYNCHAT_IMPL_RARE_STATE_IPP

#include <asynchat/detail/rare_state.hpp>

#include <asynchat/detail/io/connect_attempt.hpp>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_RARE rare_state::rare_state(const timeouts& limits) noexcept : clocks(limits) {}

ASYNCHAT_RARE rare_state::~rare_state() = default;

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
