// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_SERVER_GROUP_IPP
#define ASYNCHAT_IMPL_SERVER_GROUP_IPP

#include <asynchat/server_group.hpp>

#include <asynchat/detail/hand_off.hpp>
#include <asynchat/detail/io/system_calls.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/service_manager.hpp>

#include <algorithm>
#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_RARE group_options& group_options::loops(std::size_t n)
{
    if (n == 0)
        throw std::invalid_argument("asynchat: a server_group needs at least one loop");
    loops_ = n;
    return *this;
}

ASYNCHAT_RARE std::size_t group_options::loops() const
{
    return loops_ != 0 ? loops_ : detail::usable_processors();
}

// --- making it -------------------------------------------------------------------------------

ASYNCHAT_RARE void server_group_base::make(group_options options, const maker& make_server)
{
    const std::size_t count = options.loops();
    members_.reserve(count);
    while (members_.size() < count)
        members_.push_back(std::make_unique<member>());
    serving_ = count;
    if (options.policy_ == spread::hand_off && count > 1)
        share_listener(options.where_, make_server);
    else
        share_ports(std::move(options.where_), make_server);
}

ASYNCHAT_RARE void server_group_base::share_ports(listen_options where, const maker& make_server)
{
    if (members_.size() > 1) {
        if (where.has_sockets())
            return share_sockets(where, make_server);
        if (where.has_paths())
            throw std::invalid_argument("asynchat: loops cannot share a UNIX socket by "
                                        "spread::reuse_port; spread::hand_off can");
        if (!where.reuse_port_)
            where.require_free();
        where.reuse_port();
    }
    for (const auto& each : members_) {
        each->server = make_server(each->owner, where);
        if (!where_.empty())
            continue;
        where_ = each->server->local_endpoints();
        if (members_.size() == 1)
            continue;
        where.places_.clear(); // the others listen where the first does, whatever chose that
        for (const endpoint& bound : where_)
            where.add_address(bound, false);
    }
}

/// Of a group before this one: they come loop by loop, and each loop has the same addresses.
ASYNCHAT_RARE void server_group_base::share_sockets(const listen_options& where,
                                                    const maker& make_server)
{
    const auto& all = where.places_;
    const std::size_t share = all.size() / members_.size();
    bool fits = where.has_sockets_only() && share * members_.size() == all.size();
    for (std::size_t i = share; fits && i < all.size(); ++i)
        fits = all[i].where == all[i % share].where;
    if (!fits) // before a socket is taken: the caller may use them otherwise
        throw std::invalid_argument("asynchat: spread::reuse_port needs one socket that listens "
                                    "already for each loop and address; spread::hand_off takes "
                                    "any");
    auto next = all.begin();
    for (const auto& each : members_) {
        listen_options mine = where;
        mine.places_.assign(next, next + static_cast<std::ptrdiff_t>(share));
        next += static_cast<std::ptrdiff_t>(share);
        each->server = make_server(each->owner, mine);
        if (where_.empty())
            where_ = each->server->local_endpoints();
    }
}

ASYNCHAT_RARE void server_group_base::share_listener(const listen_options& where,
                                                     const maker& make_server)
{
    const auto group = std::make_shared<detail::hand_off>();
    for (const auto& each : members_) {
        each->server = make_server(each->owner, where_.empty() ? where : listen_options());
        if (where_.empty())
            where_ = each->server->local_endpoints();
        each->server->join(group);
    }
}

/// The first loop goes last: the others wake its server.
ASYNCHAT_RARE server_group_base::~server_group_base()
{
    while (!members_.empty())
        members_.pop_back();
}

// --- running it ------------------------------------------------------------------------------

ASYNCHAT_RARE void server_group_base::require_idle(const char* what) const
{
    if (running_)
        throw std::logic_error(std::string("asynchat: server_group::") + what +
                               "() while run() runs");
}

ASYNCHAT_RARE void server_group_base::run()
{
    if (running_.exchange(true))
        require_idle("run");
    std::vector<std::thread> threads;
    {
        const detail::scope_exit done([&] {
            for (std::thread& each : threads)
                each.join();
            guards_.clear();
            running_ = false;
        });
        try {
            threads.reserve(members_.size());
            guards_.reserve(members_.size());
            for (const auto& each : members_) {
                each->owner.run(0); // forgets a stop() of the last time
                each->runs = true;
                if (serving_ > 0)
                    guards_.push_back(each->owner.keep_running());
            }
            for (std::size_t i = 1; i < members_.size(); ++i)
                threads.emplace_back([this, i] { run_member(*members_[i]); });
        } catch (...) {
            stop_loops();
            throw;
        }
        run_member(*members_.front());
    }
    if (auto failure = std::exchange(failure_, nullptr))
        std::rethrow_exception(failure);
}

ASYNCHAT_RARE void server_group_base::run_member(member& one) noexcept
{
    bool ends_all = false;
    try {
        one.owner.run();
        ends_all = serving_ > 0; // somebody has stopped this loop
    } catch (...) {
        const std::lock_guard lock(failure_mutex_);
        if (!failure_)
            failure_ = std::current_exception();
        ends_all = true;
    }
    one.runs = false;
    if (ends_all)
        stop_loops();
}

ASYNCHAT_RARE void server_group_base::stop_loops()
{
    for (const auto& each : members_)
        each->owner.stop();
}

ASYNCHAT_RARE void server_group_base::ended(server_base& server) noexcept
{
    server.leave_group();
    if (--serving_ == 0)
        guards_.clear(); // the loops go on until no channel is left
}

ASYNCHAT_RARE void server_group_base::stop(loop::duration deadline)
{
    for (const auto& each : members_)
        detail::channel_access::post(
            each->owner, [server = each->server.get(), deadline] { server->stop(deadline); });
}

ASYNCHAT_RARE void server_group_base::stop_on_signals(loop::duration deadline)
{
    require_idle("stop_on_signals");
    members_.front()->owner.on_signals([this, deadline] { stop(deadline); });
}

// --- the watchdog ----------------------------------------------------------------------------

ASYNCHAT_RARE timer server_group_base::start_watchdog()
{
    require_idle("start_watchdog");
    const auto allowed = detail::watchdog_time();
    if (!allowed)
        return {};
    // What has turned is seen a period later, so a loop may take three of the four for a turn.
    return members_.front()->owner.call_every(*allowed / 4, [this] { feed_watchdog(); });
}

/// Feeds it if all loops have turned since the last time, and asks them to turn again.
ASYNCHAT_RARE void server_group_base::feed_watchdog()
{
    for (const auto& each : members_) {
        if (each->runs && !each->turned)
            return;
    }
    detail::feed_watchdog();
    for (const auto& each : members_) {
        if (!each->runs)
            continue;
        each->turned = false;
        try {
            detail::channel_access::post(each->owner, [one = each.get()] { one->turned = true; });
        } catch (const std::bad_alloc&) { // it is not asked this time
            each->turned = true;
        }
    }
}

// --- counters --------------------------------------------------------------------------------

ASYNCHAT_RARE server_counters server_group_base::counters() const
{
    require_idle("counters");
    server_counters sum;
    for (const auto& each : members_)
        sum += each->server->counters();
    return sum;
}

ASYNCHAT_RARE void server_group_base::gather(counters_handler f)
{
    struct gathering {
        std::mutex mutex;
        std::size_t left;
        server_counters sum;
        counters_handler f;
    };
    const auto shared = std::make_shared<gathering>();
    shared->left = members_.size();
    shared->f = std::move(f);
    for (const auto& each : members_) {
        detail::channel_access::post(each->owner, [this, shared, server = each->server.get()] {
            const std::lock_guard lock(shared->mutex);
            shared->sum += server->counters();
            if (--shared->left == 0)
                detail::channel_access::post(members_.front()->owner,
                                             [shared] { shared->f(shared->sum); });
        });
    }
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
