// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/detail/io/system_calls.hpp>

#include <pthread.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace asynchat;
using namespace support;

// Each in a process of its own, with SIGPIPE as a program has it that never heard of it: a write
// that nobody will read kills the process.

namespace {

/// How the process ends in which `body()` runs.
template <class Body>
int status_of(Body body)
{
    child_process child([&](auto&&) {
        std::signal(SIGPIPE, SIG_DFL);
        sigset_t pipe_only;
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        check_call(::sigprocmask(SIG_UNBLOCK, &pipe_only, nullptr) == 0, "sigprocmask");
        body();
    });
    return child.status();
}

class sender : public logging<async_chat> {
public:
    using logging::logging;
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
};

/// Does not read, which would tell it of the end.
template <class Base>
class blind : public Base {
public:
    using Base::Base;
    bool readable() override { return false; }
};

/// Lets a channel write in one event after the other until it notices.
template <class Channel, class Write>
void write_until_closed(loop& loop, const std::shared_ptr<Channel>& channel, Write write)
{
    int events = 0;
    while (!channel->closed() && ++events < 100) {
        loop.handle_of(*channel).post([&](Channel& self) { write(self); });
        loop.poll();
        loop.poll();
    }
    if (!channel->closed())
        throw test_error("writes and writes");
}

/// One side of a connection whose other side is gone.
asynchat::socket abandoned(int family, bool reset)
{
    auto ends = connected_pair(family);
    reset ? ends.second.reset() : ends.second.close();
    return std::move(ends.first);
}

} // namespace

TEST_CASE("a write that nobody reads kills a process that is not careful", "[sigpipe]")
{
    const int status = status_of([] {
        auto ends = make_pipe();
        ends.first.close();
        check_call(::write(ends.second.get(), "x", 1) == 1, "write");
    });
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGPIPE);
}

TEST_CASE("writing to a closed connection never kills the process", "[sigpipe]")
{
    const int family = GENERATE(AF_INET, AF_UNIX);
    const bool reset = GENERATE(false, true);
    CAPTURE(family, reset);
    const std::string data(100'000, 'x');
    SECTION("dispatcher")
    {
        CHECK(status_of([&] {
                  loop loop;
                  const auto channel =
                      loop.create<blind<recorder>>(abandoned(family, reset)).lock();
                  write_until_closed(loop, channel, [&](auto& self) { self.send(data); });
              }) == 0);
    }
    SECTION("dispatcher_with_send")
    {
        CHECK(status_of([&] {
                  loop loop;
                  const auto channel =
                      loop.create<blind<echo_channel>>(abandoned(family, reset)).lock();
                  write_until_closed(loop, channel, [&](auto& self) { self.send(data); });
              }) == 0);
    }
    SECTION("async_chat")
    {
        CHECK(status_of([&] {
                  loop loop;
                  const auto channel = loop.create<blind<sender>>(abandoned(family, reset)).lock();
                  write_until_closed(loop, channel, [&](auto& self) { self.push(data); });
              }) == 0);
    }
    SECTION("async_chat, gathering")
    {
        CHECK(status_of([&] {
                  loop loop;
                  const auto channel = loop.create<blind<sender>>(abandoned(family, reset)).lock();
                  const auto shared = std::make_shared<const std::string>(data);
                  write_until_closed(loop, channel, [&](auto& self) {
                      self.push(shared);
                      self.push(shared);
                  });
              }) == 0);
    }
    SECTION("file_producer")
    {
        CHECK(status_of([&] {
                  loop loop;
                  const auto file = make_file(data);
                  const auto channel = loop.create<blind<sender>>(abandoned(family, reset)).lock();
                  write_until_closed(loop, channel, [&](auto& self) {
                      self.push_with_producer(std::make_unique<file_producer>(file.get()));
                  });
              }) == 0);
    }
}

TEST_CASE("sending descriptors to nobody never kills the process", "[sigpipe]")
{
    CHECK(status_of([] {
              auto ends = asynchat::socket::pair();
              ends.second = {};
              std::vector<asynchat::socket> some;
              some.push_back(asynchat::socket::pair().first);
              try {
                  send_descriptors(ends.first.native_handle(), some);
              } catch (const std::system_error& error) {
                  if (error.code() == std::errc::broken_pipe)
                      return;
              }
              throw test_error("somebody has got them");
          }) == 0);
}

TEST_CASE("a SIGPIPE that another thread takes keeps no write waiting", "[sigpipe]")
{
    CHECK(status_of([] {
              sigset_t pipe_only;
              sigemptyset(&pipe_only);
              sigaddset(&pipe_only, SIGPIPE);
              check_call(::pthread_sigmask(SIG_BLOCK, &pipe_only, nullptr) == 0, "sigmask");
              std::atomic<bool> done = false;
              std::thread taker([&] {
                  for (int taken = 0; !done;)
                      ::sigwait(&pipe_only, &taken);
              });
              for (int i = 0; i < 20'000; ++i) {
                  const asynchat::detail::sigpipe_guard guard;
                  ::kill(::getpid(), SIGPIPE); // for any thread
              }
              done = true;
              ::pthread_kill(taker.native_handle(), SIGPIPE);
              taker.join();
          }) == 0);
}

TEST_CASE("writing to a pipe without a reader never kills the process", "[sigpipe]")
{
    CHECK(status_of([] {
              class writer : public blind<logging<file_dispatcher>> {
              public:
                  using blind::blind;
                  bool writable() override { return true; }
                  void handle_write() override { send("into the void"); }
              };
              auto ends = make_pipe();
              loop loop;
              const auto channel = loop.create<writer>(ends.second.get()).lock();
              ends.first.close();
              if (!run_until(loop, [&] { return channel->closed(); }))
                  throw test_error("writes and writes");
          }) == 0);
}
