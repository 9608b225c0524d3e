// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_UNIQUE_FUNCTION_HPP
#define ASYNCHAT_DETAIL_UNIQUE_FUNCTION_HPP

#include <asynchat/config.hpp>

#include <cassert>
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

template <class Signature>
class unique_function;

/// A std::function with one owner: its target may be move-only.
///
/// A target of up to three pointers needs no allocation, as with std::function or better.
template <class R, class... Args>
class unique_function<R(Args...)> {
public:
    unique_function() noexcept = default;

    template <class F, std::enable_if_t<!std::is_same_v<F, unique_function>, int> = 0>
    unique_function(F f) : actions_(&table<F>)
    {
        static_assert(std::is_invocable_r_v<R, F&, Args...>);
        if constexpr (fits<F>)
            new (space_) F(std::move(f));
        else
            new (space_) F*(new F(std::move(f)));
    }
    unique_function(unique_function&& other) noexcept
        : actions_(std::exchange(other.actions_, nullptr))
    {
        if (actions_)
            actions_->move(other.space_, space_);
    }
    unique_function& operator=(unique_function&& other) noexcept
    {
        if (this != &other) {
            unique_function gone(std::move(*this)); // its destructor may use the new target
            actions_ = std::exchange(other.actions_, nullptr);
            if (actions_)
                actions_->move(other.space_, space_);
        }
        return *this;
    }
    ~unique_function()
    {
        if (actions_)
            actions_->destroy(space_);
    }

    explicit operator bool() const noexcept { return actions_ != nullptr; }

    R operator()(Args... args)
    {
        assert(actions_);
        return actions_->call(space_, std::forward<Args>(args)...);
    }

private:
    static constexpr std::size_t space_size = 3 * sizeof(void*);

    struct actions {
        R (*call)(void* space, Args... args);
        void (*move)(void* from, void* to) noexcept; // `from` is then destroyed
        void (*destroy)(void* space) noexcept;
    };

    template <class F>
    static constexpr bool
        fits = sizeof(F) <= space_size &&
               alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;

    template <class F>
    static F& in(void* space) noexcept
    {
        if constexpr (fits<F>)
            return *std::launder(static_cast<F*>(space));
        else
            return **std::launder(static_cast<F**>(space));
    }
    template <class F>
    static R call(void* space, Args... args)
    {
        return in<F>(space)(std::forward<Args>(args)...);
    }
    template <class F>
    static void move(void* from, void* to) noexcept
    {
        if constexpr (fits<F>) {
            new (to) F(std::move(in<F>(from)));
            in<F>(from).~F();
        } else {
            new (to) F*(&in<F>(from));
        }
    }
    template <class F>
    static void destroy(void* space) noexcept
    {
        if constexpr (fits<F>)
            in<F>(space).~F();
        else
            delete &in<F>(space);
    }
    template <class F>
    static constexpr actions table = {&call<F>, &move<F>, &destroy<F>};

    const actions* actions_ = nullptr;
    alignas(void*) unsigned char space_[space_size];
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
