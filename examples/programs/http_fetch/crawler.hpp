// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_FETCH_CRAWLER_HPP
#define HTTP_FETCH_CRAWLER_HPP

#include "page.hpp"

#include <asynchat/asynchat.hpp>

#include <deque>
#include <functional>
#include <map>
#include <set>

namespace http {

class crawler;
class fetch_channel;

// The waiting pages of one scheme, host and port, and the connections to it.
struct site {
    site(asynchat::loop& loop, const url& any_page, crawler& owner); // after fetch_channel

    std::deque<page> waiting;
    std::size_t users = 0;  // connections that were asked for, and not handed back
    std::size_t asking = 0; // of them, those that are not there yet
    std::string error;      // of the last connection that could not be made
    bool has_answered = false;
    bool is_secure;
    asynchat::pool<fetch_channel> connections;
};

// Knows which pages were requested and which still wait, and gives the connections their work.
class crawler {
public:
    // Called for each finished page, with an error or without one.
    using reporter = std::function<void(const page&, std::string_view error)>;

    crawler(asynchat::loop& loop, fetch_settings chosen, reporter report)
        : loop_(loop), settings_(std::move(chosen)), report_(std::move(report))
    {
    }

    const fetch_settings& chosen() const noexcept { return settings_; }
    std::size_t waiting() const noexcept { return waiting_; }
    std::size_t connections() const noexcept { return users_; }
    bool is_full() const noexcept { return seen_.size() == most_pages; }

    // Fetches each address once, however often it is added.
    void add(const url& where, int redirects = 0)
    {
        if (is_full() || !seen_.insert(where.to_string()).second)
            return;
        site& from = sites_.try_emplace(where.origin(), loop_, where, *this).first->second;
        from.waiting.emplace_back(where, redirects, settings_);
        ++waiting_;
    }

    // Asks for as many connections as the waiting pages need and the limits allow.
    void start()
    {
        for (auto& [name, site] : sites_) {
            while (users_ < most_connections && site.users < settings_.per_host &&
                   needs_connection(site))
                ask_for_connection(site);
        }
    }

    // --- for the connections -------------------------------------------------------------------

    // Whether there are more waiting pages than connections that were asked for.
    static bool needs_connection(const site& site) { return site.waiting.size() > site.asking; }

    void done(site& site, const page& fetched)
    {
        site.has_answered = true;
        std::string_view error;
        if (!fetched.location.empty() && fetched.redirects == most_redirects)
            error = "too many redirects";
        else if (!fetched.location.empty() && !follow(fetched, fetched.location))
            error = settings_.is_recursive                     ? ""
                    : resolve(fetched.where, fetched.location) ? "leads to https, without OpenSSL"
                                                               : "leads out of HTTP";
        for (const std::string& link : links_of(fetched.html))
            follow(fetched, link);
        report_(fetched, error);
    }

    // The connection was lost before an answer came: requests the page on another one.
    void again(site& site, page lost)
    {
        site.waiting.push_front(std::move(lost));
        ++waiting_;
    }

    void failed(site& site, const page& lost, std::string_view error)
    {
        site.has_answered = true; // a connection was made
        report_(lost, error);
    }

    // A connection is not used any more. It was handed back, or has ended.
    void left(site& site)
    {
        --site.users;
        --users_;
        start();
        if (users_ > 0)
            return;
        for (auto& [name, each] : sites_) // all pages are there: idle connections end
            each.connections.stop();
    }

private:
    static constexpr std::size_t most_pages = 100000;
    static constexpr std::size_t most_connections = 100;
    static constexpr int most_redirects = 10;

    // These two are defined after fetch_channel, which they use.
    void ask_for_connection(site& site);
    void use(site& site, const asynchat::handle<fetch_channel>& connection);

    std::optional<page> next(site& site)
    {
        if (site.waiting.empty())
            return std::nullopt;
        page taken = std::move(site.waiting.front());
        site.waiting.pop_front();
        --waiting_;
        taken.asked = std::chrono::steady_clock::now();
        return taken;
    }

    // If no connection was ever made, no other page is tried there.
    void unreachable(site& site)
    {
        do {
            if (const auto lost = next(site))
                report_(*lost, site.error);
        } while (!site.has_answered && !site.waiting.empty());
    }

    // Follows a link within its site, and a redirect everywhere, unless it fetches whole sites.
    bool follow(const page& from, std::string_view link)
    {
        const auto to = resolve(from.where, link);
        if (!to || (to->is_secure && !arguments::have_tls) ||
            (settings_.is_recursive && to->origin() != from.where.origin()))
            return false;
        add(*to, from.location.empty() ? 0 : from.redirects + 1);
        return true;
    }

    asynchat::loop& loop_;
    fetch_settings settings_;
    reporter report_;
    std::set<std::string> seen_;
    std::size_t waiting_ = 0;
    std::size_t users_ = 0;
    std::map<std::string, site> sites_; // the last: their pools end with it
};

} // namespace http

#endif
