// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_OVERRIDES_HPP
#define ASYNCHAT_DETAIL_OVERRIDES_HPP

#include <asynchat/fwd.hpp>

#include <cstddef>
#include <type_traits>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Whether T sends directly to its transport: no class from dispatcher to T overrides send(). The
/// type of a pointer to a member names the class that declares it. If send() cannot be named here,
/// because it is not public or overloaded, that counts as an override.
///
/// A friend of async_chat, where send() is protected.
struct send_override {
    template <class T>
    static auto look(int)
        -> std::is_same<decltype(&T::send), std::size_t (dispatcher::*)(const_buffers)>;
    template <class T>
    static auto look(...) -> std::false_type;
};
template <class T>
struct sends_plainly : decltype(send_override::look<T>(0)) {
};

/// Whether T does not override get_terminator(), found in the same way.
struct terminator_override {
    template <class T>
    static auto look(int)
        -> std::is_same<decltype(&T::get_terminator), const terminator& (async_chat::*)() const>;
    template <class T>
    static auto look(...) -> std::false_type;
};
template <class T>
struct keeps_terminator : decltype(terminator_override::look<T>(0)) {
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
