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

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

class output_pool;

/// The storage of an output queue that is not empty.
///
/// Small pieces of data are stored in one contiguous block. An entry of type block_bytes stands for
/// a number of bytes of the block. Bytes of the block without an entry come last. So a small push
/// only appends to the block, and any number of small pushes makes one buffer to send.
///
///     entries  [ 96 of block ][ string 70000 ][ producer ]   then the rest of the block
///     block    |..sent..|======= 96 =======|===== 12 =====|
///              0        block_front        block_listed   size
struct output_storage {
    struct block_bytes {
        std::size_t count;
    };
    using shared_bytes = std::shared_ptr<const std::string>;
    using entry = std::variant<block_bytes, std::string, shared_bytes, std::unique_ptr<producer>>;

    /// Whether it outlives clear(), and whether the block must stay where it is.
    enum class hold : unsigned char { none, kept, pinned };

    explicit output_storage(output_pool& from) noexcept : pool(&from) {}

    fifo<entry> entries;
    byte_block block;
    output_pool* pool;
    hold held = hold::none;       // see output_queue::hold()
    std::size_t block_front = 0;  // bytes of the block that were sent
    std::size_t block_listed = 0; // bytes of the block that were sent or that entries stand for

    // For the entry at the head:
    std::size_t head_sent = 0;     // bytes of a string that were sent
    std::string_view piece;        // the rest of a producer's piece
    std::size_t largest_piece = 0; // of a producer; 0: not called yet

    std::size_t unlisted() const noexcept { return block.size() - block_listed; }
};

/// The unused storages. A loop has one pool for all its channels: a channel without output holds no
/// memory, and sending allocates nothing in the steady state.
class output_pool {
public:
    ASYNCHAT_DECL std::unique_ptr<output_storage> take();
    /// Takes an empty storage back, or frees it.
    ASYNCHAT_DECL void give_back(std::unique_ptr<output_storage>& storage) noexcept;

    /// The pool for sent strings. Strings for frames come from it, so an echo of large frames
    /// reuses its memory.
    string_pool& strings() noexcept { return strings_; }

private:
    // In bytes, not a number of storages: a broadcast uses one storage for every channel.
    static constexpr std::size_t max_kept = 16 * 1024 * 1024;
    static constexpr std::size_t max_kept_block = 1024 * 1024; // larger blocks are freed

    static std::size_t size_of(const output_storage& storage) noexcept
    {
        return sizeof storage + storage.block.capacity();
    }

    [[gnu::cold]] ASYNCHAT_DECL std::unique_ptr<output_storage> make();

    string_pool strings_;
    std::vector<std::unique_ptr<output_storage>> unused_;
    std::size_t kept_ = 0; // bytes of these storages
};

/// The output of a channel, first in, first out: bytes and producers. No I/O.
///
/// To send, see output_pump. Without producers: gather() the buffers, send them, and consume() the
/// bytes that were taken. All pushes get the same pool, for its storage: an empty queue has none.
/// Thread safety: none. Lifetime: the pool outlives the output.
class output_queue {
    // Below this size a copy is cheaper than a separate buffer, which the system has to process.
    static constexpr std::size_t min_moved_size = 2048;

public:
    output_queue() = default;

    bool is_empty() const noexcept { return !storage_; }

    /// The number of waiting bytes, without the future output of producers.
    std::size_t size() const noexcept { return size_; }

    /// Appends data; does nothing for empty data. A small string is copied even when it could be
    /// moved or shared, because a separate buffer would cost more.
    void push(output_pool& pool, std::string_view data)
    {
        if (!append(data))
            queue_first(pool, data);
    }
    ASYNCHAT_DECL void push(output_pool& pool, std::string&& data);
    ASYNCHAT_DECL void push(output_pool& pool, std::shared_ptr<const std::string> data);
    ASYNCHAT_DECL void push(output_pool& pool, std::unique_ptr<producer> source);

    /// As push(), if there is output already and the block has room. Otherwise, while pinned, and
    /// when the queue would pass its watched size, does nothing and returns false.
    bool append(std::string_view data)
    {
        if (!storage_ || is_pinned() || !storage_->block.append_in_room(data))
            return false;
        size_ += data.size();
        return true;
    }

    /// The same for a string that is small enough to be copied, whose memory goes to the pool: it
    /// is left empty.
    bool append(std::string&& data)
    {
        if (data.size() >= min_moved_size || !append(std::string_view(data)))
            return false;
        storage_->pool->strings().give_back(data);
        return true;
    }

    /// Makes append() refuse data that would make the queue larger than `bytes`. The limit lasts
    /// until the queue is empty; call this again after each push() and each refusal. append() does
    /// not get slower.
    void watch(std::size_t bytes) noexcept
    {
        if (storage_)
            storage_->block.stop_at(storage_->block.size() + (bytes > size_ ? bytes - size_ : 0));
    }

    /// True when a producer is at the head and must be called for its next piece.
    bool waiting_producer() const noexcept
    {
        return storage_ && !storage_->entries.is_empty() && is_producer_next();
    }

    /// The producer at the head.
    ASYNCHAT_DECL producer& head_producer() const noexcept;

    /// Takes it out, so that its more() may change the queue without destroying it. Then call
    /// offer_piece() or drop_producer(), unless clear() was called: see hold().
    ASYNCHAT_DECL std::unique_ptr<producer> take_producer();
    ASYNCHAT_DECL void offer_piece(std::unique_ptr<producer> source, std::string_view piece);
    ASYNCHAT_DECL void drop_producer();

    /// The largest piece of the producer at the head so far; 0 when it was not called yet.
    std::size_t largest_piece() const noexcept { return storage_ ? storage_->largest_piece : 0; }

    /// All waiting bytes if they are one piece, which is nearly always so; otherwise an empty view.
    std::string_view in_one_piece() const noexcept
    {
        return storage_ && storage_->entries.is_empty()
                   ? storage_->block.view(storage_->block_front)
                   : std::string_view();
    }

    /// Calls `sink(std::string_view)` for each buffer from the head on, up to `max_buffers` and
    /// `max_bytes`, or to a producer whose next piece is not known. Returns the number of bytes.
    template <class Sink>
    std::size_t gather(std::size_t max_buffers, std::size_t max_bytes, Sink&& sink) const;

    /// The storage, which clear() then only takes out of the queue. Call let_go() with it in any
    /// case. If it is pinned, the views of gather() stay valid until then, also after a push.
    output_storage& hold(output_storage::hold how) noexcept
    {
        assert(storage_ && storage_->held == output_storage::hold::none);
        storage_->held = how;
        return *storage_;
    }

    /// Returns false if clear() was called meanwhile.
    [[gnu::always_inline]] bool let_go(output_storage& held) noexcept
    {
        if (storage_.get() != &held)
            return drop_held(held);
        held.held = output_storage::hold::none;
        return true;
    }

    /// Drops the first `bytes` bytes of the views of gather().
    ASYNCHAT_DECL void consume(std::size_t bytes);

    /// Drops everything, producers included.
    ASYNCHAT_DECL void clear() noexcept;

private:
    inline std::string_view bytes_of(const output_storage::entry& entry, std::size_t& block_at,
                                     std::size_t sent) const;
    bool is_pinned() const noexcept { return storage_->held == output_storage::hold::pinned; }
    [[gnu::cold]] ASYNCHAT_DECL static bool drop_held(output_storage& held) noexcept;
    ASYNCHAT_DECL void queue_first(output_pool& pool, std::string_view data);
    void push_entry(output_pool& pool, output_storage::entry&& next, std::size_t bytes);
    void pop();
    ASYNCHAT_DECL bool is_producer_next() const noexcept;
    ASYNCHAT_DECL void consume_entries(std::size_t bytes);
    void drop_sent();
    void recycle_if_empty();
    ASYNCHAT_DECL bool adds_up() const noexcept; // for assertions

    std::unique_ptr<output_storage> storage_; // null when the queue is empty
    std::size_t size_ = 0;
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
    std::size_t block_at = storage_->block_front;
    std::size_t head_sent = storage_->head_sent;
    for (const auto& entry : storage_->entries) {
        if (std::holds_alternative<std::unique_ptr<producer>>(entry)) {
            // Output behind a producer waits for its end.
            if (&entry == &*storage_->entries.begin() && !storage_->piece.empty())
                show(storage_->piece);
            return total;
        }
        if (!show(bytes_of(entry, block_at, std::exchange(head_sent, 0))))
            return total;
    }
    if (storage_->unlisted() > 0)
        show(storage_->block.view(storage_->block_listed));
    return total;
}

/// The bytes of an entry that is no producer, without those that were sent. Moves `block_at` on.
inline std::string_view output_queue::bytes_of(const output_storage::entry& entry,
                                               std::size_t& block_at, std::size_t sent) const
{
    if (const auto* bytes = std::get_if<output_storage::block_bytes>(&entry)) {
        const char* const data = storage_->block.view(block_at).data();
        block_at += bytes->count;
        return {data, bytes->count};
    }
    const auto* const shared = std::get_if<output_storage::shared_bytes>(&entry);
    const std::string& data = shared ? **shared : *std::get_if<std::string>(&entry);
    assert(sent <= data.size());
    return {data.data() + sent, data.size() - sent};
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/output_queue.ipp>
#endif
#endif
