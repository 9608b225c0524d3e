// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_STORE_HPP
#define RESP_STORE_HPP

#include "shard.hpp"
#include "table.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>

namespace resp {

// The keys and their values, for all loops. A key belongs to one of many shards, each behind a
// mutex of its own, so two loops seldom wait for each other. No request holds two of them.
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
        explicit locked(place& of) : lock_(of.mutex), data_(of.data) { data_.drop_expired(); }
        shard* operator->() const noexcept { return &data_; }

    private:
        const std::lock_guard<std::mutex> lock_;
        shard& data_;
    };

    explicit store(std::size_t memory) : memory_(memory)
    {
        for (auto& each : places_)
            each = std::make_unique<place>(memory_);
    }

    // The shard of the key, until the result is destroyed. An answer may be pushed in the meantime,
    // as that only queues it.
    locked lock(const hashed_key& key)
    {
        constexpr auto low_bits = 8 * sizeof key.hash - shard_bits; // which the tables use
        return locked(*places_[key.hash >> low_bits]);
    }

    struct numbers {
        std::size_t keys = 0, expiring = 0;
    };
    numbers count()
    {
        numbers all;
        for (const auto& each : places_) {
            const locked here(*each);
            all.keys += here->size();
            all.expiring += here->expiring();
        }
        return all;
    }

    const budget& memory() const noexcept { return memory_; }

private:
    static constexpr std::size_t shard_bits = 6;

    budget memory_;
    std::array<std::unique_ptr<place>, std::size_t{1} << shard_bits> places_;
};

} // namespace resp

#endif
