// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_OUTPUT_QUEUE_IPP
#define ASYNCHAT_IMPL_OUTPUT_QUEUE_IPP

#include <asynchat/detail/output_queue.hpp>

#include <algorithm>

namespace asynchat::detail {

// Below these sizes copying is cheaper than a buffer of its own: for the system, which walks the
// buffers, and for us, who keep an entry each.
inline constexpr std::size_t min_moved_size = 2048;
inline constexpr std::size_t min_shared_size = 512;

ASYNCHAT_DECL std::unique_ptr<output_storage> output_pool::take()
{
    if (unused_.empty())
        return std::make_unique<output_storage>();
    auto storage = std::move(unused_.back());
    unused_.pop_back();
    return storage;
}

ASYNCHAT_DECL void output_pool::give_back(std::unique_ptr<output_storage> storage)
{
    if (unused_.size() >= max_kept || storage->block.capacity() > max_kept_block)
        return;
    storage->entries.clear();
    storage->block.clear();
    storage->block_front = 0;
    unused_.push_back(std::move(storage));
}

ASYNCHAT_DECL output_storage& output_queue::storage()
{
    if (!storage_)
        storage_ = pool_->take();
    return *storage_;
}

ASYNCHAT_DECL void output_queue::push(std::string_view data)
{
    if (!data.empty())
        push_written([data](std::string& block) { block += data; });
}

ASYNCHAT_DECL void output_queue::push(std::string&& data)
{
    if (data.size() < min_moved_size)
        return push(std::string_view(data));
    push_string(std::move(data));
}

ASYNCHAT_DECL void output_queue::push_string(std::string data)
{
    const std::size_t added = data.size();
    if (added == 0)
        return;
    storage().entries.push(std::move(data));
    size_ += added;
}

ASYNCHAT_DECL void output_queue::push(std::shared_ptr<const std::string> data)
{
    if (data->size() < min_shared_size)
        return push(std::string_view(*data));
    const std::size_t added = data->size();
    storage().entries.push(std::move(data));
    size_ += added;
}

ASYNCHAT_DECL void output_queue::push(std::unique_ptr<producer> source)
{
    storage().entries.push(std::move(source));
}

ASYNCHAT_DECL bool output_queue::waiting_producer() const noexcept
{
    return storage_ && piece_.empty() &&
           std::holds_alternative<std::unique_ptr<producer>>(*storage_->entries.begin());
}

ASYNCHAT_DECL std::unique_ptr<producer> output_queue::take_producer()
{
    return std::move(std::get<std::unique_ptr<producer>>(storage_->entries.first()));
}

ASYNCHAT_DECL void output_queue::offer_piece(std::unique_ptr<producer> source,
                                             std::string_view piece)
{
    std::get<std::unique_ptr<producer>>(storage_->entries.first()) = std::move(source);
    piece_ = piece;
    size_ += piece.size();
}

ASYNCHAT_DECL void output_queue::drop_producer()
{
    pop();
}

ASYNCHAT_DECL void output_queue::consume(std::size_t bytes)
{
    size_ -= bytes;
    while (bytes > 0) {
        auto& head = storage_->entries.first();
        if (auto* in_block = std::get_if<output_storage::block_bytes>(&head)) {
            const std::size_t taken = std::min(bytes, in_block->count);
            in_block->count -= taken;
            storage_->block_front += taken;
            bytes -= taken;
            if (in_block->count == 0)
                pop();
        } else if (std::holds_alternative<std::unique_ptr<producer>>(head)) {
            const std::size_t taken = std::min(bytes, piece_.size());
            piece_.remove_prefix(taken);
            bytes -= taken;
        } else {
            const auto* shared = std::get_if<output_storage::shared_bytes>(&head);
            const std::size_t whole =
                shared ? (*shared)->size() : std::get<std::string>(head).size();
            const std::size_t taken = std::min(bytes, whole - head_sent_);
            head_sent_ += taken;
            bytes -= taken;
            if (head_sent_ == whole)
                pop();
        }
    }
    // What was sent of the block goes when it is the larger part: amortized constant.
    if (storage_ && storage_->block_front > storage_->block.size() / 2) {
        storage_->block.erase(0, storage_->block_front);
        storage_->block_front = 0;
    }
}

ASYNCHAT_DECL void output_queue::pop()
{
    storage_->entries.pop();
    head_sent_ = 0;
    if (storage_->entries.is_empty())
        pool_->give_back(std::move(storage_));
}

ASYNCHAT_DECL void output_queue::clear() noexcept
{
    // Producers may do anything in their destructors, so the queue is empty before they go.
    auto dropped = std::move(storage_);
    if (pinned_ && !pinned_storage_)
        pinned_storage_ = std::move(dropped);
    size_ = 0;
    head_sent_ = 0;
    piece_ = {};
    ++generation_;
}

} // namespace asynchat::detail

#endif
