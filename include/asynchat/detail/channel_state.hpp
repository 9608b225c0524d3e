// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_CHANNEL_STATE_HPP
#define ASYNCHAT_DETAIL_CHANNEL_STATE_HPP

#include <asynchat/config.hpp>
#include <asynchat/fwd.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

namespace asynchat::detail {

/// What a channel can wait for.
enum class readiness : unsigned char { read, write, urgent };

/// Memory for one operation at a time; a second one, or a larger one, comes from the heap.
class operation_memory {
public:
    void* allocate(std::size_t size)
    {
        if (used_ || size > sizeof(space_))
            return ::operator new(size);
        used_ = true;
        return space_;
    }
    void deallocate(void* memory) noexcept
    {
        if (memory == space_)
            used_ = false;
        else
            ::operator delete(memory);
    }

private:
    alignas(std::max_align_t) unsigned char space_[128];
    bool used_ = false;
};

/// The part of a channel that the operations under way share with it and with its loop.
///
/// Handlers hold this and never the channel, which may be gone when they run. `channel` is the
/// loop's ownership: set when the loop adopts the channel, reset when the channel is closed.
struct channel_state {
    std::shared_ptr<dispatcher> channel;
    std::size_t index = 0; // place among the loop's channels
    unsigned epoch = 0;    // counts the transports of the channel; tells stale events apart
    std::array<bool, 3> armed = {}; // waits under way on the present transport, by readiness
    bool flush_posted = false;      // on the loop's list of channels to flush
    operation_memory read_memory;   // for the wait that nearly every channel has under way
};

/// Allocates an operation in the state of its channel.
template <class T>
class operation_allocator {
public:
    using value_type = T;

    explicit operation_allocator(std::shared_ptr<channel_state> state) noexcept
        : state_(std::move(state))
    {
    }
    template <class U>
    operation_allocator(const operation_allocator<U>& other) noexcept : state_(other.state_)
    {
    }

    T* allocate(std::size_t n)
    {
        return static_cast<T*>(state_->read_memory.allocate(n * sizeof(T)));
    }
    void deallocate(T* memory, std::size_t) noexcept { state_->read_memory.deallocate(memory); }

    template <class U>
    bool operator==(const operation_allocator<U>& other) const noexcept
    {
        return state_ == other.state_;
    }
    template <class U>
    bool operator!=(const operation_allocator<U>& other) const noexcept
    {
        return !(*this == other);
    }

private:
    template <class U>
    friend class operation_allocator;

    std::shared_ptr<channel_state> state_;
};

/// Called when a channel may be ready: the completion handler of every wait.
class readiness_handler {
public:
    using allocator_type = operation_allocator<void>;

    readiness_handler(std::shared_ptr<channel_state> state, readiness what) noexcept
        : state_(std::move(state)), epoch_(state_->epoch), what_(what)
    {
    }

    allocator_type get_allocator() const noexcept { return allocator_type(state_); }

    ASYNCHAT_DECL void operator()(const std::error_code& error);

private:
    std::shared_ptr<channel_state> state_;
    unsigned epoch_;
    readiness what_;
};

} // namespace asynchat::detail

#endif
