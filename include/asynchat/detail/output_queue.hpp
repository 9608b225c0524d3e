// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_OUTPUT_QUEUE_HPP
#define ASYNCHAT_DETAIL_OUTPUT_QUEUE_HPP

#include <asynchat/config.hpp>
#include <asynchat/fifo.hpp>
#include <asynchat/producer.hpp>

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
/// many bytes of it, so that any number of small pushes makes one entry and one buffer to send.
///
///     entries  [ 96 of block ][ string 70000 ][ producer ][ 12 of block ]
///     block    |..sent..|======= 96 =======|=12=|
///              0        block_front              size
struct output_storage {
    struct block_bytes {
        std::size_t count;
    };
    using shared_bytes = std::shared_ptr<const std::string>;
    using entry = std::variant<block_bytes, std::string, shared_bytes, std::unique_ptr<producer>>;

    fifo<entry> entries;
    std::string block;
    std::size_t block_front = 0; // bytes of the block that were sent
};

/// Storages that are not in use. A loop has one pool for all its channels, so that a channel with
/// nothing to send holds no memory, and sending allocates nothing in the steady state.
class output_pool {
public:
    ASYNCHAT_DECL std::unique_ptr<output_storage> take();
    ASYNCHAT_DECL void give_back(std::unique_ptr<output_storage> storage);

private:
    static constexpr std::size_t max_kept = 64;               // storages
    static constexpr std::size_t max_kept_block = 256 * 1024; // bytes; larger blocks are freed

    std::vector<std::unique_ptr<output_storage>> unused_;
};

/// The output of a channel, first in, first out: bytes and producers. No I/O.
///
/// Flow, for whoever sends:
///   1. while waiting_producer(): take_producer(), ask it, and offer_piece() or drop_producer();
///   2. gather() what can be sent now, send it, consume() what was taken.
/// Thread safety: none. Lifetime: the pool outlives the queue's last push.
class output_queue {
public:
    explicit output_queue(output_pool& pool) noexcept : pool_(&pool) {}

    bool is_empty() const noexcept { return !storage_; }

    /// Bytes that are waiting, without what producers have not made yet.
    std::size_t size() const noexcept { return size_; }

    /// Appends data; nothing at all when it is empty. A small string is copied even when it could
    /// be moved or shared: a buffer of its own would cost more.
    ASYNCHAT_DECL void push(std::string_view data);
    ASYNCHAT_DECL void push(std::string&& data);
    ASYNCHAT_DECL void push(std::shared_ptr<const std::string> data);
    ASYNCHAT_DECL void push(std::unique_ptr<producer> source);

    /// Calls `write(block)`, which may only append to the std::string, as if that were pushed.
    /// When it throws, nothing is appended.
    template <class Write>
    void push_written(Write&& write);

    /// True when a producer is at the head and its next piece is not known.
    ASYNCHAT_DECL bool waiting_producer() const noexcept;

    /// Takes that producer out, so that it survives whatever its more() does to the queue. Give
    /// the answer back to offer_piece() or drop_producer(), unless generation() changed meanwhile.
    ASYNCHAT_DECL std::unique_ptr<producer> take_producer();
    ASYNCHAT_DECL void offer_piece(std::unique_ptr<producer> source, std::string_view piece);
    ASYNCHAT_DECL void drop_producer();

    /// Counts the calls of clear().
    unsigned generation() const noexcept { return generation_; }

    /// Calls `sink(std::string_view)` for each buffer from the head on, up to `max_buffers` and
    /// `max_bytes`, or to a producer whose next piece is not known. Returns the bytes.
    template <class Sink>
    std::size_t gather(std::size_t max_buffers, std::size_t max_bytes, Sink&& sink) const;

    /// While pinned, what gather() showed stays where it is, whatever is pushed or dropped.
    void pin(bool on) noexcept
    {
        pinned_ = on;
        const auto dropped = std::move(pinned_storage_);
    }

    /// Drops the first `bytes` of what gather() showed.
    ASYNCHAT_DECL void consume(std::size_t bytes);

    /// Drops everything, producers included.
    ASYNCHAT_DECL void clear() noexcept;

private:
    output_storage& storage();
    ASYNCHAT_DECL void push_string(std::string data);
    void pop();

    output_pool* pool_;
    std::unique_ptr<output_storage> storage_;        // null when the queue is empty
    std::unique_ptr<output_storage> pinned_storage_; // dropped by clear() while pinned
    std::size_t size_ = 0;
    std::size_t head_sent_ = 0; // bytes of a string at the head that were sent
    std::string_view piece_;    // what is left of the piece of a producer at the head
    unsigned generation_ = 0;
    bool pinned_ = false;
};

template <class Write>
void output_queue::push_written(Write&& write)
{
    if (pinned_) {
        std::string apart;
        write(apart);
        push_string(std::move(apart));
        return;
    }
    std::string& block = storage().block;
    const std::size_t before = block.size();
    try {
        write(block);
    } catch (...) {
        block.resize(before);
        if (storage_->entries.is_empty())
            clear();
        throw;
    }
    const std::size_t added = block.size() - before;
    auto& entries = storage_->entries;
    if (added == 0) {
        if (entries.is_empty())
            clear();
        return;
    }
    size_ += added;
    if (!entries.is_empty()) {
        if (auto* tail = std::get_if<output_storage::block_bytes>(&entries.last())) {
            tail->count += added;
            return;
        }
    }
    entries.push(output_storage::block_bytes{added});
}

template <class Sink>
std::size_t output_queue::gather(std::size_t max_buffers, std::size_t max_bytes, Sink&& sink) const
{
    std::size_t total = 0;
    if (!storage_)
        return total;
    std::size_t block_at = storage_->block_front;
    bool at_head = true;
    for (const auto& entry : storage_->entries) {
        if (max_buffers-- == 0 || total == max_bytes)
            break;
        std::string_view data;
        if (const auto* bytes = std::get_if<output_storage::block_bytes>(&entry)) {
            data = std::string_view(storage_->block).substr(block_at, bytes->count);
            block_at += bytes->count;
        } else if (const auto* own = std::get_if<std::string>(&entry)) {
            data = *own;
        } else if (const auto* shared = std::get_if<output_storage::shared_bytes>(&entry)) {
            data = **shared;
        } else if (at_head) {
            data = piece_;
        }
        if (at_head)
            data.remove_prefix(head_sent_);
        if (data.empty())
            break; // a producer that has to be asked first
        data = data.substr(0, max_bytes - total);
        total += data.size();
        sink(data);
        if (std::holds_alternative<std::unique_ptr<producer>>(entry))
            break;
        at_head = false;
    }
    return total;
}

} // namespace asynchat::detail

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/output_queue.ipp>
#endif
#endif
