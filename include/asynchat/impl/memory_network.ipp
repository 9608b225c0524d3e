// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_MEMORY_NETWORK_IPP
#define ASYNCHAT_IMPL_MEMORY_NETWORK_IPP

#include <asynchat/detail/memory_network.hpp>

#include <asynchat/dispatcher.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/number.hpp>

#include <asio/error.hpp>
#include <asio/post.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

// --- the clock -------------------------------------------------------------------------------

ASYNCHAT_RARE void virtual_clock::wake_at(time_point when, const std::weak_ptr<loop_anchor>& owner)
{
    wakes_at_ = when;
    owner_ = owner;
    if (when <= now_)
        wake_soon();
}

ASYNCHAT_RARE void virtual_clock::wake_soon()
{
    wakes_at_ = time_point::max();
    if (const auto alive = owner_.lock())
        asio::post(alive->owner->context(), [owner = owner_] { wake(owner); });
}

ASYNCHAT_RARE bool virtual_clock::run(asio::io_context& context)
{
    while (run_one_until(context, time_point::max())) {
    }
    return context.stopped();
}

ASYNCHAT_RARE bool virtual_clock::run_one_until(asio::io_context& context, time_point until)
{
    while (context.poll_one() == 0) {
        if (context.stopped())
            return false;
        if (wakes_at_ > until || wakes_at_ == time_point::max()) {
            if (until != time_point::max())
                now_ = std::max(now_, until);
            return false;
        }
        now_ = wakes_at_;
        wake_soon();
    }
    return true;
}

ASYNCHAT_RARE memory_world::memory_world(std::uint64_t seed)
    : network(std::make_shared<memory_network>(seed)), new_clock(std::make_unique<virtual_clock>()),
      clock(new_clock.get())
{
    network->self = network;
}

// --- the network -----------------------------------------------------------------------------

ASYNCHAT_RARE std::unique_ptr<transport> memory_network::open(int, int type)
{
    auto error = begin(testing::operation::open);
    if (type != SOCK_STREAM)
        error = std::make_error_code(std::errc::protocol_not_supported);
    if (error)
        throw std::system_error(error, "asynchat: socket");
    return std::make_unique<memory_socket>(self.lock());
}

ASYNCHAT_RARE std::vector<endpoint> memory_network::addresses_of(std::string_view host,
                                                                 std::string_view service) const
{
    const auto known = hosts.find(host);
    if (known == hosts.end())
        return {endpoint::named(host, service)};
    const auto port = parse_number(service, 65535);
    if (!port)
        throw std::logic_error("asynchat: a host of the test kit has ports by number only, not " +
                               quoted(service));
    std::vector<endpoint> addresses;
    for (const std::string& address : known->second)
        addresses.emplace_back(address, static_cast<std::int64_t>(*port));
    return addresses;
}

ASYNCHAT_RARE std::error_code memory_network::begin(testing::operation what)
{
    ++operations;
    std::error_code error;
    for (std::size_t i = 0; i < failures.size();) {
        failure& script = failures[i];
        if ((script.what && *script.what != what) || --script.left > 0) {
            ++i;
            continue;
        }
        error = script.error;
        failures.erase(failures.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return error;
}

ASYNCHAT_RARE endpoint memory_network::next_address(const endpoint& near)
{
    if (near.is_unix())
        return {};
    if (next_port_ == 0)
        next_port_ = 49152;
    const bool six = near.family() == AF_INET6;
    return endpoint(six ? "::1" : "127.0.0.1", next_port_++);
}

ASYNCHAT_RARE memory_socket* memory_network::listener_at(const endpoint& where) const
{
    for (memory_socket* const listener : listeners) {
        const endpoint at = listener->local_endpoint();
        const bool everywhere = at.is_ip() && where.is_ip() && at.port() == where.port() &&
                                (at.host() == "0.0.0.0" || at.host() == "::");
        if (at == where || everywhere)
            return listener;
    }
    return nullptr;
}

// --- ends ------------------------------------------------------------------------------------

ASYNCHAT_RARE memory_end::memory_end(std::shared_ptr<memory_network> network, endpoint at,
                                     endpoint to)
    : local(std::move(at)), peer(std::move(to)), network_(std::move(network)),
      window_(network_->window)
{
}

ASYNCHAT_RARE memory_end::~memory_end()
{
    arrival_.cancel();
    if (!other_)
        return;
    if (!input_.empty())
        reset();
    else
        finish();
    other_->other_ = nullptr;
    other_->changed(); // it does not have to wait for room
}

ASYNCHAT_RARE bool memory_end::can_read() const
{
    const auto arrived = [this] {
        return !network_->owner || input_.front().arrives <= network_->owner->now();
    };
    return input_.empty() ? ended_ || reset_ : arrived();
}

ASYNCHAT_RARE std::error_code memory_end::error() const
{
    return reset_ ? std::error_code(asio::error::connection_reset) : std::error_code();
}

ASYNCHAT_RARE bool memory_end::can_write() const
{
    return reset_ || finished_ || !other_ || other_->size_ < other_->window_;
}

/// The error with which this operation must fail: ordered by fail(), or random.
ASYNCHAT_RARE std::error_code memory_end::begin(testing::operation what)
{
    if (const auto error = network_->begin(what))
        return error;
    auto& random = network_->random();
    const auto& faults = network_->faults;
    if (faults.reset > 0 && random.per_mille(faults.reset))
        lose();
    if (reset_ && (what != testing::operation::receive || input_.empty()))
        return asio::error::connection_reset;
    if (faults.block > 0 && random.per_mille(faults.block))
        return asio::error::would_block;
    return {};
}

ASYNCHAT_RARE std::size_t memory_end::cut(std::size_t bytes)
{
    const unsigned chance = network_->faults.cut;
    auto& random = network_->random();
    return chance > 0 && random.per_mille(chance) ? 1 + random.below(bytes) : bytes;
}

ASYNCHAT_RARE std::size_t memory_end::read_some(asio::mutable_buffer into, std::error_code& error,
                                                bool keep)
{
    error = begin(testing::operation::receive);
    if (error)
        return 0;
    if (!can_read() || has_ended()) {
        error = has_ended() ? std::error_code(asio::error::eof)
                            : std::error_code(asio::error::would_block);
        return 0;
    }
    piece& next = input_.front();
    const std::size_t bytes = cut(std::min(into.size(), next.bytes.size() - next.front));
    std::memcpy(into.data(), next.bytes.data() + next.front, bytes);
    if (!keep)
        consume(bytes);
    return bytes;
}

/// Removes the first bytes of the first piece.
ASYNCHAT_RARE void memory_end::consume(std::size_t bytes)
{
    piece& next = input_.front();
    next.front += bytes;
    size_ -= bytes;
    if (next.front == next.bytes.size()) {
        input_.pop_front();
        wait_for_arrival();
    }
    if (other_)
        other_->changed(); // there is room now
}

ASYNCHAT_RARE std::size_t memory_end::write_some(const_buffers from, std::error_code& error)
{
    error = begin(testing::operation::send);
    if (!error && (finished_ || !other_))
        error = asio::error::broken_pipe;
    if (!error && !can_write())
        error = asio::error::would_block;
    if (error || from.size() == 0)
        return 0;
    const std::size_t bytes = cut(std::min(from.size(), other_->window_ - other_->size_));
    std::string data;
    data.reserve(bytes);
    for (const asio::const_buffer& buffer : from)
        data.append(static_cast<const char*>(buffer.data()),
                    std::min(buffer.size(), bytes - data.size()));
    time_point arrives = network_->owner->now();
    const auto& faults = network_->faults;
    if (faults.delay > 0 && network_->random().per_mille(faults.delay))
        arrives += draw_delay();
    send(std::move(data), arrives);
    return bytes;
}

ASYNCHAT_RARE std::chrono::steady_clock::duration memory_end::draw_delay()
{
    return network_->random().up_to(network_->faults.longest_delay);
}

ASYNCHAT_RARE void memory_end::send(std::string bytes, time_point arrives)
{
    if (!other_ || reset_ || bytes.empty())
        return;
    if (!other_->input_.empty())
        arrives = std::max(arrives, other_->input_.back().arrives);
    other_->size_ += bytes.size();
    other_->input_.push_back({std::move(bytes), 0, arrives});
    other_->changed();
}

ASYNCHAT_RARE std::string memory_end::take(std::size_t max_bytes)
{
    std::string taken;
    while (taken.size() < max_bytes && !input_.empty() && can_read()) {
        const piece& next = input_.front();
        const std::size_t bytes =
            std::min(max_bytes - taken.size(), next.bytes.size() - next.front);
        taken.append(next.bytes, next.front, bytes);
        consume(bytes);
    }
    return taken;
}

ASYNCHAT_RARE void memory_end::resize_window(std::size_t bytes)
{
    window_ = bytes;
    if (other_)
        other_->changed();
}

ASYNCHAT_RARE void memory_end::finish()
{
    finished_ = true;
    if (!other_)
        return;
    other_->ended_ = true;
    other_->changed();
}

ASYNCHAT_RARE void memory_end::reset()
{
    input_.clear();
    size_ = 0;
    lose();
}

ASYNCHAT_RARE void memory_end::lose()
{
    for (memory_end* const end : {this, other_}) {
        if (!end)
            continue;
        end->reset_ = true;
        end->drop_what_is_under_way();
        end->changed();
    }
}

/// A reset drops the bytes that have not arrived.
ASYNCHAT_RARE void memory_end::drop_what_is_under_way()
{
    const time_point now = network_->owner ? network_->owner->now() : time_point::max();
    while (!input_.empty() && input_.back().arrives > now) {
        size_ -= input_.back().bytes.size() - input_.back().front;
        input_.pop_back();
    }
}

ASYNCHAT_RARE void memory_end::changed()
{
    wait_for_arrival();
    if (watcher)
        watcher->wake();
}

ASYNCHAT_RARE void memory_end::wait_for_arrival()
{
    asynchat::loop* const owner = network_->owner;
    if (!owner || input_.empty() || can_read() || arrival_.active())
        return;
    arrival_ = owner->call_later(input_.front().arrives - owner->now(), [this] { changed(); });
}

// --- sockets ---------------------------------------------------------------------------------

ASYNCHAT_RARE memory_socket::memory_socket(std::shared_ptr<memory_network> network)
    : network_(std::move(network))
{
    ++network_->sockets;
}

ASYNCHAT_RARE memory_socket::memory_socket(std::unique_ptr<memory_end> end)
    : network_(end->network()), end_(std::move(end))
{
    ++network_->sockets;
    end_->watcher = this;
}

ASYNCHAT_RARE memory_socket::~memory_socket()
{
    --network_->sockets;
    if (end_)
        end_->watcher = nullptr;
    auto& all = network_->listeners;
    all.erase(std::remove(all.begin(), all.end(), this), all.end());
}

ASYNCHAT_RARE std::size_t memory_socket::read_some(asio::mutable_buffer into,
                                                   std::error_code& error)
{
    if (end_)
        return end_->read_some(into, error);
    error = asio::error::not_connected;
    return 0;
}

ASYNCHAT_RARE std::size_t memory_socket::write_some(const_buffers from, std::error_code& error)
{
    if (end_)
        return end_->write_some(from, error);
    error = asio::error::not_connected;
    return 0;
}

ASYNCHAT_RARE void memory_socket::async_wait(readiness what, wait_handler ready)
{
    if (what == readiness::read)
        reader_.emplace(std::move(ready));
    else if (what == readiness::write)
        writer_.emplace(std::move(ready));
    else
        watcher_.emplace(std::move(ready));
    wake();
}

ASYNCHAT_RARE bool memory_socket::is_ready(const waiter& waiting) const
{
    if (!waiting)
        return false;
    if (&waiting == &reader_)
        return end_ ? end_->can_read() : !waiting_.empty();
    if (&waiting == &writer_)
        return end_ && end_->can_write();
    return end_ && end_->is_reset(); // there is no urgent data
}

ASYNCHAT_RARE void memory_socket::wake()
{
    if (posted_ || !network_->owner ||
        !(is_ready(watcher_) || is_ready(writer_) || is_ready(reader_)))
        return;
    posted_ = std::make_shared<memory_socket*>(this);
    asio::post(network_->owner->context(), [socket = std::weak_ptr(posted_)] {
        if (const auto alive = socket.lock())
            (*alive)->complete_waits();
    });
}

/// As Asio's reactor: completes the first of the waits at once and posts the others.
ASYNCHAT_RARE void memory_socket::complete_waits()
{
    posted_.reset();
    waiter first;
    for (waiter* const each : {&watcher_, &writer_, &reader_}) {
        if (!is_ready(*each))
            continue;
        wait_handler ready = std::move(**each);
        each->reset();
        if (!first)
            first.emplace(std::move(ready));
        else
            std::move(ready).post();
    }
    if (first)
        (*first)(std::error_code()); // may destroy this
}

ASYNCHAT_RARE void memory_socket::bind(const endpoint& where, std::error_code& error)
{
    error = network_->begin(testing::operation::bind);
    if (!error && network_->listener_at(where))
        error = asio::error::address_in_use;
    if (!error)
        local_ = where.is_ip() && where.port() == 0 ? network_->next_address(where) : where;
}

ASYNCHAT_RARE void memory_socket::listen(int backlog, std::error_code& error)
{
    error = network_->begin(testing::operation::listen);
    if (error)
        return;
    if (backlog_ == 0)
        network_->listeners.push_back(this);
    backlog_ = static_cast<std::size_t>(std::max(backlog, 1));
}

ASYNCHAT_RARE void memory_socket::listen_at(const endpoint& where)
{
    if (network_->listener_at(where))
        throw std::logic_error("asynchat: another listener is on " + quoted(where.to_string()) +
                               " already");
    local_ = where;
    network_->listeners.push_back(this);
    backlog_ = SOMAXCONN;
}

ASYNCHAT_RARE asynchat::socket memory_socket::accept(std::error_code& error)
{
    error = network_->begin(testing::operation::accept);
    const unsigned chance = network_->faults.accept_error;
    if (!error && chance > 0 && network_->random().per_mille(chance))
        error = std::error_code(EMFILE, asio::error::get_system_category());
    if (!error && waiting_.empty())
        error = asio::error::would_block;
    if (error)
        return {};
    auto end = take_waiting();
    const endpoint peer = end->peer;
    return asynchat::socket(std::make_unique<memory_socket>(std::move(end)), peer);
}

ASYNCHAT_RARE std::unique_ptr<memory_end> memory_socket::take_waiting()
{
    if (waiting_.empty())
        return nullptr;
    auto end = std::move(waiting_.front());
    waiting_.pop_front();
    return end;
}

ASYNCHAT_RARE std::unique_ptr<memory_end> memory_socket::connect_from(const endpoint& client)
{
    if (waiting_.size() >= backlog_)
        return nullptr;
    auto near = std::make_unique<memory_end>(network_, client, local_);
    auto far = std::make_unique<memory_end>(network_, local_, client);
    memory_end::join(*near, *far);
    waiting_.push_back(std::move(far));
    wake();
    return near;
}

ASYNCHAT_RARE void memory_socket::async_connect(const endpoint& to, connect_handler done)
{
    auto& silent = network_->silent;
    if (std::find(silent.begin(), silent.end(), to) != silent.end())
        return;
    const auto slow = network_->slow.find(to);
    if (slow == network_->slow.end())
        return answer(to, done);
    answer_ = network_->owner->call_later(slow->second,
                                          [this, to, done = std::move(done)] { answer(to, done); });
}

ASYNCHAT_RARE void memory_socket::answer(const endpoint& to, const connect_handler& done)
{
    auto error = network_->begin(testing::operation::connect);
    const unsigned chance = network_->faults.refuse;
    memory_socket* const listener = network_->listener_at(to);
    if (!error && listener && !(chance > 0 && network_->random().per_mille(chance)))
        end_ = listener->connect_from(network_->next_address(to));
    if (end_)
        end_->watcher = this;
    else if (!error)
        error = asio::error::connection_refused;
    asio::post(network_->owner->context(), [done, error] { done(error); });
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
