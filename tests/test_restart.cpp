// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/loop_channels.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

const endpoint any_port("127.0.0.1", 0);

std::vector<asynchat::socket> some_sockets(std::size_t count)
{
    std::vector<asynchat::socket> all;
    while (all.size() < count)
        all.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), AF_INET, SOCK_STREAM);
    return all;
}

std::size_t open_descriptors()
{
    std::size_t open = 0;
    for (int fd = 0; fd < 1024; ++fd)
        open += is_open(fd) ? 1U : 0U;
    return open;
}

/// Makes a variable of the environment, in a process that ends soon.
void set(const char* name, const std::string& value)
{
    ::setenv(name, value.c_str(), 1);
}

/// What `body(say)` says in a process of its own.
template <class Body>
std::string said_by(Body body)
{
    child_process child(body);
    const std::string line = child.line();
    return child.status() == 0 ? line : "failed";
}

/// Moves the descriptors to 3 and further, as a service manager does.
void give(const std::vector<int>& descriptors)
{
    std::vector<int> copies;
    for (const int each : descriptors)
        copies.push_back(::fcntl(each, F_DUPFD_CLOEXEC, 100));
    for (std::size_t i = 0; i < copies.size(); ++i)
        check_call(::dup2(copies[i], 3 + static_cast<int>(i)) >= 0, "dup2"); // not close-on-exec
    set("LISTEN_PID", std::to_string(::getpid()));
    set("LISTEN_FDS", std::to_string(descriptors.size()));
}

std::string error_of_listening_sockets()
{
    try {
        return std::to_string(listening_sockets().size());
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
}

} // namespace

// --- sockets from a service manager ------------------------------------------------------------

TEST_CASE("sockets of a service manager have names, and belong to this process", "[restart]")
{
    temp_dir dir;
    const raw_listener tcp(any_port);
    const raw_listener path(endpoint::unix_path(dir.file("s")));
    const bool with_names = GENERATE(false, true);
    const std::string said = said_by([&](const auto& say) {
        give({tcp.fd(), path.fd()});
        if (with_names)
            set("LISTEN_FDNAMES", "web:local");
        const auto all = listening_sockets();
        std::string text;
        for (const auto& [name, listener] : all) {
            const int flags = ::fcntl(listener.native_handle(), F_GETFD);
            text += name + " " + std::to_string(listener.native_handle()) + " " +
                    std::to_string(listener.family()) + " " +
                    ((flags & FD_CLOEXEC) != 0 ? "own " : "inherited ");
        }
        for (const char* const variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
            text += std::getenv(variable) ? "set" : "";
        say(text + std::to_string(listening_sockets().size()));
    });
    const std::string one = with_names ? "web" : "unknown";
    const std::string two = with_names ? "local" : "unknown";
    CHECK(said == one + " 3 " + std::to_string(AF_INET) + " own " + two + " 4 " +
                      std::to_string(AF_UNIX) + " own 0");
}

TEST_CASE("a server listens on a socket of a service manager", "[restart]")
{
    const raw_listener made(any_port);
    auto peer = raw_peer::connected_to(made.address());
    peer.send("hello\n");
    const std::string said = said_by([&](const auto& say) {
        give({made.fd()});
        loop loop;
        for (auto& [name, listener] : listening_sockets())
            loop.create<server<line_echo>>(listen_options(std::move(listener)));
        say(run_until(loop, [&] { return peer.received() == "hello\n"; }) ? "served" : "not");
    });
    CHECK(said == "served");
}

TEST_CASE("what is not for this process is left alone", "[restart]")
{
    CHECK(said_by([](const auto& say) { say(std::to_string(listening_sockets().size())); }) == "0");
    CHECK(said_by([](const auto& say) {
              set("LISTEN_PID", "1");
              set("LISTEN_FDS", "1");
              say(std::to_string(listening_sockets().size()));
          }) == "0");
}

TEST_CASE("wrong variables and descriptors are refused, and the error says which", "[restart]")
{
    const raw_listener made(any_port);
    auto pair = connected_pair(AF_INET);
    const std::string name = GENERATE("LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID");
    CAPTURE(name);
    CHECK_THAT(said_by([&](const auto& say) {
                   give({made.fd()});
                   set(name.c_str(), "1 2:");
                   say(error_of_listening_sockets());
               }),
               Catch::Matchers::ContainsSubstring(name + " is '1 2:'"));
    CHECK_THAT(said_by([&](const auto& say) {
                   give({pair.second.fd()});
                   say(error_of_listening_sockets());
               }),
               Catch::Matchers::ContainsSubstring("Accept="));
    CHECK_THAT(said_by([&](const auto& say) {
                   give({make_pipe().first.get()});
                   say(error_of_listening_sockets());
               }),
               Catch::Matchers::ContainsSubstring("descriptor 3 is no socket"));
}

// --- messages to a service manager -------------------------------------------------------------

TEST_CASE("a service manager is told what happens", "[restart]")
{
    temp_dir dir;
    const bool is_abstract = ASYNCHAT_HAS_ABSTRACT_UNIX != 0 && GENERATE(false, true);
    const std::string path = dir.file("notify");
    descriptor manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto native =
        endpoint::unix_path(is_abstract ? std::string(1, '\0') + path : path).native();
    check_call(::bind(manager.get(), native.data(), static_cast<socklen_t>(native.size())) == 0,
               "bind");
    const std::string said = said_by([&](const auto& say) {
        const bool before = notify_service_manager("READY=1");
        set("NOTIFY_SOCKET", is_abstract ? "@" + path : path);
        say(std::string(before ? "told" : "nobody") +
            (notify_service_manager("READY=1\nSTATUS=here") ? ", told" : ", nobody"));
    });
    CHECK(said == "nobody, told");
    char buffer[100];
    const ssize_t got = ::recv(manager.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    REQUIRE(got > 0);
    CHECK(std::string(buffer, static_cast<std::size_t>(got)) == "READY=1\nSTATUS=here");
    CHECK(::recv(manager.get(), buffer, sizeof buffer, MSG_DONTWAIT) < 0);
}

TEST_CASE("a service manager that is gone is an error", "[restart]")
{
    CHECK(said_by([](const auto& say) {
              set("NOTIFY_SOCKET", "/nowhere/at/all");
              try {
                  notify_service_manager("READY=1");
              } catch (const std::system_error& error) {
                  say(error.what());
              }
          }).find("NOTIFY_SOCKET") != std::string::npos);
    CHECK(said_by([](const auto& say) {
              set("NOTIFY_SOCKET", "vsock:2:1234");
              try {
                  notify_service_manager("READY=1");
              } catch (const std::invalid_argument& error) {
                  say(error.what());
              }
          }).find("vsock:2:1234") != std::string::npos);
}

TEST_CASE("the watchdog is fed as long as the loop turns", "[restart]")
{
    temp_dir dir;
    const std::string path = dir.file("notify");
    descriptor manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto native = endpoint::unix_path(path).native();
    check_call(::bind(manager.get(), native.data(), static_cast<socklen_t>(native.size())) == 0,
               "bind");
    const bool for_others = GENERATE(false, true);
    const std::string said = said_by([&](const auto& say) {
        set("NOTIFY_SOCKET", path);
        loop loop;
        const bool before = start_watchdog(loop).active();
        set("WATCHDOG_USEC", "2000");
        set("WATCHDOG_PID", for_others ? "1" : std::to_string(::getpid()));
        const bool after = start_watchdog(loop).active();
        char buffer[100];
        ssize_t got = 0;
        if (after)
            run_until(loop, [&] {
                got = ::recv(manager.get(), buffer, sizeof buffer, MSG_DONTWAIT);
                return got > 0;
            });
        say(std::string(before ? "on " : "off ") + (after ? "on " : "off ") +
            std::string(buffer, static_cast<std::size_t>(got > 0 ? got : 0)));
    });
    CHECK(said == (for_others ? "off off " : "off on WATCHDOG=1"));
}

namespace {

/// What the watchdog of a group gets: 4 ms are allowed, so the group looks each millisecond.
class watched_group {
public:
    explicit watched_group(const std::string& path)
        : manager_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
          group_(group_options(any_port).loops(3))
    {
        const auto native = endpoint::unix_path(path).native();
        check_call(::bind(manager_.get(), native.data(), static_cast<socklen_t>(native.size())) ==
                       0,
                   "bind");
        set("NOTIFY_SOCKET", path);
        was_off = !group_.start_watchdog().active();
        set("WATCHDOG_USEC", "4000");
        is_on = group_.start_watchdog().active();
        group_.each([this](server_base& each) { loops_.push_back(&each.owner()); });
        guard_ = loops_.front()->keep_running();
        thread_ = std::thread([this] { group_.run(); });
    }
    ~watched_group()
    {
        group_.stop(0s);
        guard_.release();
        thread_.join();
    }

    server_group<line_echo>& group() noexcept { return group_; }
    loop& owner(std::size_t number) const { return *loops_[number]; }

    /// Waits until it is fed so often.
    bool is_fed(int times)
    {
        pollfd state = {};
        state.fd = manager_.get();
        state.events = POLLIN;
        while (times > 0 && ::poll(&state, 1, 20000) > 0)
            times -= static_cast<int>(drop_messages());
        return times <= 0;
    }
    std::size_t drop_messages()
    {
        std::size_t count = 0;
        char buffer[100];
        while (::recv(manager_.get(), buffer, sizeof buffer, MSG_DONTWAIT) > 0)
            ++count;
        return count;
    }
    /// Waits until the first loop has looked a few times more.
    void look_again()
    {
        std::promise<void> done;
        timer ticks;
        loops_.front()->post([&, left = 20]() mutable {
            ticks = loops_.front()->call_every(1ms, [&, left]() mutable {
                if (--left > 0)
                    return;
                ticks.cancel();
                done.set_value();
            });
        });
        done.get_future().wait();
    }

    bool was_off = false;
    bool is_on = false;

private:
    descriptor manager_;
    server_group<line_echo> group_;
    std::vector<loop*> loops_;
    run_guard guard_; // of the first loop
    std::thread thread_;
};

} // namespace

TEST_CASE("the watchdog of a group is fed as long as all its loops turn", "[restart]")
{
    temp_dir dir;
    const std::size_t number = GENERATE(std::size_t{1}, std::size_t{2});
    const std::string said = said_by([&](const auto& say) {
        watched_group watched(dir.file("notify"));
        std::string text = watched.was_off && watched.is_on ? "on" : "wrong";
        text += watched.is_fed(5) ? ", fed" : ", silent";
        std::promise<void> stuck;
        std::promise<void> free;
        watched.owner(number).post([&] {
            stuck.set_value();
            free.get_future().wait();
        });
        stuck.get_future().wait();
        watched.look_again(); // it may have turned just before
        watched.drop_messages();
        watched.look_again();
        text += watched.drop_messages() == 0 ? ", silent" : ", fed";
        free.set_value();
        say(text + (watched.is_fed(5) ? ", fed" : ", silent"));
    });
    CHECK(said == "on, fed, silent, fed");
}

TEST_CASE("the watchdog of a group does not wait for loops that have ended", "[restart]")
{
    temp_dir dir;
    const std::string said = said_by([&](const auto& say) {
        watched_group watched(dir.file("notify"));
        std::string text = watched.is_fed(1) ? "fed, " : "silent, ";
        try {
            watched.group().start_watchdog();
        } catch (const std::logic_error&) {
            text += "not while it runs, ";
        }
        watched.group().stop(0s);
        say(text + (watched.is_fed(50) ? "fed" : "silent"));
    });
    CHECK(said == "fed, not while it runs, fed");
}

// --- sockets to another process ----------------------------------------------------------------

TEST_CASE("sockets go to another process and back", "[restart]")
{
    auto ends = asynchat::socket::pair();
    const std::size_t count = GENERATE(std::size_t{1}, std::size_t{3}, std::size_t{253});
    const auto sent = some_sockets(count);
    send_descriptors(ends.first.native_handle(), sent);
    const auto came = recv_descriptors(ends.second.native_handle(), 253);
    REQUIRE(came.size() == count);
    for (const auto& each : came) {
        CHECK(each.family() == AF_INET);
        CHECK(each.type() == SOCK_STREAM);
        CHECK((::fcntl(each.native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
    }
    ends.first = asynchat::socket();
    CHECK(recv_descriptors(ends.second.native_handle(), 1).empty()); // the end
}

TEST_CASE("sockets that are too many, or lost, are closed", "[restart]")
{
    auto ends = asynchat::socket::pair();
    const auto sent = some_sockets(4);
    send_descriptors(ends.first.native_handle(), sent);
    const std::size_t before = open_descriptors();
    CHECK_THROWS_AS(recv_descriptors(ends.second.native_handle(), 3), std::length_error);
    CHECK(open_descriptors() == before);

    send_descriptors(ends.first.native_handle(), sent);
    {
        const asynchat::socket probe = asynchat::socket::pair().first;
        const descriptor_limit limit(static_cast<rlim_t>(probe.native_handle()) + 2);
        if (limit.possible())
            CHECK_THROWS_AS(recv_descriptors(ends.second.native_handle(), 4), std::system_error);
        else
            CHECK(recv_descriptors(ends.second.native_handle(), 4).size() == 4);
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("what cannot be sent, or is no socket, is refused", "[restart]")
{
    auto ends = asynchat::socket::pair();
    const int near = ends.first.native_handle();
    CHECK_THROWS_AS(send_descriptors(near, {}), std::invalid_argument);
    CHECK_THROWS_AS(send_descriptors(near, some_sockets(254)), std::invalid_argument);
    CHECK_THROWS_AS(send_descriptors(-1, some_sockets(1)), std::system_error);
    CHECK_THROWS_AS(recv_descriptors(-1, 1), std::system_error);
    std::vector<asynchat::socket> no_socket;
    no_socket.emplace_back(make_pipe().first.release(), AF_UNIX, SOCK_STREAM);
    send_descriptors(near, no_socket);
    const std::size_t before = open_descriptors();
    CHECK_THROWS_AS(recv_descriptors(ends.second.native_handle(), 1), std::invalid_argument);
    CHECK(open_descriptors() == before);
}

// --- restarts ----------------------------------------------------------------------------------

namespace {

/// Answers one line. It is not closed before that, also if its server stops: the line may be on its
/// way.
class one_answer : public async_chat {
public:
    one_answer(loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override
    {
        push(_get_data() + "\n");
        close_when_done();
    }
    void handle_shutdown() override {}
};

/// A process that serves until the next one asks for its sockets.
class generation {
public:
    /// Gets the sockets from the one that runs, if there is one, or makes them. Says
    /// the port, which the system chooses.
    template <class Say>
    static void serve(const endpoint& control_path, bool is_first, const Say& say)
    {
        generation self;
        listen_options service(any_port);
        listen_options control(control_path);
        if (!is_first) {
            const auto from = raw_peer::connected_to(control_path);
            auto sockets = recv_descriptors(from.fd(), 2);
            service = listen_options(std::move(sockets.at(0)));
            control = listen_options(std::move(sockets.at(1)));
        }
        self.service_ = self.loop_.create<server<one_answer>>(service);
        self.control_ = self.loop_.create<server<successor>>(control, std::ref(self));
        say(std::to_string(self.service_->local_endpoint().port()));
        self.loop_.run();
    }

private:
    /// The connection of the next process.
    class successor : public dispatcher {
    public:
        successor(loop& owner, asynchat::socket from, generation& self)
            : dispatcher(owner, std::move(from)), self_(self)
        {
        }
        void handle_open() override
        {
            auto sockets = self_.service_->share_listeners();
            for (auto& each : self_.control_->share_listeners())
                sockets.push_back(std::move(each));
            try {
                send_descriptors(native_handle(), sockets);
            } catch (...) {
                self_.service_->take_back_listeners();
                self_.control_->take_back_listeners();
                throw;
            }
            self_.service_->stop(10s);
            self_.control_->stop(10s);
        }

    private:
        generation& self_;
    };

    loop loop_;
    handle<server<one_answer>> service_;
    handle<server<successor>> control_;
};

/// Connects, sends a line and waits for its echo. Several of these are under way.
struct request {
    explicit request(const endpoint& where) : peer(raw_peer::connected_to(where))
    {
        peer.send("hello\n");
    }
    raw_peer peer;
};

} // namespace

TEST_CASE("restarts under a steady stream of connections lose none", "[restart][slow]")
{
    temp_dir dir;
    const endpoint control = endpoint::unix_path(dir.file("control"));
    std::vector<std::unique_ptr<child_process>> generations;
    const auto start = [&] {
        const bool is_first = generations.empty();
        generations.push_back(std::make_unique<child_process>(
            [control, is_first](const auto& say) { generation::serve(control, is_first, say); }));
    };
    start();
    const std::string port = generations.front()->line();
    REQUIRE_FALSE(port.empty());
    const endpoint where("127.0.0.1", std::stoi(port));

    // ASYNCHAT_TEST_RESTARTS=10 is ten, with 6,000 connections for each, 1,000 in a second.
    const char* const many = std::getenv("ASYNCHAT_TEST_RESTARTS");
    const int restarts = many ? std::atoi(many) : 5;
    const int between = many ? 375 : 40; // rounds
    const auto pace = many ? 16ms : 0ms; // of a round
    constexpr int at_once = 16;
    const int rounds = restarts * between;
    const auto began = std::chrono::steady_clock::now();
    int answered = 0;
    int lost = 0;
    std::string errors;
    for (int round = 0; round < rounds; ++round) {
        std::this_thread::sleep_until(began + round * pace);
        if (round % between == between / 2)
            start();
        std::vector<request> requests;
        try {
            while (requests.size() < at_once)
                requests.emplace_back(where);
        } catch (const std::system_error& error) { // refused
            ++lost;
            errors += error.what();
        }
        for (request& each : requests) {
            pollfd state = {};
            state.fd = each.peer.fd();
            state.events = POLLIN;
            while (each.peer.received() != "hello\n" && !each.peer.ended() &&
                   ::poll(&state, 1, 20000) > 0) {
            }
            if (each.peer.received() == "hello\n") {
                ++answered;
            } else {
                ++lost;
                errors += " " + std::to_string(each.peer.error());
            }
        }
    }
    CAPTURE(errors);
    CHECK(lost == 0);
    CHECK(answered == rounds * at_once);
    REQUIRE(generations.size() == static_cast<std::size_t>(restarts) + 1);
    while (generations.size() > 1) { // all but the last have ended in order
        CHECK(generations.front()->status() == 0);
        generations.erase(generations.begin());
    }
}
