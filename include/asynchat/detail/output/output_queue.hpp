// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_OUTPUT_OUTPUT_QUEUE_HPP
#define ASYNCHAT_DETAIL_OUTPUT_OUTPUT_QUEUE_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/output/byte_block.hpp>
#include <asynchat/detail/output/string_pool.hpp>
#include <asynchat/fifo.hpp>
#include <asynchat/producer.hpp>

#include <cassert>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace asynchat::detail {

/// What an output queue keeps while it is not empty.
///
/// Small pieces of data lie in one contiguous block; an entry of type block_bytes stands for so
/// many bytes of it, and what no entry stands for comes last, so that any number of small pushes
/// makes one buffer to send and appending is all that a push does.
///
///     entries  [ 96 of block ][ string 70000 ][ producer ]   and then
///     block    |..sent..|======= 96 =======|===== 12 =====|
///              0        block_front        block_listed   size
struct output_storage {
    struct block_bytes {
        std::size_t count;
    };
    using shared_bytes = std::shared_ptr<const std::string>;
    using entry = std::variant<block_bytes, std::string, shared_bytes, std::unique_ptr<producer>>;

    fifo<entry> entries;
    byte_block block;
    std::size_t block_front = 0;  // bytes of the block that were sent
    std::size_t block_listed = 0; // bytes of the block that were sent or that entries stand for

    // Of the entry at the head:
    std::size_t head_sent = 0;     // bytes of a string that were sent
    std::string_view piece;        // what is left of a producer's piece
    std::size_t largest_piece = 0; // of a producer; 0: not asked yet

    std::size_t unlisted() const noexcept { return block.size() - block_listed; }
};

/// Storages that are not in use. A loop has one pool for all its channels, so that a channel with
/// nothing to send holds no memory, and sending allocates nothing in the steady state.
class output_pool {
public:
    ASYNCHAT_DECL std::unique_ptr<output_storage> take();
    /// Takes back, or frees, one that is empty.
    ASYNCHAT_DECL void give_back(std::unique_ptr<output_storage>& storage) noexcept;

    /// Where strings go that were sent, and those of frames come from: an echo of large frames uses
    /// the same memory again and again.
    string_pool& strings() noexcept { return strings_; }

private:
    // Bytes. Not a number of storages: a broadcast takes one for every channel.
    static constexpr std::size_t max_kept = 16 * 1024 * 1024;
    static constexpr std::size_t max_kept_block = 256 * 1024; // larger blocks are freed

    static std::size_t size_of(const output_storage& storage) noexcept
    {
        return sizeof storage + storage.block.capacity();
    }

    string_pool strings_;
    std::vector<std::unique_ptr<output_storage>> unused_;
    std::size_t kept_ = 0; // bytes of them
};

/// The output of a channel, first in, first out: bytes and producers. No I/O.
///
/// To send, see output_pump, or, without producers: gather() what can be sent now, send it, and
/// consume() what was taken.
/// Thread safety: none. Lifetime: the pool outlives the queue's last push.
class output_queue {
public:
    explicit output_queue(output_pool& pool) noexcept : pool_(&pool) {}

    bool is_empty() const noexcept { return !storage_; }

    /// Bytes that are waiting, without what producers have not made yet.
    std::size_t size() const noexcept { return size_; }

    /// Appends data; nothing at all when it is empty. A small string is copied even when it could
    /// be moved or shared: a buffer of its own would cost more.
    void push(std::string_view data)
    {
        if (!append(data))
            push_otherwise(data);
    }
    ASYNCHAT_DECL void push(std::string&& data);
    ASYNCHAT_DECL void push(std::shared_ptr<const std::string> data);
    ASYNCHAT_DECL void push(std::unique_ptr<producer> source);

    /// As push(), if there is other output already, and room for this behind it. Else, while
    /// pinned, and when it would be more than it is to watch for, does nothing and returns false.
    bool append(std::string_view data)
    {
        if (!storage_ || pinned_ || !storage_->block.append_in_room(data))
            return false;
        size_ += data.size();
        return true;
    }

    /// append() refuses what would make the queue larger than `bytes`. Lasts until the queue is
    /// empty; to be called again after each push() and each refusal. append() is no slower for it.
    void watch(std::size_t bytes) noexcept
    {
        if (storage_)
            storage_->block.stop_at(storage_->block.size() + (bytes > size_ ? bytes - size_ : 0));
    }

    /// True when a producer is at the head and its next piece is not known.
    bool waiting_producer() const noexcept
    {
        return storage_ && !storage_->entries.is_empty() && is_producer_next();
    }

    /// That producer.
    ASYNCHAT_DECL producer& head_producer() const noexcept;

    /// Takes it out, so that it survives whatever its more() does to the queue. Give
    /// the answer back to offer_piece() or drop_producer(), unless generation() changed meanwhile.
    ASYNCHAT_DECL std::unique_ptr<producer> take_producer();
    ASYNCHAT_DECL void offer_piece(std::unique_ptr<producer> source, std::string_view piece);
    ASYNCHAT_DECL void drop_producer();

    /// The largest piece that the producer at the head gave so far; 0 when it was not asked yet.
    std::size_t largest_piece() const noexcept { return storage_ ? storage_->largest_piece : 0; }

    /// Counts the calls of clear().
    unsigned generation() const noexcept { return generation_; }

    /// All that waits, if it lies in one piece, as it nearly always does; else nothing.
    std::string_view in_one_piece() const noexcept
    {
        return storage_ && storage_->entries.is_empty()
                   ? storage_->block.view(storage_->block_front)
                   : std::string_view();
    }

    /// Calls `sink(std::string_view)` for each buffer from the head on, up to `max_buffers` and
    /// `max_bytes`, or to a producer whose next piece is not known. Returns the bytes.
    template <class Sink>
    std::size_t gather(std::size_t max_buffers, std::size_t max_bytes, Sink&& sink) const;

    /// While pinned, what was shown stays where it is, whatever is pushed or cleared.
    void pin() noexcept
    {
        assert(!pinned_ && !pinned_storage_);
        pinned_ = true;
    }
    void unpin() noexcept
    {
        pinned_ = false;
        if (pinned_storage_)
            drop_pinned();
    }

    /// Drops the first `bytes` of what was shown.
    ASYNCHAT_DECL void consume(std::size_t bytes);

    /// Drops everything, producers included.
    ASYNCHAT_DECL void clear() noexcept;

private:
    [[gnu::cold]] ASYNCHAT_DECL void drop_pinned() noexcept;
    ASYNCHAT_DECL void push_otherwise(std::string_view data);
    void push_entry(output_storage::entry next, std::size_t bytes);
    void pop();
    ASYNCHAT_DECL bool is_producer_next() const noexcept;
    ASYNCHAT_DECL void consume_entries(std::size_t bytes);
    void drop_sent();
    void recycle_if_empty();
    ASYNCHAT_DECL bool adds_up() const noexcept; // for assertions

    output_pool* pool_;
    std::unique_ptr<output_storage> storage_;        // null when the queue is empty
    std::unique_ptr<output_storage> pinned_storage_; // dropped by clear() while pinned
    std::size_t size_ = 0;
    unsigned generation_ = 0;
    bool pinned_ = false;
};

template <class Sink>
std::size_t output_queue::gather(std::size_t max_buffers, std::size_t max_bytes, Sink&& sink) const
{
    std::size_t total = 0;
    if (!storage_ || max_buffers == 0 || max_bytes == 0)
        return total;
    const auto show = [&](std::string_view data) {
        data = data.substr(0, max_bytes - total);
        total += data.size();
        --max_buffers;
        sink(data);
        return max_buffers > 0 && total < max_bytes;
    };
    const auto rest = [](const std::string& data, std::size_t sent) {
        assert(sent <= data.size());
        return std::string_view(data.data() + sent, data.size() - sent);
    };
    std::size_t block_at = storage_->block_front;
    std::size_t head_sent = storage_->head_sent;
    for (const auto& entry : storage_->entries) {
        std::string_view data;
        if (const auto* bytes = std::get_if<output_storage::block_bytes>(&entry)) {
            data = {storage_->block.view(block_at).data(), bytes->count};
            block_at += bytes->count;
        } else if (const auto* own = std::get_if<std::string>(&entry)) {
            data = rest(*own, head_sent);
        } else if (const auto* shared = std::get_if<output_storage::shared_bytes>(&entry)) {
            data = rest(**shared, head_sent);
        } else {
            // What comes after a producer waits for its end.
            if (&entry == &*storage_->entries.begin() && !storage_->piece.empty())
                show(storage_->piece);
            return total;
        }
        if (!show(data))
            return total;
        head_sent = 0;
    }
    if (storage_->unlisted() > 0)
        show(storage_->block.view(storage_->block_listed));
    return total;
}

} // namespace asynchat::detail

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/output_queue.ipp>
#endif
#endif
