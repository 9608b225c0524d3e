// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_OUTPUT_QUEUE_IPP
#define ASYNCHAT_IMPL_OUTPUT_QUEUE_IPP

#include <asynchat/detail/output/output_queue.hpp>

#include <algorithm>
#include <cassert>
#include <new>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

// Below this size a copy is cheaper than a separate buffer: the system has to process each buffer,
// and the queue needs an entry for each.
inline constexpr std::size_t min_shared_size = 512;

ASYNCHAT_DECL std::unique_ptr<output_storage> output_pool::take()
{
    if (unused_.empty())
        return make();
    auto storage = std::move(unused_.back());
    unused_.pop_back();
    assert(kept_ >= size_of(*storage));
    kept_ -= size_of(*storage);
    return storage;
}

ASYNCHAT_DECL std::unique_ptr<output_storage> output_pool::make()
{
    return std::make_unique<output_storage>(*this);
}

ASYNCHAT_DECL void output_pool::give_back(std::unique_ptr<output_storage>& storage) noexcept
{
    // The next user would send its content.
    assert(storage->entries.is_empty() && storage->unlisted() == 0);
    assert(storage->pool == this && storage->held == output_storage::hold::none);
    assert(storage->head_sent == 0 && storage->piece.empty() && storage->largest_piece == 0);
    const std::size_t size = size_of(*storage);
    if (kept_ + size > max_kept || storage->block.capacity() > max_kept_block)
        return storage.reset();
    storage->block.clear();
    storage->block_front = storage->block_listed = 0;
    try {
        unused_.push_back(std::move(storage));
        kept_ += size;
    } catch (const std::bad_alloc&) {
        storage.reset();
    }
}

/// Appends the first data of a queue, or data while the block is pinned or has no room.
ASYNCHAT_DECL void output_queue::queue_first(output_pool& pool, std::string_view data)
{
    if (data.empty())
        return;
    if (storage_ && is_pinned()) {
        push_entry(pool, std::make_shared<const std::string>(data), data.size());
        return;
    }
    auto fresh = storage_ ? nullptr : pool.take();
    (fresh ? fresh : storage_)->block.append(data);
    if (fresh)
        storage_ = std::move(fresh);
    size_ += data.size();
}

ASYNCHAT_DECL void output_queue::push(output_pool& pool, std::string&& data)
{
    const std::size_t size = data.size();
    if (size < min_moved_size) {
        push(pool, std::string_view(data));
        return pool.strings().give_back(data);
    }
    push_entry(pool, std::move(data), size);
}

ASYNCHAT_DECL void output_queue::push(output_pool& pool, std::shared_ptr<const std::string> data)
{
    const std::size_t size = data->size();
    if (size < min_shared_size)
        return push(pool, std::string_view(*data));
    push_entry(pool, std::move(data), size);
}

ASYNCHAT_DECL void output_queue::push(output_pool& pool, std::unique_ptr<producer> source)
{
    push_entry(pool, std::move(source), 0);
}

/// Appends an entry, after an entry for the rest of the block.
ASYNCHAT_DECL void output_queue::push_entry(output_pool& pool, output_storage::entry&& next,
                                            std::size_t bytes)
{
    auto fresh = storage_ ? nullptr : pool.take();
    auto& storage = storage_ ? *storage_ : *fresh;
    if (storage.unlisted() > 0) {
        storage.entries.push(output_storage::block_bytes{storage.unlisted()});
        storage.block_listed = storage.block.size();
    }
    storage.entries.push(std::move(next));
    if (fresh)
        storage_ = std::move(fresh);
    size_ += bytes;
    assert(adds_up());
}

ASYNCHAT_DECL bool output_queue::is_producer_next() const noexcept
{
    return storage_->piece.empty() &&
           std::holds_alternative<std::unique_ptr<producer>>(*storage_->entries.begin());
}

ASYNCHAT_DECL producer& output_queue::head_producer() const noexcept
{
    assert(waiting_producer());
    return **std::get_if<std::unique_ptr<producer>>(&storage_->entries.first());
}

ASYNCHAT_DECL std::unique_ptr<producer> output_queue::take_producer()
{
    assert(waiting_producer() && !is_pinned());
    auto& source = std::get<std::unique_ptr<producer>>(storage_->entries.first());
    assert(source); // it is not taken out already
    return std::move(source);
}

ASYNCHAT_DECL void output_queue::offer_piece(std::unique_ptr<producer> source,
                                             std::string_view piece)
{
    assert(waiting_producer() && source);
    auto& head = std::get<std::unique_ptr<producer>>(storage_->entries.first());
    assert(!head); // it was taken out
    head = std::move(source);
    storage_->piece = piece;
    storage_->largest_piece = std::max(storage_->largest_piece, piece.size());
    size_ += piece.size();
    assert(adds_up());
}

inline void output_queue::recycle_if_empty()
{
    if (!storage_->entries.is_empty() || storage_->unlisted() > 0)
        return;
    assert(size_ == 0);
    storage_->pool->give_back(storage_);
}

ASYNCHAT_DECL void output_queue::drop_producer()
{
    assert(waiting_producer());
    pop();
    recycle_if_empty();
}

ASYNCHAT_DECL void output_queue::consume(std::size_t bytes)
{
    assert(bytes <= size_ && !is_pinned());
    size_ -= bytes;
    if (!storage_->entries.is_empty())
        return consume_entries(bytes);
    auto& storage = *storage_;
    assert(bytes <= storage.unlisted());
    storage.block_front += bytes;
    storage.block_listed = storage.block_front;
    drop_sent();
}

ASYNCHAT_DECL void output_queue::consume_entries(std::size_t bytes)
{
    auto& storage = *storage_;
    while (bytes > 0) {
        if (storage.entries.is_empty()) {
            assert(bytes <= storage.unlisted());
            storage.block_front += bytes;
            storage.block_listed = storage.block_front;
            break;
        }
        auto& head = storage.entries.first();
        if (auto* in_block = std::get_if<output_storage::block_bytes>(&head)) {
            const std::size_t taken = std::min(bytes, in_block->count);
            in_block->count -= taken;
            storage.block_front += taken;
            bytes -= taken;
            if (in_block->count == 0)
                pop();
        } else if (std::holds_alternative<std::unique_ptr<producer>>(head)) {
            assert(!storage.piece.empty()); // gather() did not show output behind a producer
            const std::size_t taken = std::min(bytes, storage.piece.size());
            storage.piece.remove_prefix(taken);
            bytes -= taken;
        } else {
            const auto* shared = std::get_if<output_storage::shared_bytes>(&head);
            const std::size_t whole =
                shared ? (*shared)->size() : std::get<std::string>(head).size();
            const std::size_t taken = std::min(bytes, whole - storage.head_sent);
            storage.head_sent += taken;
            bytes -= taken;
            if (storage.head_sent == whole)
                pop();
        }
    }
    assert(adds_up());
    drop_sent();
}

/// Removes the sent part of the block when it is the larger part: amortized constant cost.
inline void output_queue::drop_sent()
{
    recycle_if_empty();
    if (!storage_)
        return; // the most frequent case
    auto& storage = *storage_;
    if (storage.block_front > storage.block.size() / 2) {
        storage.block.remove_front(storage.block_front);
        storage.block_listed -= storage.block_front;
        storage.block_front = 0;
    }
}

/// Drops the entry at the head.
ASYNCHAT_DECL void output_queue::pop()
{
    assert(!is_pinned() && storage_->piece.empty());
    if (auto* const sent = std::get_if<std::string>(&storage_->entries.first()))
        storage_->pool->strings().give_back(*sent);
    storage_->entries.pop();
    storage_->head_sent = 0;
    storage_->largest_piece = 0;
}

ASYNCHAT_DECL void output_queue::clear() noexcept
{
    // Destructors of producers may use the queue, so it is empty before they run.
    auto dropped = std::move(storage_);
    size_ = 0;
    if (dropped && dropped->held != output_storage::hold::none)
        dropped.release(); // who holds it lets it go
}

/// Destroys the storage that clear() has taken out of the queue.
ASYNCHAT_DECL bool output_queue::drop_held(output_storage& held) noexcept
{
    delete &held;
    return false;
}

/// Whether the sizes of the pieces add up to size(). Not checked for many pieces, because it would
/// make each push slow.
ASYNCHAT_DECL bool output_queue::adds_up() const noexcept
{
    const auto& storage = *storage_;
    if (storage.entries.size() > 16)
        return true;
    std::size_t sum = storage.unlisted() + storage.piece.size();
    std::size_t listed = storage.block_front;
    for (const auto& entry : storage.entries) {
        if (const auto* in_block = std::get_if<output_storage::block_bytes>(&entry)) {
            listed += in_block->count;
            sum += in_block->count;
        } else if (const auto* own = std::get_if<std::string>(&entry)) {
            sum += own->size();
        } else if (const auto* shared = std::get_if<output_storage::shared_bytes>(&entry)) {
            sum += (*shared)->size();
        }
    }
    return listed == storage.block_listed && sum - storage.head_sent == size_;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
