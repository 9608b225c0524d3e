// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Fetches pages, many at once, and with --recursive all that they link to on their sites.
//
//     http_fetch [--recursive] [--output FOLDER] [--connections N] [--timeout SECONDS] URL...
//
// Exits with 0 when all came, 1 when not, 2 when used wrongly.

#include "fetch_channel.hpp"

#include <unistd.h>

#include <cstdio>
#include <exception>

namespace {

constexpr std::string_view usage =
    "usage: http_fetch [--recursive] [--output FOLDER] [--connections N] [--timeout SECONDS]\n"
    "                  URL...\n"
    "\n"
    "Fetches the pages, and writes a line for each: status, bytes, milliseconds, address.\n"
    "\n"
    "  --recursive        all pages of the same site, too, that they lead to\n"
    "  --output FOLDER    where to write the pages, FOLDER/host/path\n"
    "  --connections N    to each host, 1 to 100 (4)\n"
    "  --timeout SECONDS  for a connection, for a header, and without a byte, 1 to 3600 (10)\n"
    "  URL                http://host[:port][/path]\n";

struct arguments {
    http::fetch_settings settings;
    std::vector<http::url> urls;
};

// A number from 1 to `max`, or std::invalid_argument that names the argument and the byte.
std::size_t number(std::string_view name, std::string_view text, std::size_t max)
{
    const auto parsed = asynchat::parse_number(text, max);
    if (!parsed)
        throw std::invalid_argument(fmt::format("{}: {} at byte {} of '{}'", name,
                                                asynchat::to_string(parsed.error()),
                                                parsed.position(), text));
    if (*parsed == 0)
        throw std::invalid_argument(fmt::format("{}: 0 is too little", name));
    return *parsed;
}

arguments parse(const std::vector<std::string>& given)
{
    arguments parsed;
    for (std::size_t i = 0; i < given.size(); ++i) {
        const std::string& word = given[i];
        if (word.substr(0, 1) != "-") {
            const auto where = http::parse_url(word);
            if (!where)
                throw std::invalid_argument(fmt::format("URL: '{}' is not http://host", word));
            parsed.urls.push_back(*where);
            continue;
        }
        if (word == "--recursive") {
            parsed.settings.is_recursive = true;
            continue;
        }
        if (word != "--output" && word != "--connections" && word != "--timeout")
            throw std::invalid_argument(fmt::format("there is no {}", word));
        if (++i == given.size())
            throw std::invalid_argument(fmt::format("{}: the value is missing", word));
        if (word == "--output")
            parsed.settings.folder = given[i];
        else if (word == "--connections")
            parsed.settings.per_host = number(word, given[i], 100);
        else
            parsed.settings.timeout = std::chrono::seconds(number(word, given[i], 3600));
    }
    if (parsed.urls.empty())
        throw std::invalid_argument("URL: none is given");
    return parsed;
}

long long milliseconds_since(std::chrono::steady_clock::time_point start)
{
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now() - start).count();
}

bool fetch(const arguments& given)
{
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
    http::crawler crawler(loop, given.settings, report);
    for (const http::url& where : given.urls)
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
    loop.close_all(); // after a signal there may be connections, which refer to the crawler
    const char* const end = crawler.waiting() + crawler.connections() > 0 ? ", interrupted"
                            : crawler.is_full() ? ", stopped: too many pages"
                                                : "";
    fmt::print("{} fetched, {} failed{}, {} bytes, {} ms\n", fetched, failures, end, bytes,
               milliseconds_since(start));
    return failures == 0 && *end == '\0';
}

} // namespace

int main(int argc, char** argv)
{
    arguments given;
    if (argc == 2 && argv[1] == std::string_view("--help")) {
        fmt::print("{}", usage);
        return 0;
    }
    try {
        given = parse({argv + 1, argv + argc});
    } catch (const std::invalid_argument& error) {
        fmt::print(stderr, "http_fetch: {}\n\n{}", error.what(), usage);
        return 2;
    }
    try {
        return fetch(given) ? 0 : 1;
    } catch (const std::exception& error) {
        fmt::print(stderr, "http_fetch: {}\n", error.what());
        return 1;
    }
}
