// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_FIFO_HPP
#define ASYNCHAT_FIFO_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// A first-in, first-out queue: push at the back, read and take at the front.
///
/// An unused fifo holds no memory. A fifo that becomes empty keeps its memory: in the steady state
/// push() and pop() allocate nothing.
/// Python: Lib/asynchat.py (up to 3.5), fifo
template <class T>
class fifo {
public:
    /// Empty, or with these items; the first is the oldest.
    fifo() = default;
    fifo(std::initializer_list<T> items) : items_(items) {}

    /// How many items there are; true when there is one.
    [[nodiscard]] bool is_empty() const noexcept { return begin() == end(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size() - front_; }
    explicit operator bool() const noexcept { return !is_empty(); }

    /// The oldest item; it stays in the fifo. Throws std::out_of_range when the fifo is empty.
    T& first()
    {
        if (is_empty())
            throw std::out_of_range("asynchat: first() of an empty fifo");
        return items_[front_];
    }
    [[nodiscard]] const T& first() const { return const_cast<fifo&>(*this).first(); }

    /// The newest item; otherwise as first().
    T& last()
    {
        if (is_empty())
            throw std::out_of_range("asynchat: last() of an empty fifo");
        return items_.back();
    }

    /// Adds the newest item.
    void push(T item)
    {
        // Room that pop() left in front is used before the vector grows: amortized constant.
        if (items_.size() == items_.capacity() && front_ > items_.size() / 2)
            drop_popped();
        items_.push_back(std::move(item));
    }

    /// Takes the oldest item; std::nullopt when the fifo is empty.
    std::optional<T> pop()
    {
        if (is_empty())
            return std::nullopt;
        std::optional<T> item(std::move(items_[front_]));
        if (++front_ == items_.size())
            drop_popped();
        return item;
    }

    /// Destroys all items. The memory is kept.
    void clear() noexcept
    {
        items_.clear();
        front_ = 0;
    }

    /// The items, oldest first.
    auto begin() noexcept { return items_.begin() + static_cast<std::ptrdiff_t>(front_); }
    auto end() noexcept { return items_.end(); }
    [[nodiscard]] auto begin() const noexcept
    {
        return items_.begin() + static_cast<std::ptrdiff_t>(front_);
    }
    [[nodiscard]] auto end() const noexcept { return items_.end(); }

private:
    void drop_popped()
    {
        items_.erase(items_.begin(), begin());
        front_ = 0;
    }

    std::vector<T> items_;
    std::size_t front_ = 0; // items before it were popped
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
