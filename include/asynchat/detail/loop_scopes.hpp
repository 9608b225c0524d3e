// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A part of loop.hpp, which includes it where the class is complete.

#ifndef ASYNCHAT_DETAIL_LOOP_SCOPES_HPP
#define ASYNCHAT_DETAIL_LOOP_SCOPES_HPP

#include <cstddef>
#include <memory>
#include <utility>

namespace asynchat {

/// Marks that the loop or one of its channels is calling user code. Closed channels are destroyed
/// when the outermost turn ends; those that a nested run() or poll() has made, when a turn of it
/// ends: none of their functions can be further out on the stack.
class loop::turn {
public:
    explicit turn(loop& owner) noexcept : loop_(owner) { loop_.enter_turn(); }
    ~turn() { loop_.leave_turn(); }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

private:
    loop& loop_;
};

/// A receive buffer of the loop for the length of one event.
class loop::receive_lease {
public:
    explicit receive_lease(loop& owner) : loop_(owner)
    {
        if (loop_.receive_buffers_.empty()) {
            buffer_ = loop_.new_receive_buffer();
        } else {
            buffer_ = std::move(loop_.receive_buffers_.back());
            loop_.receive_buffers_.pop_back();
        }
    }
    ~receive_lease() { loop_.receive_buffers_.push_back(std::move(buffer_)); }
    receive_lease(const receive_lease&) = delete;
    receive_lease& operator=(const receive_lease&) = delete;

    char* reserve(std::size_t bytes) { return buffer_->reserve(bytes); }

private:
    loop& loop_;
    std::unique_ptr<detail::receive_buffer> buffer_;
};

} // namespace asynchat

#endif
