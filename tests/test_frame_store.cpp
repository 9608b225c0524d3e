// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/detail/framing/frame_store.hpp>
#include <asynchat/detail/output/string_pool.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

using asynchat::detail::frame_store;
using asynchat::detail::string_pool;

// --- the bytes of a frame ------------------------------------------------------------------------

TEST_CASE("frame_store: appends", "[unit][decoder]")
{
    string_pool pool;
    frame_store store;
    CHECK(store.is_empty());
    store.begin(pool, 100);
    CHECK(store.size() == 0);
    CHECK(store.unfilled() == 0);
    store.append("abc", 100);
    store.append("", 97);
    store.append("de", 97);
    CHECK(store.size() == 5);
    CHECK_FALSE(store.is_empty());
    CHECK(store.take(pool) == "abcde");
    CHECK(store.is_empty());
    CHECK(store.size() == 0);
}

TEST_CASE("frame_store: what was left in its memory is never shown", "[unit][decoder]")
{
    string_pool pool;
    std::string left(100000, 'x');
    pool.give_back(left);
    frame_store store;
    store.begin(pool, 90000);
    CHECK(store.size() == 0);
    CHECK(store.unfilled() == 100000);
    store.append("abc", 90000);
    CHECK(store.size() == 3);
    CHECK(store.unfilled() == 99997);
    SECTION("taken early")
    {
        CHECK(store.take(pool) == "abc");
        CHECK(store.unfilled() == 0);
    }
    SECTION("filled in place")
    {
        const auto space = store.space_for(10, 89997);
        CHECK(space.size == 99997); // what is there already
        std::fill_n(space.data, 4, 'y');
        store.filled(4);
        CHECK(store.size() == 7);
        store.filled(0);
        CHECK(store.space_for(10, 89993).data == space.data + 4);
        store.append("z", 89993);
        CHECK(store.take(pool) == "abcyyyyz");
    }
    SECTION("more than there is room for")
    {
        const std::string large(99998, 'z');
        store.append(large, large.size());
        CHECK(store.unfilled() == 0);
        CHECK(store.size() == 100001);
        CHECK(store.take(pool) == "abc" + large);
    }
    SECTION("just what there is room for")
    {
        const std::string large(99997, 'z');
        store.append(large, large.size());
        CHECK(store.unfilled() == 0);
        CHECK(store.take(pool) == "abc" + large);
    }
    SECTION("cleared")
    {
        store.clear();
        CHECK(store.is_empty());
        CHECK(store.unfilled() == 0);
        store.begin(pool, 1);
        store.append("q", 1);
        CHECK(store.take(pool) == "q");
    }
}

TEST_CASE("frame_store: what was left in small memory is never shown either", "[unit][decoder]")
{
    string_pool pool;
    std::string left(100, 'x');
    pool.give_back(left);
    CHECK(left.empty());
    frame_store store;
    SECTION("appended over it")
    {
        store.begin(pool, 90);
        CHECK(store.size() == 0);
        store.append("abc", 90);
        store.append("de", 87);
        CHECK(store.take(pool) == "abcde");
    }
    SECTION("filled in place, and more than is there")
    {
        store.begin(pool, 120);
        store.append("abc", 120);
        const auto space = store.space_for(110, 117);
        CHECK(space.size == 110);
        std::fill_n(space.data, 110, 'y');
        store.filled(110);
        CHECK(store.take(pool) == "abc" + std::string(110, 'y'));
    }
    SECTION("put back over it")
    {
        store.put_back(pool, "abc");
        CHECK(store.size() == 3);
        CHECK(store.unfilled() == 0);
        CHECK(store.take(pool) == "abc");
    }
    CHECK(store.is_empty());
}

TEST_CASE("frame_store: filled in place, and appended behind that", "[unit][decoder]")
{
    string_pool pool;
    frame_store store;
    store.begin(pool, 20);
    store.append("ab", 20);
    const auto space = store.space_for(8, 18);
    CHECK(space.size == 8);
    CHECK(store.size() == 2);
    std::copy_n("cdef", 4, space.data);
    store.filled(3); // of four, one is not of the frame
    CHECK(store.size() == 5);
    CHECK(store.unfilled() == 5);
    store.append("ghijkl", 15); // does not fit into the five
    CHECK(store.size() == 11);
    CHECK(store.take(pool) == "abcdeghijkl");

    store.put_back(pool, "mno");
    CHECK(store.size() == 3);
    CHECK(store.unfilled() == 0);
    store.append("p", 1);
    CHECK(store.take(pool) == "mnop");
}

TEST_CASE("frame_store: set aside, until it is taken or cleared", "[unit][decoder]")
{
    string_pool pool;
    frame_store store;
    store.put_back(pool, "abc");
    CHECK_FALSE(store.is_set_aside());
    store.set_aside(true);
    CHECK(store.is_set_aside());
    CHECK(store.size() == 3);
    store.set_aside(false);
    CHECK_FALSE(store.is_set_aside());
    store.set_aside(true);
    CHECK(store.take(pool) == "abc");
    CHECK_FALSE(store.is_set_aside());
    store.put_back(pool, "d");
    store.set_aside(true);
    store.clear();
    CHECK_FALSE(store.is_set_aside());
    store.put_back(pool, "e");
    store.set_aside(true);
    store.give_back(pool);
    CHECK_FALSE(store.is_set_aside());
    CHECK(store.is_empty());
}

TEST_CASE("frame_store: gives its memory back", "[unit][decoder]")
{
    string_pool pool;
    frame_store store;
    store.begin(pool, 100000);
    store.append(std::string(100000, 'a'), 100000);
    store.append("b", 100000); // grows
    store.give_back(pool);
    CHECK(store.is_empty());
    CHECK(store.unfilled() == 0);
    store.begin(pool, 120000);         // more than half of what it has grown to
    CHECK(store.unfilled() == 100001); // the same again, and nothing of it shows
    CHECK(store.size() == 0);
    CHECK(store.take(pool) == "");
}

TEST_CASE("string_pool: a full one keeps what comes in, and frees the oldest", "[unit][decoder]")
{
    constexpr std::size_t mebibyte = 1 << 20;
    string_pool pool; // has room for 16 MiB
    const auto give = [&](std::size_t bytes, char what) {
        std::string string(bytes, what);
        pool.give_back(string);
        CHECK(string.empty());
    };
    const auto first_of = [&](std::size_t bytes) { return pool.take(bytes)->bytes.substr(0, 1); };
    for (std::size_t i = 0; i < 5; ++i)
        give(mebibyte * 3 + i, static_cast<char>('a' + i));
    give(mebibyte * 4, 'f');
    CHECK(first_of(mebibyte * 4) == "f");
    CHECK(first_of(mebibyte * 3) == "c"); // a and b made room
    CHECK(first_of(mebibyte * 3) == "d");
    CHECK(first_of(mebibyte * 3) == "e");
    CHECK(first_of(mebibyte * 3) == "");
    give(mebibyte * 17, 'g'); // larger than the pool
    CHECK(first_of(mebibyte * 17) == "");
}

TEST_CASE("string_pool: a short text gets no large memory", "[unit][decoder]")
{
    string_pool pool;
    const auto capacity_for = [&](std::size_t bytes) {
        std::string string = std::move(pool.take(bytes)->bytes);
        const std::size_t capacity = string.capacity();
        pool.give_back(string);
        return capacity;
    };
    const auto give = [&](std::size_t bytes) {
        std::string string(bytes, 'x');
        const std::size_t capacity = string.capacity(); // libraries round it in different ways
        pool.give_back(string);
        return capacity;
    };
    const std::size_t large = give(250);
    CHECK(capacity_for(5) < 24); // none but its own
    CHECK(capacity_for((large - 1) / 4) < 24);
    CHECK(capacity_for((large + 3) / 4) == large);
    give(4096);
    CHECK(capacity_for(70) == large); // the one below the last
    CHECK(capacity_for(2000) >= large);
    const std::size_t small = give(40);
    CHECK(capacity_for(5) == small);
}

TEST_CASE("string_pool: what has no place in it is freed", "[unit][decoder]")
{
    string_pool pool;
    std::vector<std::string> strings(20, std::string(30000, 'x'));
    strings.push_back(std::string(20 << 20, 'x'));
    for (std::string& each : strings) {
        pool.give_back(each);
        CHECK(each.empty());
        CHECK(each.capacity() < 24);
    }
}

TEST_CASE("frame_store: holds no memory when it is cleared or given back", "[unit][decoder]")
{
    string_pool pool;
    for (int i = 0; i < 16; ++i) { // so that the pool is full
        std::string string(100, 'x');
        pool.give_back(string);
    }
    frame_store store;
    const bool given_back = GENERATE(false, true);
    store.begin(pool, 100000);
    store.append(std::string(100000, 'a'), 100000);
    given_back ? store.give_back(pool) : store.clear();
    store.begin(pool, 1);
    store.append("b", 1);
    CHECK(store.take(pool).capacity() < (given_back ? 100U : 24U));
}
