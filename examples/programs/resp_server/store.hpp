// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_STORE_HPP
#define RESP_STORE_HPP

#include "shard.hpp"
#include "table.hpp"

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace resp {

// The keys and their values, for all loops. With several loops a key belongs to one of many shards,
// each behind a mutex of its own, so two loops seldom wait for each other. No request holds two of
// them.
class store {
    // On cache lines of its own: a mutex must not slow down that of its neighbour.
    struct alignas(128) place {
        explicit place(budget& memory) noexcept : data(memory) {}

        std::mutex mutex;
        shard data;
    };

public:
    // A shard, for this thread alone.
    class locked {
    public:
        locked(place& of, bool is_shared) : lock_(of.mutex, std::defer_lock), data_(of.data)
        {
            if (is_shared)
                lock_.lock();
            data_.drop_expired();
        }
        shard* operator->() const noexcept { return &data_; }

    private:
        std::unique_lock<std::mutex> lock_;
        shard& data_;
    };

    // A store of one thread needs no locks, and no second shard.
    store(std::size_t memory, bool is_shared) : memory_(memory), is_shared_(is_shared)
    {
        for (std::size_t n = is_shared ? most_shards : 1; n > 0; --n)
            places_.push_back(std::make_unique<place>(memory_));
    }

    // The shard of the key, until the result is destroyed. An answer may be pushed in the meantime,
    // as that only queues it.
    locked lock(const hashed_key& key)
    {
        // The tables use the low bits.
        constexpr std::size_t half = 4 * sizeof key.hash;
        return locked(*places_[(key.hash >> half) & (places_.size() - 1)], is_shared_);
    }

    struct numbers {
        std::size_t keys = 0, expiring = 0;
    };
    numbers count()
    {
        numbers all;
        for (const auto& each : places_) {
            const locked here(*each, is_shared_);
            all.keys += here->size();
            all.expiring += here->expiring();
        }
        return all;
    }

    const budget& memory() const noexcept { return memory_; }

private:
    static constexpr std::size_t most_shards = 64; // a power of 2

    budget memory_;
    const bool is_shared_;
    std::vector<std::unique_ptr<place>> places_;
};

} // namespace resp

#endif
