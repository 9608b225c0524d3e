// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

using namespace asynchat;

namespace {

std::size_t hash_of(const handle<dispatcher>& of)
{
    return std::hash<handle<dispatcher>>()(of);
}

/// Says what handles tell while it closes.
class closing : public dispatcher {
public:
    explicit closing(loop& owner) : dispatcher(owner)
    {
        early = owner.handle_of<dispatcher>(*this);
    }
    void stop()
    {
        before = owner().handle_of<dispatcher>(*this);
        close();
        after = owner().handle_of<dispatcher>(*this);
    }
    handle<dispatcher> early;
    handle<dispatcher> before;
    handle<dispatcher> after;
};

} // namespace

TEST_CASE("an empty handle is told from one whose channel is closed", "[handle]")
{
    testing::loop loop;
    const handle<dispatcher> nobody;
    const auto somebody = loop.create<dispatcher>();
    CHECK(nobody.empty());
    CHECK_FALSE(nobody);
    CHECK_FALSE(nobody.lock());
    CHECK_THROWS_WITH(nobody->close(), "asynchat: this handle is empty");
    CHECK_FALSE(somebody.empty());
    CHECK(somebody);
    somebody->close();
    loop.settle();
    CHECK_FALSE(somebody.empty());
    CHECK_FALSE(somebody);
    CHECK_FALSE(somebody.lock());
    CHECK_THROWS_WITH(somebody->close(), "asynchat: this handle's channel is closed");
}

TEST_CASE("handles are equal when they are of one channel, whatever becomes of it", "[handle]")
{
    testing::loop loop;
    const auto one = loop.create<dispatcher>();
    const auto two = loop.create<dispatcher>();
    const auto same = loop.handle_of(*one);
    const auto hash = hash_of(one);
    const bool order = one < two;
    const auto check = [&] {
        CHECK(one == same);
        CHECK_FALSE(one != same);
        CHECK(one != two);
        CHECK((one < two) == order);
        CHECK((two < one) != order);
        CHECK_FALSE(one < same);
        CHECK(one != handle<dispatcher>());
        CHECK(hash_of(one) == hash);
        CHECK(hash_of(same) == hash);
    };
    check();
    one->close();
    check();
    loop.settle(); // it is gone
    check();
    CHECK(handle<dispatcher>() == handle<dispatcher>());
    CHECK(hash_of({}) == hash_of({}));
}

TEST_CASE("a channel that takes the place of one that is gone has another handle", "[handle]")
{
    testing::loop loop;
    std::vector<handle<dispatcher>> all;
    for (int i = 0; i < 20; ++i) {
        all.push_back(loop.create<dispatcher>());
        all.back()->close();
        loop.settle();
    }
    CHECK(std::set<handle<dispatcher>>(all.begin(), all.end()).size() == 20);
    CHECK(std::unordered_set<handle<dispatcher>>(all.begin(), all.end()).size() == 20);
}

TEST_CASE("handle_of gives equal handles before and after the close", "[handle]")
{
    testing::loop loop;
    const auto created = loop.create<closing>();
    const auto object = created.lock();
    CHECK(object->early.empty());
    object->stop();
    CHECK(object->before == object->after);
    CHECK_FALSE(object->after.empty());
    CHECK_FALSE(object->after);
    CHECK(hash_of(object->before) == hash_of(object->after));
    CHECK(object->after.lock() == object);
}

TEST_CASE("handles are keys of maps", "[handle]")
{
    testing::loop loop;
    std::map<handle<dispatcher>, std::string> ordered;
    std::unordered_map<handle<dispatcher>, std::string> hashed;
    const auto one = loop.create<dispatcher>();
    const auto two = loop.create<dispatcher>();
    ordered[one] = hashed[one] = "one";
    ordered[two] = hashed[two] = "two";
    one->close();
    loop.settle();
    CHECK(ordered.at(one) == "one");
    CHECK(hashed.at(one) == "one");
    CHECK(hashed.at(two) == "two");
    CHECK(ordered.erase(one) == 1);
    CHECK(hashed.erase(one) == 1);
}

TEST_CASE("lock keeps the object to be looked at after the run", "[handle]")
{
    class counter : public testing::recorder<> {
    public:
        counter(loop& owner, asynchat::socket from) : recorder(owner, std::move(from)) {}
        int pieces = 0;
        void collect_incoming_data(std::string_view) override { ++pieces; }
    };
    testing::loop loop;
    auto [kept, peer] = loop.accept<counter>();
    const auto handle = loop.handle_of(*kept);
    peer.send("x");
    peer.finish();
    loop.run();
    CHECK_FALSE(handle);
    CHECK(handle.lock() == kept);
    CHECK(kept->pieces == 1);
    kept.reset();
    CHECK_FALSE(handle.lock());
}

// --- endpoints ---------------------------------------------------------------------------------

TEST_CASE("endpoints have an order and a hash that agree with their equality", "[endpoint]")
{
    const std::vector<endpoint> all = {
        endpoint(),
        endpoint("1.2.3.4", 5),
        endpoint("1.2.3.4", 6),
        endpoint("10.0.0.0", 1),
        endpoint("::1", 5),
        endpoint("::1", 6),
        endpoint("::2", 1),
        endpoint::unix_path("a"),
        endpoint::unix_path("b"),
        endpoint::named("a", "b"),
        endpoint::named("a", "c"),
    };
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (std::size_t j = 0; j < all.size(); ++j) {
            CAPTURE(all[i].to_string(), all[j].to_string());
            CHECK((all[i] < all[j]) == (i < j));
            CHECK((all[i] == all[j]) == (i == j));
        }
        const endpoint copy = all[i];
        CHECK(std::hash<endpoint>()(copy) == std::hash<endpoint>()(all[i]));
    }
    std::unordered_set<std::size_t> hashes;
    for (const endpoint& each : all)
        hashes.insert(std::hash<endpoint>()(each));
    CHECK(hashes.size() == all.size()); // it looks at all that tells these apart
}

TEST_CASE("endpoints are keys of maps", "[endpoint]")
{
    std::unordered_map<endpoint, int> hashed;
    std::map<endpoint, int> ordered;
    for (int port = 0; port < 100; ++port)
        hashed[endpoint("127.0.0.1", port % 10)] = ordered[endpoint("127.0.0.1", port % 10)] = port;
    CHECK(hashed.size() == 10);
    CHECK(ordered.size() == 10);
    CHECK(hashed.at(endpoint("127.0.0.1", 3)) == 93);
}
