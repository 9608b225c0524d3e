// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_CHANNEL_STATE_HPP
#define ASYNCHAT_DETAIL_IO_CHANNEL_STATE_HPP

#include <asynchat/config.hpp>
#include <asynchat/fwd.hpp>

#include <cassert>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The heap_index of an element that is not in a timer_queue.
inline constexpr unsigned not_queued = std::numeric_limits<unsigned>::max();

/// A set of readiness values.
class readiness_set {
public:
    bool has(readiness what) const noexcept { return (bits_ & bit(what)) != 0; }
    void set(readiness what, bool on) noexcept
    {
        bits_ = static_cast<unsigned char>(on ? bits_ | bit(what) : bits_ & ~bit(what));
    }

private:
    static unsigned bit(readiness what) noexcept { return 1U << static_cast<unsigned>(what); }

    unsigned char bits_ = 0;
};

/// Blocks for operations that have no room in their channel, kept for the next one of this thread.
/// Asio's own memory has two places a thread: several channels that wait both ways would allocate
/// in each round.
class operation_blocks {
public:
    static constexpr std::size_t block_size =
        96; // a wait of Asio 1.22 to 1.38 with our handler fits

    static void* take()
    {
        if (gone() || !here().first_)
            return ::operator new(block_size);
        operation_blocks& kept = here();
        block* const first = std::exchange(kept.first_, kept.first_->next);
        --kept.count_;
        return first;
    }
    static void give_back(void* memory) noexcept
    {
        if (gone() || here().count_ == max_spare) {
            ::operator delete(memory);
            return;
        }
        operation_blocks& kept = here();
        kept.first_ = ::new (memory) block{kept.first_};
        ++kept.count_;
    }

private:
    struct block {
        block* next;
    };
    static constexpr unsigned max_spare = 256;

    operation_blocks() = default;
    ~operation_blocks()
    {
        gone() = true;
        while (first_)
            ::operator delete(std::exchange(first_, first_->next));
    }

    static operation_blocks& here() noexcept
    {
        static thread_local operation_blocks kept;
        return kept;
    }
    /// A loop with static storage ends after what belongs to its thread.
    static bool& gone() noexcept
    {
        static thread_local bool is_gone = false;
        return is_gone;
    }

    block* first_ = nullptr;
    unsigned count_ = 0;
};

/// Memory for one operation at a time. A second one has a block of its thread.
class operation_memory {
public:
    void* allocate(std::size_t size)
    {
        if (size > sizeof(space_))
            return size > operation_blocks::block_size ? ::operator new(size)
                                                       : operation_blocks::take();
        if (used_)
            return operation_blocks::take();
        used_ = true;
        return space_;
    }
    void deallocate(void* memory, std::size_t size) noexcept
    {
        if (memory == space_)
            used_ = false;
        else if (size > operation_blocks::block_size)
            ::operator delete(memory);
        else
            operation_blocks::give_back(memory);
    }

private:
    alignas(void*) unsigned char space_[88];
    bool used_ = false;
};

/// Decides whether a channel tries to receive again before it waits: less often while the attempts
/// find no input, and not while many channels are busy. The loop counts the inputs of all channels,
/// so the numbers of two inputs tell how many were served between them.
class speculation_policy {
public:
    /// The channel is made after input number `n`.
    explicit speculation_policy(unsigned n) noexcept : last_(n) {}

    /// Called after each input; this one is number `n`.
    bool is_due(unsigned n) noexcept
    {
        const unsigned others = n - std::exchange(last_, n);
        if (others > max_others)
            return false;
        if (skip_ == 0)
            return true;
        --skip_;
        return false;
    }
    void found_input() noexcept { next_skip_ = 2; }
    void found_nothing() noexcept
    {
        skip_ = next_skip_;
        if (next_skip_ < 64)
            next_skip_ = static_cast<unsigned char>(next_skip_ * 2);
    }

private:
    // The number of events that Asio's reactor fetches at a time. While more channels than that are
    // busy, a channel that tries again would be served before those that were not fetched yet.
    static constexpr unsigned max_others = 128;

    unsigned last_;
    unsigned char skip_ = 0;
    unsigned char next_skip_ = 2;
};

/// What has been called when a handshake begins, and what follows it.
enum class handshake_stage : unsigned char {
    none,      // no handshake is under way
    accepted,  // handle_open() follows
    connected, // handle_open() and handle_connect() follow
    started,   // the connection was in use before
    open_told  // handle_connect() follows
};

/// Whether the handshake belongs to connect(): handle_connect() waits for it.
constexpr bool is_of_connect(handshake_stage stage) noexcept
{
    return stage == handshake_stage::connected || stage == handshake_stage::open_told;
}

/// The state of a channel that its pending operations and its loop share with it.
///
/// Handlers hold this and never the channel, which may be gone when they run. `owned` is the loop's
/// ownership: set when the loop adopts the channel, reset when a closed one is destroyed.
/// The memory for the wait that nearly every channel has under way is a base, so that the first
/// members lie in its last bytes.
struct channel_state : operation_memory {
    readiness_set armed;       // waits under way on the present transport
    bool flush_listed : 1;     // on the loop's list of channels to flush
    bool hidden : 1;           // the channel belongs to the library
    bool lingers : 1;          // it keeps a lingering connection; such a channel is hidden
    bool try_again_listed : 1; // on the loop's list of channels to look at before they wait
    unsigned char opening : 3; // a handshake is under way, as a handshake_stage says
    bool parked : 1;           // idle in a pool: input ends it. In one byte with `opening`
    bool opening_listed : 1;   // on the loop's list of those that wait for their turn
    bool opening_counted : 1;  // by its server
    bool closed : 1;           // and still owned
    speculation_policy speculative_read; // asked after each input
    unsigned owners = 0;                 // state_ptrs
    unsigned index = 0;                  // place among the loop's channels
    unsigned number = 0;                 // of the channels that the loop adopted
    unsigned epoch = 0;                  // tells stale events apart; see connection() and layers()
    unsigned heap_index = not_queued;    // in the loop's queue, while a deadline is set
    std::shared_ptr<dispatcher> owned;

    /// After input number `n` of the loop.
    explicit channel_state(unsigned n) noexcept
        : flush_listed(false), hidden(false), lingers(false), try_again_listed(false), opening(0),
          parked(false), opening_listed(false), opening_counted(false), closed(false),
          speculative_read(n)
    {
    }

    /// The channel while it is open and owned by the loop; otherwise null.
    dispatcher* live() const noexcept { return closed ? nullptr : owned.get(); }

    /// The same, kept alive by the result.
    std::shared_ptr<dispatcher> channel() const noexcept { return closed ? nullptr : owned; }

    static constexpr unsigned max_layers = 31;

    /// Counts the transports of the channel, without the layers over them.
    unsigned connection() const noexcept { return epoch / (max_layers + 1); }

    /// The number of layers in the transport.
    unsigned layers() const noexcept { return epoch % (max_layers + 1); }

    void next_connection() noexcept { epoch += max_layers + 1; }
    void set_layers(unsigned n) noexcept
    {
        assert(n <= max_layers);
        epoch = epoch - layers() + n;
    }
};

/// Shared ownership of a channel_state. The count is not atomic, because all owners belong to the
/// thread of the loop.
class state_ptr {
public:
    state_ptr() noexcept = default;
    explicit state_ptr(channel_state* state) noexcept : state_(state)
    {
        if (state_)
            ++state_->owners;
    }
    state_ptr(const state_ptr& other) noexcept : state_ptr(other.state_) {}
    state_ptr(state_ptr&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    state_ptr& operator=(state_ptr other) noexcept
    {
        std::swap(state_, other.state_);
        return *this;
    }
    ~state_ptr()
    {
        if (state_ && --state_->owners == 0)
            destroy(state_);
    }

    /// Takes over what release() has given away.
    static state_ptr adopt(channel_state* state) noexcept
    {
        state_ptr taken;
        taken.state_ = state;
        return taken;
    }
    [[nodiscard]] channel_state* release() noexcept { return std::exchange(state_, nullptr); }

    channel_state* get() const noexcept { return state_; }
    channel_state& operator*() const noexcept { return *state_; }
    channel_state* operator->() const noexcept { return state_; }

private:
    // Not inlined: g++ 12 would warn of a use after the delete, because it does not see that the
    // count is not yet 0 there.
    [[gnu::noinline]] static void destroy(channel_state* state) { delete state; }

    channel_state* state_ = nullptr;
};

/// Allocates an operation in the state of its channel.
template <class T>
class operation_allocator {
public:
    using value_type = T;

    explicit operation_allocator(state_ptr state) noexcept : state_(std::move(state)) {}
    template <class U>
    operation_allocator(const operation_allocator<U>& other) noexcept : state_(other.state_)
    {
    }

    T* allocate(std::size_t n) { return static_cast<T*>(state_->allocate(n * sizeof(T))); }
    void deallocate(T* memory, std::size_t n) noexcept
    {
        state_->deallocate(memory, n * sizeof(T));
    }

    template <class U>
    bool operator==(const operation_allocator<U>& other) const noexcept
    {
        return state_.get() == other.state_.get();
    }
    template <class U>
    bool operator!=(const operation_allocator<U>& other) const noexcept
    {
        return !(*this == other);
    }

private:
    template <class U>
    friend class operation_allocator;

    state_ptr state_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
