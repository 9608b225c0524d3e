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

/// Whether T leaves get_terminator() as it is, found out in the same way.
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

} // namespace asynchat::detail

#endif
