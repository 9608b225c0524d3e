// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_SHARD_HPP
#define RESP_SHARD_HPP

#include "budget.hpp"
#include "table.hpp"
#include "text.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace resp {

// Some keys and their values, which are texts or lists of them. Knows no threads and no sockets.
class shard {
public:
    explicit shard(budget& memory) noexcept : memory_(memory) {}

    std::size_t size() const noexcept { return entries_.size(); }
    std::size_t expiring() const noexcept { return due_.size(); }

    // To be called from time to time. Each call does little, however many keys are due at once; a
    // key whose time is over counts as absent from then on, dropped or not.
    void drop_expired()
    {
        if (due_.empty())
            return;
        const auto now = clock::now();
        for (int left = most_dropped; left > 0 && !due_.empty() && due_.begin()->first <= now;
             --left) {
            const std::string name = due_.begin()->second;
            const hashed_key key(name);
            drop(key, *entries_.find(key));
        }
    }

    bool is_list(const hashed_key& key)
    {
        entry* const found = find(key);
        return found && std::holds_alternative<list>(found->value);
    }

    // Calls `f` with the text, as a std::string_view or a shared text. Returns false if there is no
    // such key.
    template <class F>
    bool read(const hashed_key& key, F f)
    {
        entry* const found = find(key);
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
        std::string made(value); // which may throw, so before the entry is changed
        entry& here = resize(key, find(key), value.size());
        put(here, std::move(made));
        never_expire(key, here);
    }
    void set(const hashed_key& key, text value)
    {
        entry& here = resize(key, find(key), value->size());
        here.value = std::move(value);
        never_expire(key, here);
    }

    bool remove(const hashed_key& key)
    {
        entry* const found = find(key);
        if (found)
            drop(key, *found);
        return found != nullptr;
    }

    std::int64_t increment(const hashed_key& key, std::int64_t by)
    {
        using limits = std::numeric_limits<std::int64_t>;
        entry* const found = find(key);
        const std::int64_t before = found ? integer_in(*found) : 0;
        if (by > 0 ? before > limits::max() - by : before < limits::min() - by)
            throw refused("ERR increment or decrement would overflow");
        std::string after = std::to_string(before + by);
        put(resize(key, found, after.size()), std::move(after));
        return before + by;
    }

    // Returns the length of the list then.
    std::size_t push_front(const hashed_key& key, std::vector<text> values)
    {
        entry* const found = find(key);
        const std::size_t before = found ? found->bytes - cost_of(key) : 0;
        std::size_t size = before;
        if (found)
            value_of<list>(*found); // throws for a text
        for (const text& value : values)
            size += cost_of(value);
        entry& here = resize(key, found, size);
        if (!found)
            here.value = list();
        list& grown = value_of<list>(here);
        try {
            make_room(grown, values.size());
        } catch (const std::bad_alloc&) {
            if (found)
                resize(key, found, before);
            else
                drop(key, here);
            throw;
        }
        std::move(values.begin(), values.end(), std::back_inserter(grown));
        return grown.size();
    }

    // Throws too_large before anything is copied.
    many_texts range(const hashed_key& key, std::int64_t first, std::int64_t last)
    {
        entry* const found = find(key);
        if (!found)
            return {};
        const list& all = value_of<list>(*found);
        const auto size = static_cast<std::int64_t>(all.size());
        first = std::max<std::int64_t>(first < 0 ? first + size : first, 0);
        last = std::min(last < 0 ? last + size : last, size - 1);
        many_texts chosen;
        const auto at = [&](std::int64_t i) -> const text& {
            return all[static_cast<std::size_t>(size - 1 - i)];
        };
        for (std::int64_t i = first; i <= last; ++i)
            chosen.count(at(i)->size());
        for (std::int64_t i = first; i <= last; ++i)
            chosen.add(at(i));
        return chosen;
    }

    bool expire(const hashed_key& key, std::chrono::seconds after)
    {
        entry* const found = find(key);
        if (!found)
            return false;
        if (after <= std::chrono::seconds::zero())
            return remove(key);
        const auto when = clock::now() + after;
        if (found->expires == never) {
            due_.emplace(when, key.bytes);
        } else {
            auto place = due_.extract(place_of(key, *found));
            place.value().first = when;
            due_.insert(std::move(place));
        }
        found->expires = when;
        return true;
    }

private:
    using clock = std::chrono::steady_clock;
    static constexpr auto never = clock::time_point::max();

    using list = std::vector<text>; // its first value is at the end

    // A request drops a key more than it can add, so there are fewer of them with time. One with
    // thousands of keys does so for each.
    static constexpr int most_dropped = 2;

    struct entry {
        std::variant<std::string, text, list> value; // small, large, or a list
        clock::time_point expires = never;
        std::size_t bytes = 0; // of memory, roughly
    };

    // What the tables, and the headers of the allocator, need beside the bytes themselves. A key
    // may be in two tables.
    static std::size_t cost_of(const hashed_key& key) noexcept
    {
        return 2 * key.bytes.size() + 256;
    }
    // Of a value in a list, whose array may be half empty.
    static std::size_t cost_of(const text& value) noexcept { return value->size() + 128; }

    static std::int64_t integer_in(entry& of)
    {
        const auto* const here = std::get_if<std::string>(&of.value);
        return integer(here ? *here : *value_of<text>(of));
    }

    template <class T>
    static T& value_of(entry& of)
    {
        if (T* const value = std::get_if<T>(&of.value))
            return *value;
        throw refused("WRONGTYPE Operation against a key holding the wrong kind of value");
    }

    // Not by assignment: that would keep the array of a longer text, which is not counted any more.
    static void put(entry& into, std::string value)
    {
        into.value.emplace<std::string>(std::move(value));
    }

    // Not for each value anew.
    static void make_room(list& in, std::size_t more)
    {
        if (in.capacity() - in.size() < more)
            in.reserve(std::max(in.size() + more, 2 * in.size()));
    }

    // Null if there is none, or its time is over.
    entry* find(const hashed_key& key)
    {
        entry* const found = entries_.find(key);
        if (!found || found->expires == never || found->expires > clock::now())
            return found;
        drop(key, *found);
        return nullptr;
    }

    void drop(const hashed_key& key, entry& which)
    {
        never_expire(key, which);
        memory_.give_back(which.bytes);
        entries_.erase(key);
    }

    // The entry of the key, made if there is none yet, for a value of so many bytes. If it throws
    // nothing has changed; it does not for fewer bytes than before.
    entry& resize(const hashed_key& key, entry* found, std::size_t bytes)
    {
        const std::size_t before = found ? found->bytes : 0;
        const std::size_t after = cost_of(key) + bytes;
        if (after > before && !memory_.take(after - before))
            throw refused("OOM the store is full");
        if (after < before)
            memory_.give_back(before - after);
        if (!found)
            found = &insert(key, after);
        found->bytes = after;
        return *found;
    }

    // Gives the memory back that was taken for it if there is none.
    entry& insert(const hashed_key& key, std::size_t taken)
    {
        try {
            return entries_.insert(key);
        } catch (const std::bad_alloc&) {
            memory_.give_back(taken);
            throw;
        }
    }

    // Finds a place without a copy of the key, for which there could be no memory.
    struct earlier {
        using is_transparent = void;
        using place = std::pair<clock::time_point, std::string_view>;
        bool operator()(const place& a, const place& b) const noexcept { return a < b; }
    };
    using due_keys = std::set<std::pair<clock::time_point, std::string>, earlier>;

    due_keys::iterator place_of(const hashed_key& key, const entry& of)
    {
        return due_.find(std::pair(of.expires, key.bytes));
    }

    void never_expire(const hashed_key& key, entry& of) noexcept
    {
        if (of.expires == never)
            return;
        due_.erase(place_of(key, of));
        of.expires = never;
    }

    table<entry> entries_;
    due_keys due_;
    budget& memory_;
};

} // namespace resp

#endif
