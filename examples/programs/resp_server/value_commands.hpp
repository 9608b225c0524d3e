// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_VALUE_COMMANDS_HPP
#define RESP_VALUE_COMMANDS_HPP

#include "resp_channel.hpp"
#include "store.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace resp {

// The commands about keys and values.
class value_commands : public resp_channel {
public:
    value_commands(asynchat::loop& loop, asynchat::socket peer, asynchat::loop::duration patience,
                   store& data)
        : resp_channel(loop, std::move(peer), patience), data_(data)
    {
    }

protected:
    // Of a small value the bytes are copied into the output, a large one is shared with it.
    void get(const request& words)
    {
        const hashed_key key(words[1]);
        if (!data_.lock(key)->read(key, [this](const auto& value) { push_bulk(value); }))
            push_null();
    }

    void set(const request& words)
    {
        const hashed_key key(words[1]);
        const std::string_view value = words[2];
        if (value.size() < smallest_shared) {
            data_.lock(key)->set_small(key, value);
        } else {
            text made = make_text(value); // not under the mutex
            data_.lock(key)->set(key, std::move(made));
        }
        push("+OK\r\n");
    }

    void del(const request& words)
    {
        std::int64_t removed = 0;
        for (std::size_t i = 1; i < words.size(); ++i) {
            const hashed_key key(words[i]);
            removed += data_.lock(key)->remove(key) ? 1 : 0;
        }
        push_integer(removed);
    }

    void incr(const request& words)
    {
        const hashed_key key(words[1]);
        const std::int64_t by = words.size() > 2 ? integer(words[2]) : 1;
        push_integer(data_.lock(key)->increment(key, by));
    }

    void mget(const request& words)
    {
        many_texts found;
        const auto add = [&found](const auto& value) {
            const text shared = as_text(value);
            found.count(shared->size());
            found.add(shared);
        };
        for (std::size_t i = 1; i < words.size(); ++i) {
            const hashed_key key(words[i]);
            const auto here = data_.lock(key);
            if (here->is_list(key) || !here->read(key, add))
                found.add(nullptr);
        }
        push_many(found);
    }

    void lpush(const request& words)
    {
        const hashed_key key(words[1]);
        std::vector<text> values;
        for (std::size_t i = 2; i < words.size(); ++i)
            values.push_back(make_text(words[i]));
        push_integer(size_of(data_.lock(key)->push_front(key, std::move(values))));
    }

    void lrange(const request& words)
    {
        const hashed_key key(words[1]);
        const std::int64_t first = integer(words[2]), last = integer(words[3]);
        const many_texts chosen = data_.lock(key)->range(key, first, last);
        push_many(chosen); // not under the mutex
    }

    void expire(const request& words)
    {
        using limits = std::numeric_limits<std::int64_t>;
        constexpr std::int64_t long_enough = std::int64_t{1} << 32; // seconds: more than a century
        constexpr std::int64_t most = limits::max() / 1000 - long_enough; // what Redis can count
        const hashed_key key(words[1]);
        const std::int64_t asked = integer(words[2]);
        if (asked > most || asked < -most)
            throw refused("ERR invalid expire time in 'expire' command");
        const std::chrono::seconds after(std::clamp(asked, -long_enough, long_enough));
        push_integer(data_.lock(key)->expire(key, after) ? 1 : 0);
    }

    static std::int64_t size_of(std::size_t size) { return static_cast<std::int64_t>(size); }

private:
    void push_many(const many_texts& values)
    {
        push_array(values.all().size());
        for (const text& value : values.all()) {
            if (value)
                push_bulk(value);
            else
                push_null();
        }
        if (values.all().size() > 100)
            end_turn(); // much work for few bytes, and the other clients wait
    }

    store& data_;
};

} // namespace resp

#endif
