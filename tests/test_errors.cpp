// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>

#include <asio/error.hpp>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

using namespace asynchat;

TEST_CASE("reasons and types have names", "[logging]")
{
    std::vector<std::string> names;
    for (const close_reason reason :
         {close_reason::open, close_reason::peer_finished, close_reason::reset, close_reason::local,
          close_reason::frame_limit, close_reason::bad_frame, close_reason::callback_error,
          close_reason::shutdown, close_reason::connect_failed, close_reason::lookup_failed,
          close_reason::system_error}) {
        const std::string name(to_string(reason));
        CHECK_FALSE(name.empty());
        CHECK(std::find(names.begin(), names.end(), name) == names.end());
        names.push_back(name);
    }
    CHECK(to_string(log_type::info) == "info");
    CHECK(to_string(log_type::warning) == "warning");
    CHECK(to_string(log_type::error) == "error");
    CHECK(to_string(log_type::log) == "log");
    CHECK(std::string(exit_now().what()) == "asynchat::exit_now");
}

TEST_CASE("errors are sorted into lost, later and the rest", "[errors]")
{
    const auto system = [](int number) { return std::error_code(number, std::system_category()); };
    const auto of_asio = [](int number) {
        return std::error_code(number, asio::error::get_system_category());
    };
    for (const int number : {ECONNRESET, ENOTCONN, ESHUTDOWN, ECONNABORTED, EPIPE, EBADF}) {
        CAPTURE(number);
        CHECK(is_disconnected(system(number)));
        CHECK(is_disconnected(of_asio(number)));
        CHECK_FALSE(is_would_block(system(number)));
    }
    for (const int number : {EAGAIN, EWOULDBLOCK, EINTR}) {
        CAPTURE(number);
        CHECK(is_would_block(system(number)));
        CHECK(is_would_block(of_asio(number)));
        CHECK_FALSE(is_disconnected(system(number)));
    }
    for (const int number : {0, ETIMEDOUT, ECONNREFUSED, ENOBUFS, EMFILE}) {
        CAPTURE(number);
        CHECK_FALSE(is_would_block(system(number)));
        CHECK_FALSE(is_disconnected(system(number)));
    }
    // The same number means something else in another category.
    CHECK_FALSE(is_disconnected(std::error_code(EPIPE, asio::error::get_addrinfo_category())));
}
