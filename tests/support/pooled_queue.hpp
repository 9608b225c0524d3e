// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_POOLED_QUEUE_HPP
#define ASYNCHAT_TESTS_SUPPORT_POOLED_QUEUE_HPP

#include <asynchat/detail/output/output_queue.hpp>

#include <utility>

namespace support {

/// An output queue that knows its pool.
class pooled_queue : public asynchat::detail::output_queue {
public:
    explicit pooled_queue(asynchat::detail::output_pool& pool) : pool_(pool) {}

    template <class Output>
    void push(Output&& output)
    {
        output_queue::push(pool_, std::forward<Output>(output));
    }

private:
    asynchat::detail::output_pool& pool_;
};

} // namespace support

#endif
