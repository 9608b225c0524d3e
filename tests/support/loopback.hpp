// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_LOOPBACK_HPP
#define ASYNCHAT_TESTS_SUPPORT_LOOPBACK_HPP

#include "support/descriptors.hpp"
#include "support/peers.hpp"

#include <asynchat/asynchat.hpp>

#include <asio/buffer.hpp>

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// What the tests over real sockets share: bounded waiting, and channels that write down what
// happens to them. Nothing here sleeps, and nothing waits longer than `patience`.
namespace support {

inline constexpr std::chrono::seconds patience{20};

struct test_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// --- running a loop ---------------------------------------------------------------------------

/// Makes a run() that does not end by itself throw, as long as this lives.
class deadline {
public:
    explicit deadline(asynchat::loop& loop)
        : timer_(loop.call_later(patience, [] { throw test_error("the loop does not end"); }))
    {
    }
    ~deadline() { timer_.cancel(); }
    deadline(const deadline&) = delete;
    deadline& operator=(const deadline&) = delete;

private:
    asynchat::timer timer_;
};

/// Runs the loop until `done()`; false when that takes too long.
template <class Done>
bool run_until(asynchat::loop& loop, Done done)
{
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!done()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        loop.poll(std::chrono::milliseconds(20));
    }
    return true;
}

/// Serves what is ready until nothing is. False when there is no end to it: something spins.
inline bool settle(asynchat::loop& loop)
{
    int quiet = 0;
    for (int pass = 0; pass < 1000; ++pass) {
        if (loop.poll())
            quiet = 0;
        else if (++quiet == 3)
            return true;
    }
    return false;
}

// --- the program ------------------------------------------------------------------------------

/// Whether the address sanitizer, which opens descriptors and keeps memory, is in the program.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#  if __has_feature(address_sanitizer)
inline constexpr bool sanitized = true;
#  else
inline constexpr bool sanitized = false;
#  endif
#else
inline constexpr bool sanitized = false;
#endif

// --- channels ---------------------------------------------------------------------------------

/// A channel whose log lines are kept instead of written.
template <class Base>
class logging : public Base {
public:
    using Base::Base;

    std::vector<std::string> lines; // "type: text", warnings included

    void handle_log(asynchat::log_type type, std::string_view message) override
    {
        lines.push_back(std::string(to_string(type)) + ": " + std::string(message));
    }

    /// How many lines contain `part`.
    std::size_t logged(std::string_view part) const
    {
        std::size_t count = 0;
        for (const std::string& line : lines)
            count += line.find(part) != std::string::npos ? 1 : 0;
        return count;
    }
};

/// A dispatcher that notes its handlers' names, and keeps what it receives.
class recorder : public logging<asynchat::dispatcher> {
public:
    using logging::logging;

    std::vector<std::string> calls;
    std::string input;
    bool survives = false;    // handle_error() does not close
    bool wants_write = false; // the answer of writable()
    std::string error_text;   // what handle_error() was called for
    std::error_code error;
    asynchat::close_reason error_reason = asynchat::close_reason::open;

    bool writable() override { return wants_write; }
    void handle_read() override
    {
        calls.push_back("handle_read");
        char buffer[4096];
        input.append(buffer, recv(asio::buffer(buffer)));
    }
    void handle_write() override { calls.push_back("handle_write"); }
    void handle_connect() override
    {
        calls.push_back(connected() ? "handle_connect, connected" : "handle_connect");
    }
    void handle_expt() override { calls.push_back("handle_expt"); }
    void handle_close() override
    {
        calls.push_back("handle_close");
        close();
    }
    void handle_error() override
    {
        calls.push_back("handle_error");
        error_reason = close_reason();
        try {
            throw;
        } catch (const std::system_error& e) {
            error_text = e.what();
            error = e.code();
        } catch (const std::exception& e) {
            error_text = e.what();
        }
        if (!survives)
            logging::handle_error();
    }

    std::size_t count(std::string_view call) const
    {
        std::size_t found = 0;
        for (const std::string& each : calls)
            found += each == call ? 1 : 0;
        return found;
    }
};

/// Echoes what it receives: the neighbour that has to go on whatever happens to others.
class echo_channel : public logging<asynchat::dispatcher_with_send> {
public:
    using logging::logging;

    void handle_read() override
    {
        char buffer[4096];
        send(std::string_view(buffer, recv(asio::buffer(buffer))));
    }
};

/// An echo channel and its peer.
class honest_pair {
public:
    explicit honest_pair(asynchat::loop& loop) : loop_(loop)
    {
        auto ends = connected_pair(AF_UNIX);
        loop.create<echo_channel>(std::move(ends.first));
        peer_ = std::move(ends.second);
    }

    /// Sends a line and runs the loop until it has come back.
    bool works()
    {
        const std::string wanted = peer_.received() + "ping";
        peer_.send("ping");
        return run_until(loop_, [&] { return peer_.received() == wanted || peer_.ended(); }) &&
               peer_.received() == wanted;
    }

private:
    asynchat::loop& loop_;
    raw_peer peer_;
};

} // namespace support

#endif
