// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_SCOPE_EXIT_HPP
#define ASYNCHAT_DETAIL_SCOPE_EXIT_HPP

#include <asynchat/config.hpp>

#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Calls a function at the end of the scope, also after an exception. The function must not throw.
template <class F>
class [[nodiscard]] scope_exit {
public:
    explicit scope_exit(F f) noexcept : f_(std::move(f)) {}
    ~scope_exit() { f_(); }
    scope_exit(const scope_exit&) = delete;
    scope_exit& operator=(const scope_exit&) = delete;

private:
    F f_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
