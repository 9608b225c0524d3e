// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_PRODUCER_HPP
#define ASYNCHAT_PRODUCER_HPP

#include <asynchat/config.hpp>
#include <asynchat/fwd.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {
class output_pump;
}

/// A source of output. The channel asks it for a piece only when all earlier output is sent.
///
/// Pass one to async_chat::push_with_producer(). It makes output of any size in constant memory.
/// It is destroyed when it has ended, by discard_buffers(), or with its channel.
/// Python: Lib/asynchat.py, the producer protocol of async_chat.push_with_producer
class ASYNCHAT_API producer {
public:
    /// For subclasses.
    producer() = default;
    producer(const producer&) = delete;
    producer& operator=(const producer&) = delete;
    virtual ~producer() = default;

    /// The next piece; an empty one ends the producer, which is then destroyed.
    ///
    /// Pieces may have any size. The view must stay valid until the next call of more() or the end
    /// of the producer. more() may push (which queues behind this producer), change the terminator
    /// and close the channel. An exception goes to handle_error() of the channel; if the channel
    /// stays open, more() is called again.
    virtual std::string_view more() = 0;

private:
    friend class async_chat;
    friend class detail::output_pump;

    /// Not null for a file_producer only: its bytes can be sent without reading them.
    virtual file_producer* as_file_() noexcept { return nullptr; }
    /// True for a producer without output, which is called as soon as all earlier output is taken.
    virtual bool is_call_() const noexcept { return false; }
};

/// Sends a string in pieces of a fixed size.
///
/// Python: Lib/asynchat.py, simple_producer
class ASYNCHAT_API simple_producer : public producer {
public:
    /// @param buffer_size bytes per piece; throws std::invalid_argument when it is 0.
    ASYNCHAT_DECL explicit simple_producer(std::string data, std::size_t buffer_size = 512);

    /// The next `buffer_size` bytes, fewer at the end, then always an empty piece.
    ASYNCHAT_DECL std::string_view more() override;

private:
    std::string data_;
    std::size_t buffer_size_;
    std::size_t position_ = 0;
};

namespace detail {

/// A producer made of a callable that returns its next piece each time it is called.
///
/// The callable returns a std::string, a view that is valid until the next call, or an optional of
/// one of these. An empty piece or an empty optional ends the producer.
template <class Callable>
class callable_producer final : public producer {
public:
    explicit callable_producer(Callable next) : next_(std::move(next)) {}

    std::string_view more() override
    {
        piece_.emplace(next_());
        return view_of(*piece_);
    }

private:
    using result = std::decay_t<std::invoke_result_t<Callable&>>;

    static std::string_view view_of(std::string_view piece) noexcept { return piece; }
    template <class T>
    static std::string_view view_of(const std::optional<T>& piece) noexcept
    {
        return piece ? view_of(*piece) : std::string_view();
    }

    Callable next_;
    std::optional<result> piece_;
};

/// Calls a function when all earlier output is sent.
template <class F>
class call_producer final : public producer {
public:
    explicit call_producer(F f) : f_(std::move(f)) {}

    std::string_view more() override
    {
        if (!std::exchange(called_, true)) // it may throw
            f_();
        return {};
    }

private:
    bool is_call_() const noexcept override { return true; }

    F f_;
    bool called_ = false;
};

} // namespace detail

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/producer.ipp>
#endif
#endif
