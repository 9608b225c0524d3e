// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_OVERRIDES_HPP
#define ASYNCHAT_DETAIL_OVERRIDES_HPP

#include <asynchat/fwd.hpp>

#include <cstddef>
#include <type_traits>

namespace asynchat::detail {

/// Whether what T sends goes straight to its transport: no class from dispatcher to T overrides
/// send(). The type of a pointer to a member names the class that declares it. An override that
/// cannot be named here, because it is not public or overloaded, counts as one.
template <class T, class = void>
struct has_plain_send : std::false_type {
};
template <class T>
struct has_plain_send<T, std::void_t<decltype(&T::send)>>
    : std::is_same<decltype(&T::send), std::size_t (dispatcher::*)(const_buffers)> {
};

/// Of async_chat it is protected, and can be named in a derived class only.
template <class T>
struct send_probe : T {
    template <class Probe>
    static auto look(int)
        -> std::is_same<decltype(&Probe::send), std::size_t (dispatcher::*)(const_buffers)>;
    template <class Probe>
    static auto look(...) -> std::false_type;
};

template <class T, class = void>
struct sends_plainly : decltype(send_probe<T>::template look<send_probe<T>>(0)) {
};
template <class T>
struct sends_plainly<T, std::enable_if_t<std::is_final_v<T>>> : has_plain_send<T> {
};

/// Whether T leaves get_terminator() as it is, found out in the same way.
template <class T, class = void>
struct keeps_terminator : std::false_type {
};
template <class T>
struct keeps_terminator<T, std::void_t<decltype(&T::get_terminator)>>
    : std::is_same<decltype(&T::get_terminator), const terminator& (async_chat::*)() const> {
};

} // namespace asynchat::detail

#endif
