// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/child_process.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

using namespace asynchat;
using namespace std::chrono_literals;

namespace {

class chat : public async_chat {
public:
    using async_chat::async_chat;
    using async_chat::call_later;
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
};

const char* const not_created = "asynchat: a channel is made by loop.create<T>(...), which owns "
                                "it; no loop would run this one";

/// Has another channel as a member.
class owning : public chat {
public:
    explicit owning(loop& owner) : chat(owner), inner_(owner) {}

private:
    chat inner_;
};

/// Makes another channel before and while it is constructed itself.
class creating : public chat {
public:
    explicit creating(loop& owner)
        : chat(made_before(owner)), inside(owner.create<chat>()), another(owner.create<chat>())
    {
    }
    handle<chat> inside;
    handle<chat> another;

private:
    static loop& made_before(loop& owner)
    {
        owner.create<chat>();
        return owner;
    }
};

class throwing : public chat {
public:
    explicit throwing(loop& owner) : chat(throws(owner)) {}

private:
    static loop& throws(loop&) { throw std::runtime_error("before the channel"); }
};

#ifndef NDEBUG
/// How a process ends that calls `f` while another thread runs its loop.
int end_of_call(const std::function<void(loop&, const std::shared_ptr<chat>&, handle<chat>)>& f)
{
    support::child_process child([&](const auto&) {
        std::signal(SIGABRT, SIG_DFL); // Catch has one of its own
        if (!std::freopen("/dev/null", "w", stderr))
            return;
        loop loop;
        const auto channel = loop.create<chat>();
        const auto object = channel.lock();
        std::promise<void> runs;
        loop.post([&] { runs.set_value(); });
        std::thread([&] { loop.run(); }).detach(); // the process ends before the loop goes
        runs.get_future().wait();
        f(loop, object, channel);
        ::_exit(0);
    });
    return child.status();
}
#endif

} // namespace

TEST_CASE("a channel that no loop created throws when it is made", "[misuse]")
{
    testing::loop loop;
    asynchat::loop& owner = loop;
    CHECK_THROWS_WITH(chat(owner), not_created);
    CHECK_THROWS_WITH(std::make_shared<chat>(owner), not_created);
    CHECK_THROWS_WITH(std::make_unique<dispatcher>(owner), not_created);
    CHECK_THROWS_AS(chat(owner), std::logic_error);
    CHECK_THROWS_WITH(loop.create<owning>(), not_created);
    CHECK(loop.size() == 0);
}

TEST_CASE("channels may be created while another one is constructed", "[misuse]")
{
    testing::loop loop;
    const auto one = loop.create<creating>();
    CHECK(loop.size() == 4);
    CHECK(one->inside);
    CHECK_THROWS_WITH(loop.create<throwing>(), "before the channel");
    CHECK_THROWS_WITH(std::make_unique<chat>(static_cast<asynchat::loop&>(loop)), not_created);
    CHECK(loop.size() == 4);
}

#ifndef NDEBUG
TEST_CASE("calls out of the wrong thread end the program, with assertions", "[misuse][threads]")
{
    using std::shared_ptr;
    const auto aborts = [](auto f) {
        const int status = end_of_call(f);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    };
    CHECK(aborts([](loop&, const shared_ptr<chat>& on, auto) { on->push("x"); }));
    CHECK(aborts([](loop&, const shared_ptr<chat>& on, auto) { on->close(); }));
    CHECK(aborts([](loop&, const shared_ptr<chat>& on, auto) { on->update_interest(); }));
    CHECK(aborts([](loop&, const shared_ptr<chat>& on, auto) { on->idle_timeout(1s); }));
    CHECK(aborts([](loop&, const shared_ptr<chat>& on, auto) { on->call_later(1s, [] {}); }));
    CHECK(aborts([](loop&, auto, handle<chat> one) { static_cast<void>(one->pending_output()); }));
    CHECK(aborts([](loop&, auto, handle<chat> one) { static_cast<void>(one.get()); }));
    CHECK(aborts([](loop& on, auto, auto) { on.create<chat>(); }));
    CHECK(aborts([](loop& on, auto, auto) { on.call_later(1s, [] {}); }));
    CHECK(aborts([](loop& on, auto, auto) { on.poll(); }));
    CHECK(aborts([](loop& on, auto, auto) { on.run(); }));
    CHECK(aborts([](loop& on, auto, auto) { on.close_all(); }));
    CHECK(aborts([](loop& on, auto, auto) { static_cast<void>(on.channels()); }));
    CHECK(aborts([](loop& on, auto, auto) { on.log_sink([](log_type, std::string_view) {}); }));
}

TEST_CASE("calls that any thread may make do not", "[misuse][threads]")
{
    CHECK(end_of_call([](loop& on, const std::shared_ptr<chat>&, handle<chat> one) {
              on.post([] {});
              one.post([](chat& self) { self.push("x"); });
              std::promise<void> done;
              on.post([&] { done.set_value(); });
              done.get_future().wait();
              if (one == handle<chat>())
                  std::abort();
              on.stop();
          }) == 0);
}
#endif

TEST_CASE("a loop that has stopped belongs to any thread", "[misuse][threads]")
{
    loop loop;
    const auto guard = loop.keep_running();
    const auto channel = loop.create<chat>();
    loop.post([&] { loop.stop(); });
    std::thread([&] { loop.run(); }).join();
    channel->set_terminator("\n");
    channel->close();
    std::thread([&] { loop.poll(); }).join();
    CHECK(loop.size() == 0);
}
