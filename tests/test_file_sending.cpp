// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/file_chat.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

// Whether the system sends a file, or the program reads it and sends what it has read.

using asynchat::close_reason;
using asynchat::detail::sends_plainly;
using Catch::Matchers::ContainsSubstring;
using support::content_of;
using support::counting_chat;
using support::file_chat;
using support::make_file;
using support::resize;
using support::settle;
using strings = std::vector<std::string>;

// --- who may skip send() -------------------------------------------------------------------------

namespace {

class derived_layer : public counting_chat {
    using counting_chat::counting_chat;
};
class hidden_layer : public file_chat {
    using file_chat::file_chat;
    std::size_t send(asynchat::const_buffers data) override { return file_chat::send(data); }
};
class overloading : public file_chat {
public:
    using file_chat::file_chat;
    using file_chat::send;
    void send(int) {}
};
class last_of_all final : public file_chat {
    using file_chat::file_chat;
};
class last_layer final : public file_chat {
    using file_chat::file_chat;
    std::size_t send(asynchat::const_buffers data) override { return file_chat::send(data); }
};
class steering final : public file_chat {
    using file_chat::file_chat;
    const asynchat::terminator& get_terminator() const override { return any_; }
    asynchat::terminator any_;
};

} // namespace

TEST_CASE("a class that overrides send(), itself or in a base, is known as a layer",
          "[unit][file_producer][override]")
{
    CHECK(sends_plainly<asynchat::dispatcher>::value);
    CHECK(sends_plainly<asynchat::async_chat>::value);
    CHECK(sends_plainly<file_chat>::value);
    CHECK_FALSE(sends_plainly<asynchat::dispatcher_with_send>::value);
    CHECK_FALSE(sends_plainly<counting_chat>::value);
    CHECK_FALSE(sends_plainly<derived_layer>::value);
    CHECK_FALSE(sends_plainly<hidden_layer>::value);
    CHECK_FALSE(sends_plainly<overloading>::value); // cannot be told: the safe side
    CHECK(sends_plainly<last_of_all>::value);
    CHECK_FALSE(sends_plainly<last_layer>::value);
    CHECK(asynchat::detail::keeps_terminator<last_of_all>::value);
    CHECK_FALSE(asynchat::detail::keeps_terminator<steering>::value);
}

// --- which way the bytes go ----------------------------------------------------------------------

namespace {

/// What a transport was asked for, as "send 5" and "file 100", and how much it takes.
struct script {
    strings calls;
    std::string sent;
    std::optional<std::size_t> room; // none: any number
    int file_error = 0;              // of write_file()
    std::function<void()> wake;

    std::size_t take(std::size_t offered)
    {
        const std::size_t taken = std::min(offered, room.value_or(offered));
        if (room)
            *room -= taken;
        return taken;
    }
    void make_room(std::size_t bytes)
    {
        room = bytes;
        if (wake)
            std::exchange(wake, nullptr)();
    }
};

class file_transport final : public asynchat::transport {
public:
    explicit file_transport(script& plan) : plan_(plan) {}
    ~file_transport() override { plan_.wake = nullptr; }

    std::size_t read_some(asio::mutable_buffer, std::error_code& error) override
    {
        error = asio::error::would_block;
        return 0;
    }
    std::size_t write_some(asynchat::const_buffers from, std::error_code& error) override
    {
        plan_.calls.push_back("send " + std::to_string(from.size()));
        const std::size_t taken = plan_.take(from.size());
        plan_.sent += from.str().substr(0, taken);
        error = taken == 0 ? asio::error::would_block : std::error_code();
        return taken;
    }
    std::size_t write_file(int file, std::uint64_t offset, std::size_t count,
                           std::error_code& error) override
    {
        plan_.calls.push_back("file " + std::to_string(count));
        error = std::error_code(plan_.file_error, std::system_category());
        if (error)
            return 0;
        const std::size_t taken = plan_.take(count);
        error = taken == 0 ? asio::error::would_block : std::error_code();
        std::string bytes(taken, '\0');
        const ssize_t got = ::pread(file, bytes.data(), taken, static_cast<off_t>(offset));
        support::check_call(got >= 0, "pread");
        plan_.sent.append(bytes, 0, static_cast<std::size_t>(got));
        return static_cast<std::size_t>(got);
    }
    void async_wait(asynchat::readiness what, asynchat::wait_handler ready) override
    {
        if (what != asynchat::readiness::write)
            return;
        auto later = std::make_shared<asynchat::wait_handler>(std::move(ready));
        const auto call = [later] { std::move(*later).post(); };
        if (plan_.room == std::size_t{0})
            plan_.wake = call;
        else
            call();
    }

private:
    script& plan_;
};

/// A channel over such a transport.
template <class Chat = file_chat>
class scripted {
public:
    explicit scripted(asynchat::loop& loop)
        : chat_(loop.create<Chat>(asynchat::socket(std::make_unique<file_transport>(plan))).lock())
    {
    }
    ~scripted() { chat_->close(); }
    scripted(const scripted&) = delete;
    scripted& operator=(const scripted&) = delete;

    Chat& operator*() const { return *chat_; }
    Chat* operator->() const { return chat_.get(); }

    script plan;

private:
    std::shared_ptr<Chat> chat_;
};

} // namespace

TEST_CASE("file_producer: the system sends the file between what was pushed before and after it",
          "[file_producer][no-layers]")
{
    asynchat::loop loop;
    scripted<> channel(loop);
    const auto file = make_file("0123456789");
    channel->push("before ");
    channel->push_file(file, 2, 5);
    channel->push(" between ");
    channel->push_file(file);
    channel->push(" after");
    CHECK(channel->pending_output() == 22); // without the files
    REQUIRE(settle(loop));
    CHECK(channel.plan.calls == strings{"send 7", "file 5", "send 9", "file 10", "send 6"});
    CHECK(channel.plan.sent == "before 23456 between 0123456789 after");
    CHECK(channel->pending_output() == 0);
}

TEST_CASE("file_producer: an empty file sends nothing and what is behind it goes on",
          "[file_producer]")
{
    asynchat::loop loop;
    scripted<> channel(loop);
    const auto file = make_file("");
    channel->push("before ");
    channel->push_file(file);
    channel->push("after");
    channel->push_file(file);
    channel->close_when_done();
    REQUIRE(settle(loop));
    CHECK(channel.plan.calls == strings{"send 7", "send 5"});
    CHECK(channel->closes == 1);
    CHECK(channel->close_reason() == close_reason::local);
}

TEST_CASE("file_producer: goes on where the socket took no more", "[file_producer][no-layers]")
{
    asynchat::loop loop;
    scripted<> channel(loop);
    const std::string content = content_of(1000);
    const auto file = make_file(content);
    channel.plan.room = 300;
    channel->push_file(file);
    channel->push("after");
    REQUIRE(settle(loop));
    CHECK(channel.plan.calls == strings{"file 1000", "file 700"});
    channel.plan.calls.clear();
    for (int i = 0; i < 8; ++i) {
        channel.plan.make_room(100);
        REQUIRE(settle(loop));
    }
    CHECK((channel.plan.sent == content + "after"));
}

TEST_CASE("file_producer: falls back to reading for good when the system cannot send the file",
          "[file_producer][no-layers]")
{
    asynchat::loop loop;
    scripted<> channel(loop);
    const std::string content = content_of(600000);
    const auto file = make_file(content);
    channel.plan.file_error = GENERATE(EINVAL, ENOSYS, EIO, ECONNRESET);
    channel->push_file(file);
    REQUIRE(settle(loop));
    CHECK(channel.plan.calls == strings{"file 600000", "send 262144", "send 262144", "send 75712"});
    CHECK((channel.plan.sent == content));
    CHECK(channel->errors == 0);
}

TEST_CASE("file_producer: a layer that overrides send() gets all the bytes, in pieces of its size",
          "[file_producer][override]")
{
    asynchat::loop loop;
    scripted<counting_chat> channel(loop);
    const std::string content = content_of(1000);
    const auto file = make_file(content);
    channel->ac_out_buffer_size = 300;
    channel->push_file(file);
    REQUIRE(settle(loop));
    CHECK(channel.plan.calls == strings{"send 300", "send 300", "send 300", "send 100"});
    CHECK(channel->counted == 1000);
    CHECK((channel.plan.sent == content));
}

TEST_CASE("file_producer: a pipe is sent as well", "[file_producer]")
{
    asynchat::loop loop;
    scripted<> channel(loop);
    auto [reader, writer] = support::make_pipe();
    REQUIRE(::write(writer.get(), "0123456789", 10) == 10);
    writer.close();
    channel->push_file(reader);
    channel->push("after");
    REQUIRE(settle(loop));
    CHECK(channel.plan.sent == "0123456789after");
}

TEST_CASE("file_producer: one turn sends a bounded part, and other channels have theirs between",
          "[file_producer][no-layers]")
{
    asynchat::loop loop;
    scripted<> sender(loop);
    scripted<> other(loop);
    const auto file = make_file(content_of(100000));
    sender->ac_out_buffer_size = 1000; // sixteen of them a turn
    sender->push_file(file);
    std::vector<std::size_t> sent_at; // of the file, when the other channel was served
    std::function<void()> again = [&] {
        sent_at.push_back(sender.plan.sent.size());
        other->push("x");
        if (sent_at.size() < 5)
            loop.post(again);
    };
    loop.post(again);
    REQUIRE(settle(loop));
    CHECK(sender.plan.sent.size() == 100000);
    CHECK(sender.plan.calls == strings{"file 16000", "file 16000", "file 16000", "file 16000",
                                       "file 16000", "file 16000", "file 4000"});
    REQUIRE(sent_at.size() == 5);
    CHECK(sent_at.back() < 100000);
    CHECK(other.plan.sent == "xxxxx");
}

TEST_CASE("file_producer: a channel that survives a truncated file goes on with what is behind",
          "[file_producer][errors]")
{
    asynchat::loop loop;
    scripted<> channel(loop);
    const auto file = make_file("0123456789");
    channel->survives = true;
    channel->push_file(file);
    channel->push(" after");
    resize(file, 4);
    REQUIRE(settle(loop));
    CHECK(channel.plan.sent == "0123 after");
    CHECK(channel->errors == 1);
    CHECK_THAT(channel->error_text, ContainsSubstring("6 bytes too early"));
    CHECK_FALSE(channel->closed());
}
