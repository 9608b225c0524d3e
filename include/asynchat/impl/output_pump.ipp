// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_OUTPUT_PUMP_IPP
#define ASYNCHAT_IMPL_OUTPUT_PUMP_IPP

#include <asynchat/detail/output/output_pump.hpp>

#include <cassert>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL output_pump::action output_pump::next_of_producer() const
{
    if (!asks_producers_)
        return action::stop_before_producer;
    if (!reads_file_ && queue_.head_producer().as_file_())
        return action::file;
    if (queue_.head_producer().is_call_())
        return action::producer;
    // The producer is called when all earlier output was taken. In the same attempt it is called
    // again only if a piece as large as the largest before would still fit into one send.
    const std::size_t largest = queue_.largest_piece();
    const std::size_t expected = largest > 0 ? largest : max_bytes_;
    return sent_ > 0 && sent_ + expected > max_bytes_ ? action::stop : action::producer;
}

ASYNCHAT_DECL file_producer& output_pump::file() const
{
    return *queue_.head_producer().as_file_();
}

ASYNCHAT_DECL void output_pump::sent_of_file(std::optional<std::size_t> bytes, bool has_ended)
{
    reads_file_ = !bytes;
    if (!bytes)
        return;
    assert(*bytes <= max_of_file());
    sent_ += *bytes;
    if (has_ended)
        queue_.drop_producer();
    if (*bytes == 0)
        stop();
}

ASYNCHAT_DECL void output_pump::answered(std::unique_ptr<producer> source, std::string_view piece)
{
    reads_file_ = false;
    if (!let_go())
        return stop();
    if (piece.empty()) {
        queue_.drop_producer();
        if (++ended_ == max_ended)
            stop();
        return;
    }
    queue_.offer_piece(std::move(source), piece);
}

ASYNCHAT_DECL void output_pump::put_back(std::unique_ptr<producer> source)
{
    if (let_go())
        queue_.offer_piece(std::move(source), {});
    stop();
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
