// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_CONNECT_RACE_IPP
#define ASYNCHAT_IMPL_CONNECT_RACE_IPP

#include <asynchat/detail/io/connect_race.hpp>

#include <asynchat/detail/timing/later.hpp>

#include <algorithm>
#include <cassert>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_RARE connect_race::step connect_race::next(time_point now) noexcept
{
    const bool may_start = started_ < addresses_ && under_way_ < max_attempts;
    if (may_start && (under_way_ == 0 || next_start_ <= now)) {
        ++under_way_;
        next_start_ = delay_ == duration::zero() ? never : later(now, delay_);
        return {action::start, started_++};
    }
    if (under_way_ == 0)
        return {action::fail};
    return {action::wait, 0, may_start ? next_start_ : never};
}

ASYNCHAT_RARE void connect_race::failed(time_point now) noexcept
{
    assert(under_way_ > 0);
    --under_way_;
    next_start_ = now;
}

ASYNCHAT_RARE std::size_t connect_race::last_started() const noexcept
{
    assert(started_ > 0);
    return started_ - 1;
}

ASYNCHAT_RARE std::vector<std::size_t> connect_race::interleave(const std::vector<int>& families,
                                                                std::size_t first_count)
{
    std::vector<std::vector<std::size_t>> groups; // the addresses of each family, in their order
    std::vector<int> of_group;
    for (std::size_t i = 0; i < families.size(); ++i) {
        const int family = first_count == 0 ? 0 : families[i];
        const auto found = std::find(of_group.begin(), of_group.end(), family);
        const auto group = static_cast<std::size_t>(found - of_group.begin());
        if (found == of_group.end()) {
            of_group.push_back(family);
            groups.emplace_back();
        }
        groups[group].push_back(i);
    }
    std::vector<std::size_t> order;
    const auto take = [&](const std::vector<std::size_t>& group, std::size_t at) {
        if (at < group.size() && order.size() < max_addresses)
            order.push_back(group[at]);
    };
    // Before the turns begin.
    const std::size_t ahead = std::min(first_count == 0 ? 0 : first_count - 1, families.size());
    for (std::size_t i = 0; i < ahead; ++i)
        take(groups.front(), i);
    for (std::size_t round = 0; round < families.size(); ++round) {
        for (const auto& group : groups)
            take(group, &group == &groups.front() ? round + ahead : round);
    }
    return order;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
