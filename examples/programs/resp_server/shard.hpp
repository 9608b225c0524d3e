// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_SHARD_HPP
#define RESP_SHARD_HPP

#include "table.hpp"
#include "text.hpp"

#include <asynchat/number.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace resp {

// The memory that all shards together may use.
class budget {
public:
    explicit budget(std::size_t most) noexcept : most_(most) {}

    // In any thread. Takes nothing and returns false when there is not enough.
    bool take(std::size_t bytes) noexcept
    {
        if (used_.fetch_add(bytes) + bytes <= most_)
            return true;
        give_back(bytes);
        return false;
    }
    void give_back(std::size_t bytes) noexcept { used_ -= bytes; }

    std::size_t used() const noexcept { return used_; }
    std::size_t most() const noexcept { return most_; }

private:
    std::atomic<std::size_t> used_{0};
    const std::size_t most_;
};

// Some keys and their values, which are texts or lists of them. Knows no threads and no sockets.
class shard {
public:
    explicit shard(budget& memory) noexcept : memory_(memory) {}

    std::size_t size() const noexcept { return entries_.size(); }
    std::size_t expiring() const noexcept { return due_.size(); }

    // To be called before anything else, as no key must outlive its time.
    void drop_expired()
    {
        if (due_.empty())
            return;
        const auto now = clock::now();
        while (!due_.empty() && due_.begin()->first <= now)
            remove(hashed_key(std::string(due_.begin()->second)));
    }

    bool is_list(const hashed_key& key)
    {
        entry* const found = entries_.find(key);
        return found && std::holds_alternative<std::unique_ptr<list>>(found->value);
    }

    // Calls `f` with the text, as a std::string_view or a shared text. Returns false if there is no
    // such key.
    template <class F>
    bool read(const hashed_key& key, F f)
    {
        entry* const found = entries_.find(key);
        if (!found)
            return false;
        if (const auto* const here = std::get_if<std::string>(&found->value))
            f(std::string_view(*here));
        else
            f(value_of<text>(*found));
        return true;
    }

    // A small text lies in the entry itself.
    void set_small(const hashed_key& key, std::string_view value)
    {
        entry& here = resize(key, value.size());
        here.value = std::string(value);
        never_expire(key, here);
    }
    void set(const hashed_key& key, text value)
    {
        entry& here = resize(key, value->size());
        here.value = std::move(value);
        never_expire(key, here);
    }

    bool remove(const hashed_key& key)
    {
        entry* const found = entries_.find(key);
        if (!found)
            return false;
        never_expire(key, *found);
        memory_.give_back(found->bytes);
        entries_.erase(key);
        return true;
    }

    std::int64_t increment(const hashed_key& key, std::int64_t by)
    {
        using limits = std::numeric_limits<std::int64_t>;
        entry* const found = entries_.find(key);
        const auto before = found ? integer_in(*found) : asynchat::parsed_integer(0);
        if (!before)
            throw refused("ERR value is not an integer or out of range");
        if (by > 0 ? *before > limits::max() - by : *before < limits::min() - by)
            throw refused("ERR increment or decrement would overflow");
        const std::string after = std::to_string(*before + by);
        resize(key, after.size()).value = after;
        return *before + by;
    }

    // Returns the length of the list then.
    std::size_t push_front(const hashed_key& key, std::vector<text> values)
    {
        entry* const found = entries_.find(key);
        std::size_t size = found ? found->bytes - cost_of(key) : 0;
        if (found)
            list_of(*found); // throws for a text
        for (const text& value : values)
            size += cost_of(value);
        entry& here = resize(key, size);
        if (!found)
            here.value = std::make_unique<list>();
        list& grown = list_of(here);
        for (text& value : values)
            grown.push_front(std::move(value));
        return grown.size();
    }

    // Throws too_large before anything is copied.
    many_texts range(const hashed_key& key, std::int64_t first, std::int64_t last)
    {
        entry* const found = entries_.find(key);
        if (!found)
            return {};
        const list& all = list_of(*found);
        const auto size = static_cast<std::int64_t>(all.size());
        first = std::max<std::int64_t>(first < 0 ? first + size : first, 0);
        last = std::min(last < 0 ? last + size : last, size - 1);
        many_texts chosen;
        for (std::int64_t i = first; i <= last; ++i)
            chosen.count(all[static_cast<std::size_t>(i)]->size());
        for (std::int64_t i = first; i <= last; ++i)
            chosen.add(all[static_cast<std::size_t>(i)]);
        return chosen;
    }

    bool expire(const hashed_key& key, std::chrono::seconds after)
    {
        entry* const found = entries_.find(key);
        if (!found)
            return false;
        if (after <= std::chrono::seconds::zero())
            return remove(key);
        never_expire(key, *found);
        found->expires = clock::now() + after;
        due_.emplace(found->expires, key.bytes);
        return true;
    }

private:
    using clock = std::chrono::steady_clock;
    using list = std::deque<text>;

    struct entry {
        std::variant<std::string, text, std::unique_ptr<list>> value; // small, large, or a list
        clock::time_point expires = clock::time_point::max();
        std::size_t bytes = 0; // of memory, roughly
    };

    // What the tables, and the headers of the allocator, need beside the bytes themselves. A key
    // may be in two tables.
    static std::size_t cost_of(const hashed_key& key) noexcept
    {
        return 2 * key.bytes.size() + 256;
    }
    static std::size_t cost_of(const text& value) noexcept { return value->size() + 80; }

    static asynchat::parsed_integer integer_in(entry& of)
    {
        const auto* const here = std::get_if<std::string>(&of.value);
        return asynchat::parse_integer(here ? *here : *value_of<text>(of));
    }
    static list& list_of(entry& of) { return *value_of<std::unique_ptr<list>>(of); }

    template <class T>
    static T& value_of(entry& of)
    {
        if (T* const value = std::get_if<T>(&of.value))
            return *value;
        throw refused("WRONGTYPE Operation against a key holding the wrong kind of value");
    }

    // The entry of the key, made if need be, for a value of so many bytes.
    entry& resize(const hashed_key& key, std::size_t bytes)
    {
        entry* found = entries_.find(key);
        const std::size_t before = found ? found->bytes : 0;
        const std::size_t after = cost_of(key) + bytes;
        if (after > before && !memory_.take(after - before))
            throw refused("OOM the store is full");
        if (after < before)
            memory_.give_back(before - after);
        if (!found)
            found = &entries_.insert(key);
        found->bytes = after;
        return *found;
    }

    void never_expire(const hashed_key& key, entry& of)
    {
        if (of.expires == clock::time_point::max())
            return;
        due_.erase({of.expires, std::string(key.bytes)});
        of.expires = clock::time_point::max();
    }

    table<entry> entries_;
    std::set<std::pair<clock::time_point, std::string>> due_; // the keys that expire
    budget& memory_;
};

} // namespace resp

#endif
