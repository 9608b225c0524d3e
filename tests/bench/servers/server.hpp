// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_BENCH_SERVER_HPP
#define ASYNCHAT_BENCH_SERVER_HPP

#include <asynchat/asynchat.hpp>
#ifdef ASYNCHAT_BENCH_TLS
#  include <asynchat/tls.hpp>
#endif

#include <asio/version.hpp>

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

// What the servers with this library have in common.
namespace bench {

inline constexpr std::size_t largest_frame = 16 << 20;

/// n of "ECHO n".
inline std::size_t count_of(std::string_view header)
{
    std::size_t count = 0;
    std::from_chars(header.data() + 5, header.data() + header.size(), count);
    return count;
}

/// Sends each line that one channel gets to all, kept in memory once.
class broadcaster : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void handle_open() override { set_terminator("\n"); }
    void found_terminator() override
    {
        const auto message = std::make_shared<const std::string>(_get_data() + "\n");
        for (const auto& channel : owner().channels())
            if (auto* const member = dynamic_cast<broadcaster*>(channel.get()))
                member->push(message);
    }
};

/// Returns the address, and protects the connections if the server is compiled for TLS.
template <class Channel>
asynchat::endpoint listen(asynchat::loop& loop, [[maybe_unused]] char** files)
{
    const auto server =
        loop.create<asynchat::server<Channel>>(asynchat::endpoint("127.0.0.1", 0)).lock();
#ifdef ASYNCHAT_BENCH_TLS
    auto context = asynchat::tls::context::for_server();
    context.load_cert_chain(files[0], files[1]);
    use_tls(*server, context);
#endif
    return server->local_endpoint();
}

/// Prints the port, and serves until a signal.
inline int run(asynchat::loop& loop, const asynchat::endpoint& where)
{
    std::printf("%u\n", static_cast<unsigned>(where.port()));
    std::fflush(stdout);
    loop.stop_on_signals();
    loop.run();
    return 0;
}

/// MODE, and for TLS the files with certificate and key.
template <class Lines, class Counted>
int serve(int argc, char** argv)
{
#ifdef ASYNCHAT_BENCH_TLS
    constexpr int arguments = 4;
#else
    constexpr int arguments = 2;
#endif
    const std::string_view mode = argc == arguments ? argv[1] : "";
    if (argc == 2 && argv[1] == std::string_view("versions")) {
        std::printf("Asio %d.%d.%d\n", ASIO_VERSION / 100000, ASIO_VERSION / 100 % 1000,
                    ASIO_VERSION % 100);
        return 0;
    }
    asynchat::loop loop;
    asynchat::endpoint where;
    if (mode == "lines")
        where = listen<Lines>(loop, argv + 2);
    else if (mode == "counted")
        where = listen<Counted>(loop, argv + 2);
    else if (mode == "broadcast")
        where = listen<broadcaster>(loop, argv + 2);
    else
        return std::fprintf(stderr, "usage: %s lines|counted|broadcast|versions\n", argv[0]), 2;
    return run(loop, where);
}

} // namespace bench

#endif
