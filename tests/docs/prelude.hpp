// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_DOCS_PRELUDE_HPP
#define ASYNCHAT_TESTS_DOCS_PRELUDE_HPP

// What the pieces of code in the documentation, other than whole programs, may use undeclared.

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <asio/ip/tcp.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

/// Any layer of the reader's.
class my_layer : public asynchat::transport_layer {};

/// Any handler of the reader's.
class my_handler : public asynchat::async_chat {
public:
    using async_chat::async_chat;

    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
};

#endif
