// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TARGET_IPP
#define ASYNCHAT_IMPL_TARGET_IPP

#include <asynchat/target.hpp>

#include <asynchat/detail/io/connect_attempt.hpp>

#include <stdexcept>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_RARE target::target(std::string_view host, std::string_view service)
    : host_(host), service_(service)
{
    detail::require_name("host", host);
    detail::require_name("service", service);
}

ASYNCHAT_RARE target::target(std::string_view host, std::int64_t port)
    : target(host, std::to_string(port))
{
}

ASYNCHAT_RARE target::target(endpoint address) : address_(std::move(address))
{
    address_.native(); // throws if it is not an address
}

ASYNCHAT_RARE std::string target::to_string() const
{
    return host_.empty() ? address_.to_string() : endpoint::named(host_, service_).to_string();
}

// --- several ---------------------------------------------------------------------------------

namespace detail {

ASYNCHAT_RARE target_list::target_list(std::vector<target> all, random& numbers, const char* whose)
    : all_(std::move(all))
{
    if (all_.empty())
        throw std::invalid_argument(std::string("asynchat: ") + whose + ": there is no server");
    for (std::size_t left = all_.size(); left > 1; --left)
        std::swap(all_[left - 1], all_[numbers.below(left)]);
}

ASYNCHAT_RARE void target_list::connect(dispatcher& channel, const target& to)
{
    if (channel.closed())
        return;
    if (to.host_.empty())
        channel.connect(to.address_);
    else
        channel.connect(to.host_, to.service_);
}

} // namespace detail

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
