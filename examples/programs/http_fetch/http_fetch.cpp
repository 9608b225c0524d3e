// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Fetches pages, many at once. With --recursive it also fetches the pages of the same site that
// they link to.
//
//     http_fetch [--recursive] [--output FOLDER] [--connections N] [--timeout SECONDS]
//                [--ca FILE] URL...
//
// Exits with 0 if it fetched all pages, with 1 if not, with 2 after wrong use.

#include "fetch_channel.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include <cstdio>

namespace {

constexpr std::string_view usage =
    "usage: http_fetch [--recursive] [--output FOLDER] [--connections N] [--timeout SECONDS]\n"
    "                  [--ca FILE] URL...\n"
    "\n"
    "Fetches the pages, and writes a line for each: status, bytes, milliseconds, address.\n"
    "\n"
    "  --recursive        all pages of the same site, too, that they lead to\n"
    "  --output FOLDER    where to write the pages, FOLDER/host/path\n"
    "  --connections N    to each host, 1 to 100 (4)\n"
    "  --timeout SECONDS  for a connection, for a header, and without a byte, 1 to 3600 (10)\n"
    "  --ca FILE          trusts the authorities of this PEM file, instead of the system's\n"
    "  URL                http://host[:port][/path], or https\n";

std::size_t positive(std::string_view name, std::string_view text, std::size_t most)
{
    const std::size_t number = arguments::number(name, text, most);
    if (number == 0)
        throw arguments::wrong_use(fmt::format("{}: 0 is too little", name));
    return number;
}

http::fetch_settings parse_settings(arguments::command_line& line)
{
    http::fetch_settings settings{arguments::client_tls(line)};
    settings.is_recursive = line.flag("--recursive");
    settings.folder = line.option("--output").value_or("");
    if (const auto number = line.option("--connections"))
        settings.per_host = positive("--connections", *number, 100);
    if (const auto seconds = line.option("--timeout"))
        settings.timeout = std::chrono::seconds(positive("--timeout", *seconds, 3600));
    return settings;
}

std::vector<http::url> parse_urls(const std::vector<std::string>& words)
{
    std::vector<http::url> urls;
    for (const std::string& word : words) {
        const auto url = http::parse_url(word);
        if (!url)
            throw arguments::wrong_use(
                fmt::format("URL: '{}' is not http://host", asynchat::escaped(word)));
        if (url->is_secure && !arguments::have_tls)
            throw arguments::no_tls("https");
        urls.push_back(*url);
    }
    if (urls.empty())
        throw arguments::wrong_use("URL: none is given");
    return urls;
}

long long milliseconds_since(std::chrono::steady_clock::time_point start)
{
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now() - start).count();
}

int fetch(arguments::command_line line)
{
    const auto settings = parse_settings(line);
    const auto urls = parse_urls(line.words(asynchat::unlimited));
    const auto start = std::chrono::steady_clock::now();
    const bool shows_progress = isatty(STDERR_FILENO) == 1;
    std::size_t fetched = 0;
    std::size_t failures = 0;
    std::uint64_t bytes = 0;

    const auto report = [&](const http::page& page, std::string_view error) {
        const bool is_good = error.empty() && page.status < 400;
        ++(is_good ? fetched : failures);
        bytes += page.bytes;
        if (shows_progress)
            fmt::print(stderr, "\r\x1b[K");
        const auto waited =
            page.asked.time_since_epoch().count() ? milliseconds_since(page.asked) : 0;
        fmt::print("{:>3} {:>10} {:>6} {}{}{}\n",
                   page.status > 0 ? std::to_string(page.status) : "-", page.bytes, waited,
                   page.where.to_string(), error.empty() ? "" : ": ", asynchat::escaped(error));
        std::fflush(stdout);
    };
    asynchat::loop loop;
    loop.stop_on_signals();
    http::crawler crawler(loop, settings, report);
    for (const http::url& where : urls)
        crawler.add(where);
    crawler.start();
    if (shows_progress) {
        loop.call_every(std::chrono::milliseconds(100), [&] {
            fmt::print(stderr,
                       "\r\x1b[K{} fetched, {} failed, {} waiting, {} connections, {} bytes",
                       fetched, failures, crawler.waiting(), crawler.connections(), bytes);
        });
    }
    loop.run();
    if (shows_progress)
        fmt::print(stderr, "\r\x1b[K");
    loop.close_all(); // after a signal there may be connections, which use the crawler
    const char* const end = crawler.waiting() + crawler.connections() > 0 ? ", interrupted"
                            : crawler.is_full() ? ", stopped: too many pages"
                                                : "";
    fmt::print("{} fetched, {} failed{}, {} bytes, {} ms\n", fetched, failures, end, bytes,
               milliseconds_since(start));
    return failures == 0 && *end == '\0' ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("http_fetch", usage, argc, argv, fetch);
}
