// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_WEBSOCKET_WEBSOCKET_OPTIONS_IPP
#define ASYNCHAT_IMPL_WEBSOCKET_WEBSOCKET_OPTIONS_IPP

#include <asynchat/websocket_options.hpp>

#include <asynchat/detail/websocket/http_text.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

struct websocket_options::settings {
    struct values {
        std::size_t max_message = 65536;
        std::vector<std::string> origins;
        std::vector<std::string> protocols;
        loop::duration ping_interval = std::chrono::seconds(30);
        loop::duration pong_timeout = std::chrono::seconds(10);
        loop::duration close_timeout = std::chrono::seconds(5);
        bool any_origin = false;
        bool needs_origin = false;
    };

    static const values& of(const settings* which) noexcept
    {
        static const values defaults;
        return which ? which->set : defaults;
    }

    explicit settings(const values& from) : set(from) {}

    values set;
    std::atomic<std::size_t> owners{1};
};

namespace detail {

inline loop::duration not_negative(loop::duration time, const char* setter)
{
    if (time < loop::duration::zero())
        throw std::invalid_argument(std::string("asynchat: ") + setter + "() of a negative time");
    return time;
}

} // namespace detail

ASYNCHAT_DECL websocket_options::websocket_options() : settings_(nullptr) {}

ASYNCHAT_DECL websocket_options::websocket_options(const websocket_options& other) noexcept
    : settings_(other.settings_)
{
    if (settings_)
        settings_->owners.fetch_add(1, std::memory_order_relaxed);
}

ASYNCHAT_DECL websocket_options&
websocket_options::operator=(const websocket_options& other) noexcept
{
    if (settings_ != other.settings_) {
        let_go();
        settings_ = other.settings_;
        if (settings_)
            settings_->owners.fetch_add(1, std::memory_order_relaxed);
    }
    return *this;
}

ASYNCHAT_DECL websocket_options::~websocket_options()
{
    let_go();
}

ASYNCHAT_DECL void websocket_options::let_go() noexcept
{
    if (settings_ && settings_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
        delete settings_;
}

/// The settings to change: a copy, if others have them too.
ASYNCHAT_DECL websocket_options::settings& websocket_options::own()
{
    if (!settings_ || settings_->owners.load(std::memory_order_acquire) != 1) {
        auto* const copy = new settings(settings::of(settings_));
        let_go();
        settings_ = copy;
    }
    return *settings_;
}

ASYNCHAT_DECL websocket_options& websocket_options::max_message(std::size_t bytes)
{
    own().set.max_message = bytes;
    return *this;
}

ASYNCHAT_DECL std::size_t websocket_options::max_message() const noexcept
{
    return settings::of(settings_).max_message;
}

// --- who may connect -----------------------------------------------------------------------------

ASYNCHAT_DECL websocket_options& websocket_options::allow_origin(std::string origin)
{
    own().set.origins.push_back(std::move(origin));
    return *this;
}

ASYNCHAT_DECL websocket_options& websocket_options::allow_any_origin(bool on)
{
    own().set.any_origin = on;
    return *this;
}

ASYNCHAT_DECL websocket_options& websocket_options::require_origin(bool on)
{
    own().set.needs_origin = on;
    return *this;
}

ASYNCHAT_DECL bool websocket_options::allows(const upgrade_request& request) const
{
    const settings::values& set = settings::of(settings_);
    if (!request.header("Origin"))
        return !set.needs_origin;
    if (set.any_origin)
        return true;
    const std::string_view origin = request.origin();
    if (std::any_of(set.origins.begin(), set.origins.end(),
                    [&](const std::string& each) { return detail::same_word(each, origin); }))
        return true;
    const auto [scheme, host] = detail::split_at(origin, "://");
    return (detail::same_word(scheme, "http") || detail::same_word(scheme, "https")) &&
           !host.empty() && detail::same_word(host, request.host());
}

ASYNCHAT_DECL websocket_options& websocket_options::add_protocol(std::string name)
{
    if (!detail::is_token(name))
        throw std::invalid_argument("asynchat: no name for a sub-protocol: '" + name + "'");
    if (settings::of(settings_).protocols.size() >= 255)
        throw std::length_error("asynchat: more than 255 sub-protocols");
    own().set.protocols.push_back(std::move(name));
    return *this;
}

ASYNCHAT_DECL std::uint8_t websocket_options::choose_protocol(const upgrade_request& request) const
{
    const auto& ours = settings::of(settings_).protocols;
    const auto offered = request.protocols();
    const auto chosen = std::find_if(ours.begin(), ours.end(), [&](const std::string& each) {
        return std::find(offered.begin(), offered.end(), each) != offered.end();
    });
    return static_cast<std::uint8_t>(chosen == ours.end() ? 0 : chosen - ours.begin() + 1);
}

ASYNCHAT_DECL std::string_view websocket_options::protocol(std::uint8_t number) const noexcept
{
    if (number == 0)
        return {};
    return settings::of(settings_).protocols[number - 1U];
}

// --- times ---------------------------------------------------------------------------------------

ASYNCHAT_DECL websocket_options& websocket_options::ping_interval(loop::duration interval)
{
    own().set.ping_interval = detail::not_negative(interval, "ping_interval");
    return *this;
}

ASYNCHAT_DECL loop::duration websocket_options::ping_interval() const noexcept
{
    return settings::of(settings_).ping_interval;
}

ASYNCHAT_DECL websocket_options& websocket_options::pong_timeout(loop::duration timeout)
{
    own().set.pong_timeout = detail::not_negative(timeout, "pong_timeout");
    return *this;
}

ASYNCHAT_DECL loop::duration websocket_options::pong_timeout() const noexcept
{
    return settings::of(settings_).pong_timeout;
}

ASYNCHAT_DECL websocket_options& websocket_options::close_timeout(loop::duration timeout)
{
    own().set.close_timeout = detail::not_negative(timeout, "close_timeout");
    return *this;
}

ASYNCHAT_DECL loop::duration websocket_options::close_timeout() const noexcept
{
    return settings::of(settings_).close_timeout;
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
