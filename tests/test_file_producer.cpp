// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/file_chat.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

// What a file_producer reads, and what it refuses, without a channel.

using asynchat::file_producer;
using Catch::Matchers::ContainsSubstring;
using support::content_of;
using support::make_file;
using support::next_descriptor;
using support::resize;

namespace {

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

void create(const std::string& path, std::string_view content)
{
    const support::descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    support::check_call(::write(file.get(), content.data(), content.size()) ==
                            static_cast<ssize_t>(content.size()),
                        "write");
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

} // namespace

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

TEST_CASE("file_producer: what lies behind 4 GiB, in a file with a hole", "[unit][file_producer]")
{
    const support::descriptor file = make_file("");
    const std::string_view end = "the end";
    const std::uint64_t behind = (std::uint64_t{5} << 30) + 1;
    support::check_call(::pwrite(file.get(), end.data(), end.size(), static_cast<off_t>(behind)) ==
                            static_cast<ssize_t>(end.size()),
                        "pwrite");
    file_producer source(file.get(), behind);
    CHECK(all_of(source) == end);
    file_producer part(file.get(), behind + 4, 3);
    CHECK(all_of(part) == "end");
    CHECK_THROWS_AS(file_producer(file.get(), behind + end.size() + 1), std::out_of_range);
    file_producer hole(file.get(), behind - 2, 3);
    CHECK(all_of(hole) == std::string_view("\0\0t", 3));
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
