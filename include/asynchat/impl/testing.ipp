// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TESTING_IPP
#define ASYNCHAT_IMPL_TESTING_IPP

#include <asynchat/testing.hpp>

#include <asio/error.hpp>
#include <asio/executor_work_guard.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace testing {

// --- peer ------------------------------------------------------------------------------------

inline peer::peer(std::unique_ptr<asynchat::detail::memory_end> end) noexcept : end_(std::move(end))
{
}

ASYNCHAT_RARE peer::peer(peer&& other) noexcept = default;
ASYNCHAT_RARE peer& peer::operator=(peer&& other) noexcept = default;
ASYNCHAT_RARE peer::~peer() = default;

ASYNCHAT_RARE void peer::close() noexcept
{
    end_.reset();
}

ASYNCHAT_RARE asynchat::detail::memory_end& peer::end() const
{
    if (!end_)
        throw std::logic_error("asynchat: this peer is closed");
    return *end_;
}

/// Runs the loop until nothing is left to do, and returns the end.
ASYNCHAT_RARE asynchat::detail::memory_end& peer::settled() const
{
    auto& network = *end().network();
    if (!network.owner)
        throw std::logic_error("asynchat: the loop of this peer is gone");
    static_cast<loop*>(network.owner)->settle();
    return end();
}

ASYNCHAT_RARE void peer::send(std::string_view piece)
{
    if (end().has_finished())
        throw std::logic_error("asynchat: send() after finish()");
    end().send(std::string(piece), {});
}

ASYNCHAT_RARE void peer::send(std::string_view bytes, std::size_t piece)
{
    if (piece == 0)
        throw std::invalid_argument("asynchat: pieces of 0 bytes");
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
        send(bytes.substr(0, piece));
}

ASYNCHAT_RARE std::string peer::received(std::size_t max_bytes)
{
    for (;;) {
        const std::string more = settled().take(max_bytes - std::min(max_bytes, taken_.size()));
        if (more.empty())
            break;
        taken_ += more; // take() may have made room for further output
    }
    std::string all = std::exchange(taken_, {});
    if (all.size() > max_bytes) {
        taken_ = all.substr(max_bytes);
        all.resize(max_bytes);
    }
    return all;
}

ASYNCHAT_RARE bool peer::ended()
{
    return settled().has_ended();
}

ASYNCHAT_RARE bool peer::was_reset()
{
    return settled().is_reset();
}

ASYNCHAT_RARE void peer::finish()
{
    end().finish();
}

ASYNCHAT_RARE void peer::reset()
{
    end().reset();
}

ASYNCHAT_RARE void peer::window(std::size_t bytes)
{
    end().resize_window(bytes);
}

// --- listener --------------------------------------------------------------------------------

inline listener::listener(loop& owner,
                          std::unique_ptr<asynchat::detail::memory_socket> socket) noexcept
    : owner_(&owner), socket_(std::move(socket))
{
}

ASYNCHAT_RARE listener::listener(listener&& other) noexcept = default;
ASYNCHAT_RARE listener& listener::operator=(listener&& other) noexcept = default;
ASYNCHAT_RARE listener::~listener() = default;

ASYNCHAT_RARE std::size_t listener::waiting() const
{
    owner_->settle();
    return socket_->waiting();
}

ASYNCHAT_RARE peer listener::accept()
{
    owner_->settle();
    auto end = socket_->take_waiting();
    if (!end)
        throw std::logic_error("asynchat: no connection waits to be accepted");
    return peer(std::move(end));
}

// --- loop ------------------------------------------------------------------------------------

ASYNCHAT_RARE loop::loop(std::uint64_t seed)
    : memory_world(seed), asynchat::loop(std::move(new_clock), network.get())
{
    network->owner = this;
    asynchat::detail::channel_access::seed(*this, seed);
}

ASYNCHAT_RARE loop::~loop() = default;

ASYNCHAT_RARE void loop::settle()
{
    const auto work = asio::make_work_guard(context());
    context().restart();
    for (std::size_t handlers = 0; context().poll_one() > 0; ++handlers) {
        if (handlers == 10000000)
            throw std::logic_error("asynchat: settle(): the channels keep each other busy");
    }
}

ASYNCHAT_RARE void loop::advance(duration time)
{
    const auto work = asio::make_work_guard(context());
    const time_point until = now() + time;
    context().restart();
    while (clock->run_one_until(context(), until)) {
    }
}

inline std::pair<std::unique_ptr<asynchat::detail::memory_end>,
                 std::unique_ptr<asynchat::detail::memory_end>>
loop::end_pair()
{
    using asynchat::detail::memory_end;
    const endpoint here("127.0.0.1", 1);
    const endpoint there = network->next_address(here);
    auto near = std::make_unique<memory_end>(network, here, there);
    auto far = std::make_unique<memory_end>(network, there, here);
    memory_end::join(*near, *far);
    return {std::move(near), std::move(far)};
}

inline socket loop::socket_over(std::unique_ptr<asynchat::detail::memory_end> end)
{
    const endpoint peer = end->peer;
    return socket(std::make_unique<asynchat::detail::memory_socket>(std::move(end)), peer);
}

ASYNCHAT_RARE std::pair<socket, peer> loop::accepted_pair()
{
    auto ends = end_pair();
    socket accepted = socket_over(std::move(ends.first));
    accepted.accepted_ = true;
    return {std::move(accepted), peer(std::move(ends.second))};
}

ASYNCHAT_RARE peer loop::connect(const endpoint& to)
{
    settle();
    auto* const listener = network->listener_at(to);
    auto end = listener ? listener->connect_from(network->next_address(to)) : nullptr;
    if (!end)
        throw std::logic_error("asynchat: no channel listens on " +
                               asynchat::detail::quoted(to.to_string()));
    return peer(std::move(end));
}

ASYNCHAT_RARE listener loop::listen(const endpoint& at)
{
    auto socket = std::make_unique<asynchat::detail::memory_socket>(network);
    socket->listen_at(at);
    return listener(*this, std::move(socket));
}

ASYNCHAT_RARE void loop::add_host(std::string_view name, std::vector<std::string> addresses)
{
    for (const std::string& address : addresses)
        endpoint(address, 0); // throws if it is none
    network->hosts[std::string(name)] = std::move(addresses);
}

ASYNCHAT_RARE std::pair<socket, socket> loop::socket_pair()
{
    auto ends = end_pair();
    return {socket_over(std::move(ends.first)), socket_over(std::move(ends.second))};
}

ASYNCHAT_RARE void loop::fail(std::size_t n, int error, std::optional<operation> what)
{
    if (n > 0)
        network->failures.push_back({n, {error, asio::error::get_system_category()}, what});
}

} // namespace testing
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
