// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_DRIVEN_HPP
#define ASYNCHAT_TESTS_SUPPORT_DRIVEN_HPP

#include <asynchat/loop.hpp>

#include <memory>
#include <utility>

namespace support {

/// A channel whose functions a test calls by hand. It has no socket, so the loop has nothing to
/// tell it; and it goes at the end of the scope.
template <class T>
class driven {
public:
    template <class... Args>
    explicit driven(asynchat::loop& owner, Args&&... args)
        : loop_(owner), channel_(owner.create<T>(std::forward<Args>(args)...).lock())
    {
    }
    ~driven()
    {
        channel_->close();
        channel_.reset();
        loop_.poll(); // which destroys it
    }
    driven(const driven&) = delete;
    driven& operator=(const driven&) = delete;

    T& operator*() const { return *channel_; }

private:
    asynchat::loop& loop_;
    std::shared_ptr<T> channel_;
};

} // namespace support

#endif
