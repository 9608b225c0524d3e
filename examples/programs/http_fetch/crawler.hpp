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

// The waiting pages of one scheme, host and port, and the connections to it.
struct site_queue {
    std::deque<page> waiting;
    std::size_t connections = 0;
    std::size_t connecting = 0; // of them
    bool has_answered = false;
};

// Knows which pages were requested and which still wait. Connections get their work here.
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
    std::size_t connections() const noexcept { return connections_; }
    bool is_full() const noexcept { return seen_.size() == most_pages; }

    // Fetches each address once, however often it is added.
    void add(const url& where, int redirects = 0)
    {
        if (is_full() || !seen_.insert(where.to_string()).second)
            return;
        sites_[where.origin()].waiting.emplace_back(where, redirects, settings_);
        ++waiting_;
    }

    // Opens as many connections as the waiting pages need and the limits allow.
    void start()
    {
        for (auto& [name, site] : sites_) {
            while (connections_ < most_connections && site.connections < settings_.per_host &&
                   site.connecting < site.waiting.size()) {
                ++site.connections;
                ++site.connecting;
                ++connections_;
                open_connection(site);
            }
        }
    }

    // --- for the connections -------------------------------------------------------------------

    void connected(site_queue& site) { --site.connecting; }

    std::optional<page> next(site_queue& site)
    {
        if (site.waiting.empty())
            return std::nullopt;
        page taken = std::move(site.waiting.front());
        site.waiting.pop_front();
        --waiting_;
        taken.asked = std::chrono::steady_clock::now();
        return taken;
    }

    void done(site_queue& site, const page& fetched)
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
        start();
    }

    // The connection was lost before an answer came: requests the page on another one.
    void again(site_queue& site, page lost)
    {
        site.waiting.push_front(std::move(lost));
        ++waiting_;
    }

    void failed(site_queue& site, const page& lost, std::string_view error)
    {
        site.has_answered = true; // a connection was made
        report_(lost, error);
    }

    // A connection attempt failed. If no attempt ever succeeded, no other page is tried there.
    void unreachable(site_queue& site, std::string_view error)
    {
        --site.connecting;
        do {
            if (const auto lost = next(site))
                report_(*lost, error);
        } while (!site.has_answered && !site.waiting.empty());
    }

    void left(site_queue& site)
    {
        --site.connections;
        --connections_;
        start();
    }

private:
    static constexpr std::size_t most_pages = 100000;
    static constexpr std::size_t most_connections = 100;
    static constexpr int most_redirects = 10;

    void open_connection(site_queue& site); // defined after fetch_channel, which it makes

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
    std::map<std::string, site_queue> sites_;
    std::size_t waiting_ = 0;
    std::size_t connections_ = 0;
};

} // namespace http

#endif
