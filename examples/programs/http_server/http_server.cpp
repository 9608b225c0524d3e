// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A web server: the example of asynchat's manual made whole. Serves a folder of files, and a page
// of its own that shows what it is doing.
//
//     http_server [--root FOLDER] [--timeout SECONDS] [HOST [PORT]]     until SIGINT or SIGTERM
//
// Exits with 0 after a signal, 1 when it cannot serve, 2 when used wrongly.

#include "http_channel.hpp"

#include <cstdio>
#include <exception>

namespace {

constexpr std::string_view usage =
    "usage: http_server [--root FOLDER] [--timeout SECONDS] [HOST [PORT]]\n"
    "\n"
    "Serves HTTP until SIGINT or SIGTERM; a second signal does not wait for the last answers.\n"
    "\n"
    "  --root FOLDER      its files, index.html for the folders; without it only /server\n"
    "  --timeout SECONDS  for a request to be complete; twice that for it to begin\n"
    "                     (30; 0 is for ever)\n"
    "  HOST               an address in digits: 127.0.0.1 if not given\n"
    "  PORT               0, or none, is any free one; the first line of the output tells which\n";

struct arguments {
    http::settings settings;
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
};

// A number between 0 and `max`, or std::invalid_argument that names the argument and the byte.
std::size_t number(std::string_view name, std::string_view text, std::size_t max)
{
    const auto parsed = asynchat::parse_number(text, max);
    if (!parsed)
        throw std::invalid_argument(fmt::format("{}: {} at byte {} of '{}'", name,
                                                asynchat::to_string(parsed.error()),
                                                parsed.position(), text));
    return *parsed;
}

arguments parse(std::vector<std::string> given)
{
    arguments parsed;
    std::size_t words = 0;
    for (std::size_t i = 0; i < given.size(); ++i) {
        const std::string& word = given[i];
        if (word.substr(0, 1) != "-") {
            if (++words == 1)
                parsed.host = word;
            else if (words == 2)
                parsed.port = static_cast<std::uint16_t>(number("PORT", word, 65535));
            else
                throw std::invalid_argument(fmt::format("one argument too many: '{}'", word));
            continue;
        }
        if (word != "--root" && word != "--timeout")
            throw std::invalid_argument(fmt::format("there is no {}", word));
        if (++i == given.size())
            throw std::invalid_argument(fmt::format("{}: the value is missing", word));
        if (word == "--root")
            parsed.settings.root = given[i];
        else
            parsed.settings.timeout = std::chrono::seconds(number(word, given[i], 3600));
    }
    return parsed;
}

void serve(const arguments& given)
{
    using namespace std::chrono_literals;
    http::site site(given.settings);
    asynchat::loop loop;
    const auto server = loop.create<asynchat::server<http::http_channel>>(
                                asynchat::endpoint(given.host, given.port), std::ref(site))
                            .lock();
    server->max_connections(400); // each may have a file open; 1024 descriptors are usual
    site.show(server->counters());
    loop.on_signals([&] { server->stop(5s); });
    fmt::print("listening on http://{}/\n", server->local_endpoint().to_string());
    std::fflush(stdout);
    loop.run();
    fmt::print("{} requests on {} connections, {} bytes in, {} bytes out\n", site.requests(),
               server->counters().accepted, server->counters().bytes_in,
               server->counters().bytes_out);
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
        fmt::print(stderr, "http_server: {}\n\n{}", error.what(), usage);
        return 2;
    }
    try {
        serve(given);
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "http_server: {}\n", error.what());
        return 1;
    }
}
