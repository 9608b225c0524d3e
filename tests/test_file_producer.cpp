// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/scripted_transport.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/detail/io/socket_transport.hpp>

#include <asio/error.hpp>
#include <asio/post.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using asynchat::close_reason;
using asynchat::file_producer;
using asynchat::detail::sends_plainly;
using Catch::Matchers::ContainsSubstring;
using support::connected_pair;
using support::make_file;
using support::run_until;
using support::settle;
using strings = std::vector<std::string>;

namespace {

/// Bytes of which no long part occurs twice.
std::string content_of(std::size_t size)
{
    std::string content(size, '\0');
    std::uint32_t state = 1;
    for (char& byte : content) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<char>(state >> 24);
    }
    return content;
}

std::string all_of(file_producer& source)
{
    std::string all;
    for (;;) {
        const std::string_view piece = source.more();
        if (piece.empty())
            return all;
        all += piece;
    }
}

/// What the constructor throws, as "errno text".
template <class... Args>
std::pair<int, std::string> refusal(Args&&... args)
{
    try {
        file_producer(std::forward<Args>(args)...);
    } catch (const std::system_error& error) {
        return {error.code().value(), error.what()};
    }
    return {0, "not refused"};
}

/// The number that the next descriptor gets: it tells whether one was left open.
int next_descriptor()
{
    return support::descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get();
}

void create(const std::string& path, std::string_view content)
{
    const support::descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    support::check_call(::write(file.get(), content.data(), content.size()) ==
                            static_cast<ssize_t>(content.size()),
                        "write");
}

void resize(const support::descriptor& file, std::size_t size)
{
    support::check_call(::ftruncate(file.get(), static_cast<off_t>(size)) == 0, "ftruncate");
}

/// A user without rights, when the tests run as root, who may read everything.
class without_rights {
public:
    without_rights() { support::check_call(!is_root_ || ::seteuid(65534) == 0, "seteuid"); }
    ~without_rights() { is_right_again_ = !is_root_ || ::seteuid(0) == 0; }
    without_rights(const without_rights&) = delete;
    without_rights& operator=(const without_rights&) = delete;

private:
    const bool is_root_ = ::geteuid() == 0;
    bool is_right_again_ = false;
};

class file_chat : public support::logging<asynchat::async_chat> {
public:
    using logging::logging;

    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
    void handle_close() override
    {
        ++closes;
        close();
    }
    void handle_error() override
    {
        ++errors;
        try {
            throw;
        } catch (const std::exception& error) {
            error_text = error.what();
        }
        if (!survives)
            logging::handle_error();
    }

    void push_file(const support::descriptor& file, std::uint64_t offset = 0,
                   std::optional<std::uint64_t> length = std::nullopt)
    {
        push_with_producer(std::make_unique<file_producer>(file.get(), offset, length));
    }

    using logging::set_connected;

    bool survives = false;
    int closes = 0;
    int errors = 0;
    std::string error_text;
};

/// A layer: all that is sent passes through it.
class counting_chat : public file_chat {
public:
    using file_chat::file_chat;
    std::size_t send(asynchat::const_buffers data) override
    {
        largest = std::max(largest, data.size());
        const std::size_t taken = file_chat::send(data);
        counted += taken;
        return taken;
    }
    std::size_t counted = 0;
    std::size_t largest = 0;
};

} // namespace

// --- without a channel ---------------------------------------------------------------------------

TEST_CASE("file_producer: reads a file or a part of it", "[unit][file_producer]")
{
    const auto size = GENERATE(as<std::size_t>{}, 0, 1, 65535, 65536, 65537, 300000);
    CAPTURE(size);
    const std::string content = content_of(size);
    const auto file = make_file(content);
    file_producer whole(file.get());
    CHECK(whole.length() == size);
    CHECK((all_of(whole) == content));
    CHECK(whole.more().empty());

    const std::size_t third = size / 3;
    file_producer end(file.get(), third);
    CHECK(end.length() == size - third);
    CHECK((all_of(end) == content.substr(third)));
    file_producer middle(file.get(), third, third);
    CHECK(middle.length() == third);
    CHECK((all_of(middle) == content.substr(third, third)));
    file_producer nothing(file.get(), size, 0);
    CHECK(nothing.more().empty());
}

TEST_CASE("file_producer: by path, until it is destroyed", "[unit][file_producer]")
{
    support::temp_dir dir;
    const std::string path = dir.file("page.html");
    create(path, "content");
    const int before = next_descriptor();
    {
        file_producer source(path, 3);
        CHECK(next_descriptor() != before);
        CHECK(all_of(source) == "tent");
    }
    CHECK(next_descriptor() == before);
}

TEST_CASE("file_producer: many share a descriptor, whose position stays and which stays open",
          "[unit][file_producer]")
{
    const auto file = make_file("0123456789");
    ::lseek(file.get(), 7, SEEK_SET);
    {
        file_producer first(file.get(), 0, 3);
        file_producer second(file.get(), 5);
        CHECK(first.more() == "012");
        CHECK(second.more() == "56789");
    }
    CHECK(support::is_open(file.get()));
    CHECK(::lseek(file.get(), 0, SEEK_CUR) == 7);
}

TEST_CASE("file_producer: what cannot be read is refused at once, by its name, and leaks nothing",
          "[unit][file_producer][errors]")
{
    support::temp_dir dir;
    const std::string path = dir.file("x");
    const int before = next_descriptor();
    std::pair<int, std::string> error;

    error = refusal(path);
    CHECK(error.first == ENOENT);
    CHECK_THAT(error.second, ContainsSubstring(path));
    error = refusal("/tmp");
    CHECK(error.first == EISDIR);
    CHECK_THAT(error.second, ContainsSubstring("/tmp"));
    CHECK(refusal("/dev/zero").first == EOPNOTSUPP);

    create(path, "content");
    CHECK(refusal(path + std::string("\0.html", 6)).first == ENOENT);
    error = refusal(std::string(70'000, '\n'));
    CHECK(error.first == ENAMETOOLONG);
    CHECK_THAT(error.second, ContainsSubstring(" \\n\\n"));
    CHECK(error.second.size() < 400);
    ::chmod(path.c_str(), 0);
    {
        const without_rights nobody;
        CHECK(refusal(path).first == EACCES);
    }
    CHECK(next_descriptor() == before);

    const std::string fifo = dir.file("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(refusal(fifo).first == EOPNOTSUPP); // and does not wait for a writer
    CHECK(next_descriptor() == before);
}

TEST_CASE("file_producer: descriptors that cannot be read are refused",
          "[unit][file_producer][errors]")
{
    CHECK(refusal(-1).first == EBADF);
    const support::descriptor written(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    CHECK(refusal(written.get()).first == EBADF);
    CHECK_THAT(refusal(written.get()).second,
               ContainsSubstring("descriptor " + std::to_string(written.get())));
    const support::descriptor directory(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    CHECK(refusal(directory.get()).first == EISDIR);
    const auto pipe = support::make_pipe();
    CHECK(refusal(pipe.first.get(), 1U).first == ESPIPE);
}

TEST_CASE("file_producer: more than the file has is refused", "[unit][file_producer][errors]")
{
    const auto file = make_file("0123456789");
    const auto huge = std::numeric_limits<std::uint64_t>::max();
    CHECK_NOTHROW(file_producer(file.get(), 10));
    CHECK_THROWS_AS(file_producer(file.get(), 11), std::out_of_range);
    CHECK_THROWS_AS(file_producer(file.get(), huge), std::out_of_range);
    CHECK_THROWS_AS(file_producer(file.get(), 0, 11), std::out_of_range);
    CHECK_THROWS_AS(file_producer(file.get(), 5, 6), std::out_of_range);
    CHECK_THROWS_AS(file_producer(file.get(), 5, huge), std::out_of_range);
    CHECK_THROWS_WITH(file_producer(file.get(), 5, 6), ContainsSubstring("10 bytes"));
}

TEST_CASE("file_producer: of a file that grows, only what was promised", "[unit][file_producer]")
{
    const auto file = make_file("0123456789");
    file_producer source(file.get());
    REQUIRE(::pwrite(file.get(), "abc", 3, 10) == 3);
    CHECK(all_of(source) == "0123456789");
}

TEST_CASE("file_producer: a file that was truncated throws once and then has ended",
          "[unit][file_producer][errors]")
{
    const auto file = make_file(content_of(100000));
    file_producer source(file.get());
    CHECK(source.more().size() == 65536);
    resize(file, 70000);
    CHECK(source.more().size() == 4464);
    CHECK_THROWS_WITH(source.more(), ContainsSubstring("30000 bytes too early"));
    CHECK(source.more().empty());
}

TEST_CASE("file_producer: a pipe is read to its end", "[unit][file_producer]")
{
    auto [reader, writer] = support::make_pipe();
    REQUIRE(::write(writer.get(), "0123456789", 10) == 10);
    SECTION("all")
    {
        writer.close();
        file_producer source(reader.get());
        CHECK_FALSE(source.length().has_value());
        CHECK(all_of(source) == "0123456789");
    }
    SECTION("not more than was asked for")
    {
        file_producer source(reader.get(), 0, 4);
        CHECK(source.length() == 4U);
        CHECK(all_of(source) == "0123");
    }
    SECTION("less than was promised")
    {
        writer.close();
        file_producer source(reader.get(), 0, 11);
        CHECK(source.more() == "0123456789");
        CHECK_THROWS_WITH(source.more(), ContainsSubstring("1 bytes too early"));
    }
    SECTION("one that does not wait and has nothing: an error")
    {
        ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
        file_producer source(reader.get());
        CHECK(source.more() == "0123456789");
        CHECK_THROWS_AS(source.more(), std::system_error);
        CHECK(source.more().empty());
    }
}

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

// --- over sockets --------------------------------------------------------------------------------

TEST_CASE("a socket lets the system send a file, and says when it cannot", "[file_producer]")
{
    asynchat::loop loop;
    const auto file = make_file("0123456789");
    std::error_code error;
    SECTION("streams")
    {
        auto [ours, peer] = connected_pair(GENERATE(AF_INET, AF_INET6, AF_UNIX));
        asynchat::detail::socket_transport transport(loop.context(), std::move(ours));
#ifdef __linux__
        CHECK(transport.write_file(file.get(), 3, 100, error) == 7);
        CHECK_FALSE(error);
        CHECK(transport.write_file(file.get(), 10, 100, error) == 0);
        CHECK_FALSE(error);
        REQUIRE(run_until(loop, [&peer = peer] { return peer.received().size() >= 7; }));
        CHECK(peer.received() == "3456789");
        transport.write_file(-1, 0, 1, error);
        CHECK(error.value() == EBADF);
#else
        CHECK(transport.write_file(file.get(), 3, 100, error) == 0);
        CHECK(error == asio::error::operation_not_supported);
#endif
    }
    SECTION("a connection that is gone is an error and no signal")
    {
        auto [ours, peer] = connected_pair(AF_UNIX);
        asynchat::detail::socket_transport transport(loop.context(), std::move(ours));
        peer.close();
        CHECK(transport.write_file(file.get(), 0, 10, error) == 0);
        CHECK(error);
    }
    SECTION("datagrams")
    {
        asynchat::detail::socket_transport transport(
            loop.context(), asynchat::detail::socket_transport::open(AF_INET, SOCK_DGRAM));
        CHECK(transport.write_file(file.get(), 0, 10, error) == 0);
        CHECK(error == asio::error::operation_not_supported);
    }
}

namespace {

/// Sends a file of `size` bytes between two pushes and ends. True when all came, in order.
template <class Chat>
bool sends_whole(int family, std::size_t size)
{
    asynchat::loop loop;
    auto [ours, peer] = connected_pair(family);
    const auto channel = loop.create<Chat>(std::move(ours)).lock();
    const std::string content = content_of(size);
    channel->push("before");
    channel->push_file(make_file(content));
    channel->push("after");
    channel->close_when_done();
    const bool ended = run_until(loop, [&peer = peer] { return peer.ended(); });
    if constexpr (std::is_base_of_v<counting_chat, Chat>)
        CHECK(channel->counted == size + 11);
    CHECK(channel->closes == 1);
    CHECK(channel->close_reason() == close_reason::local);
    CHECK(channel->lines.empty());
    return ended && peer.received() == "before" + content + "after";
}

} // namespace

TEST_CASE("file_producer: files of all sizes arrive whole", "[file_producer][loopback]")
{
    const auto size = GENERATE(as<std::size_t>{}, 0, 1, 65535, 65536, 65537, 1048576);
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    CAPTURE(size, family);
    CHECK(sends_whole<file_chat>(family, size));
    CHECK(sends_whole<counting_chat>(family, size));
}

TEST_CASE("file_producer: a file of 64 MiB arrives whole", "[file_producer][loopback]")
{
    constexpr std::size_t size = std::size_t{64} << 20;
    SECTION("sent by the system")
    {
        CHECK(sends_whole<file_chat>(AF_INET, size));
    }
    SECTION("through a layer")
    {
        CHECK(sends_whole<counting_chat>(AF_INET, size));
    }
}

TEST_CASE("file_producer: a peer that reads nothing stops it, and nothing spins",
          "[file_producer][loopback][no-records]")
{
    asynchat::loop loop;
    auto [ours, peer] = connected_pair();
    const auto channel = loop.create<file_chat>(std::move(ours)).lock();
    const std::string content = content_of(std::size_t{16} << 20);
    channel->push_file(make_file(content));
    channel->push("after");
    channel->close_when_done();
    REQUIRE(settle(loop));
    CHECK_FALSE(channel->closed());
    // Over a layer a piece was read, and not all of it sent.
    const bool over_layer = std::getenv("ASYNCHAT_TEST_LAYERS") != nullptr; // see tests/layers
    CHECK(channel->pending_output() <= (over_layer ? channel->ac_out_buffer_size + 5 : 5));
    CHECK(channel->pending_output() >= 5);
    // It takes a little at a time from now on.
    std::string received;
    std::string buffer(300000, '\0');
    REQUIRE(run_until(loop, [&, fd = peer.fd()] {
        const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        received.append(buffer, 0, got > 0 ? static_cast<std::size_t>(got) : 0);
        return got == 0;
    }));
    CHECK((received == content + "after"));
    CHECK(channel->close_reason() == close_reason::local);
}

TEST_CASE("file_producer: a file truncated while it is sent ends the connection and says why",
          "[file_producer][loopback][errors]")
{
    constexpr std::size_t size = std::size_t{64} << 20;
    asynchat::loop loop;
    auto [ours, peer] = connected_pair();
    const auto file = make_file(content_of(size));
    const auto run = [&loop, &file, &peer = peer](auto channel) {
        channel->push_file(file);
        channel->push("never sent");
        REQUIRE(settle(loop)); // until the peer's buffers are full
        CHECK_FALSE(channel->closed());
        resize(file, size - 1000);
        CHECK(run_until(loop, [&] { return peer.ended(); }));
        CHECK(channel->errors == 1);
        CHECK_THAT(channel->error_text, ContainsSubstring("1000 bytes too early"));
        CHECK(channel->closes == 1);
        CHECK(channel->close_reason() == close_reason::callback_error);
        CHECK(channel->pending_output() == 10);
        CHECK(channel->logged("1000 bytes too early") == 1);
    };
    SECTION("sent by the system")
    {
        run(loop.create<file_chat>(std::move(ours)).lock());
    }
    SECTION("through a layer")
    {
        run(loop.create<counting_chat>(std::move(ours)).lock());
    }
    CHECK(peer.received().size() == size - 1000);
}

TEST_CASE("file_producer: a peer that goes in the middle ends the channel as any lost connection",
          "[file_producer][loopback][errors]")
{
    const int family = GENERATE(AF_INET, AF_UNIX);
    asynchat::loop loop;
    auto [ours, peer] = connected_pair(family);
    const auto run = [&loop, &peer = peer](auto channel) {
        const auto file = make_file(content_of(std::size_t{16} << 20));
        const int duplicate = next_descriptor();
        channel->push_file(file);
        CHECK(support::is_open(duplicate));
        REQUIRE(settle(loop));
        CHECK_FALSE(channel->closed());
        peer.reset();
        CHECK(run_until(loop, [&] { return channel->closed(); }));
        CHECK(channel->closes == 1);
        CHECK(channel->errors == 0);
        CHECK(channel->close_reason() == close_reason::reset);
        CHECK(channel->close_error());
        channel->discard_buffers();
        CHECK_FALSE(support::is_open(duplicate));
    };
    SECTION("sent by the system")
    {
        run(loop.create<file_chat>(std::move(ours)).lock());
    }
    SECTION("through a layer")
    {
        run(loop.create<counting_chat>(std::move(ours)).lock());
    }
}
