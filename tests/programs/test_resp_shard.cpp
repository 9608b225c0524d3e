// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/failing_allocations.hpp"

#include "resp_server/shard.hpp"

#include <chrono>
#include <cstddef>
#include <new>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

namespace {

std::string value_of(resp::shard& data, const resp::hashed_key& key)
{
    std::string found;
    data.read(key, [&found](const auto& value) { found = *resp::as_text(value); });
    return found;
}

} // namespace

TEST_CASE("shard: without memory a key keeps its value and its time, or has new ones")
{
    const std::string name(100, 'k');
    const resp::hashed_key key(name);
    resp::budget memory(1 << 20);
    const bool sets = GENERATE(false, true);
    bool has_failed = true;
    for (std::size_t n = 0; has_failed; ++n) {
        CAPTURE(sets, n);
        REQUIRE(n < 100);
        resp::shard data(memory);
        data.set_small(key, "old");
        data.expire(key, 1000s);
        const std::size_t used = memory.used();
        has_failed = support::fails_at(n, [&] {
            if (sets)
                data.set(key, resp::make_text("new"));
            else
                data.expire(key, 2000s);
        });
        const bool is_new = sets && !has_failed;
        CHECK(data.expiring() == (is_new ? 0 : 1));
        CHECK(value_of(data, key) == (is_new ? "new" : "old"));
        CHECK(memory.used() == used);
        CHECK(data.remove(key));
        CHECK(memory.used() == 0);
    }
}
