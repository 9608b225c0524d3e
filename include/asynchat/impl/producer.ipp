// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_PRODUCER_IPP
#define ASYNCHAT_IMPL_PRODUCER_IPP

#include <asynchat/producer.hpp>

#include <stdexcept>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_DECL simple_producer::simple_producer(std::string data, std::size_t buffer_size)
    : data_(std::move(data)), buffer_size_(buffer_size)
{
    if (buffer_size == 0)
        throw std::invalid_argument("asynchat: simple_producer needs a buffer_size over 0");
}

ASYNCHAT_DECL std::string_view simple_producer::more()
{
    const std::string_view piece = std::string_view(data_).substr(position_, buffer_size_);
    position_ += piece.size();
    return piece;
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
