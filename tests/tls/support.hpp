// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_TLS_SUPPORT_HPP
#define ASYNCHAT_TESTS_TLS_SUPPORT_HPP

#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>
#include <asynchat/tls.hpp>
#include <asynchat/tls_testing.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

// A server and a client over TLS, in one testing::loop.
namespace support {

using strings = std::vector<std::string>;
namespace tls = asynchat::tls;
using tls::pem;

inline const asynchat::endpoint there("127.0.0.1", 443);

/// The authority of all tests: making a key takes a while.
inline const asynchat::testing::authority& ca()
{
    static const asynchat::testing::authority one;
    return one;
}

inline asynchat::testing::issued certificate_for(std::vector<std::string> hosts)
{
    asynchat::testing::certificate_request what;
    what.hosts = std::move(hosts);
    return ca().issue(what.hosts.front(), what);
}

inline const asynchat::testing::issued& usual_certificate()
{
    static const auto one = certificate_for({"localhost", "a.example", "127.0.0.1"});
    return one;
}

inline tls::context server_context(const asynchat::testing::issued& shown = usual_certificate())
{
    auto context = tls::context::for_server();
    context.load_cert_chain(pem{shown.certificate}, pem{shown.key});
    return context;
}

inline tls::context client_context()
{
    auto context = tls::context::for_client();
    context.load_verify_locations(pem{ca().certificate()});
    return context;
}

/// Records what happens, and notes the handshake.
class recorder : public asynchat::testing::recorder<> {
public:
    explicit recorder(asynchat::loop& owner) : asynchat::testing::recorder<>(owner)
    {
        set_terminator("\n");
    }
    recorder(asynchat::loop& owner, asynchat::socket from)
        : asynchat::testing::recorder<>(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void handle_open() override { note("open"); }
    void handle_handshake() override { note("handshake"); }
};

/// Sends each line back.
class echo : public recorder {
public:
    using recorder::recorder;
    void collect_incoming_data(std::string_view data) override
    {
        recorder::collect_incoming_data(data);
        line_ += data;
    }
    void found_terminator() override
    {
        recorder::found_terminator();
        push(std::exchange(line_, {}) + "\n");
    }

private:
    std::string line_;
};

/// A client and the server's channel, which are connected when the loop has run.
template <class Handler = echo>
struct both {
    explicit both(const tls::context& of_server = server_context(),
                  const tls::context& of_client = client_context(),
                  tls::start_options options = "localhost")
        : both(0, of_server, of_client, std::move(options))
    {
    }
    both(std::uint64_t seed, const tls::context& of_server, const tls::context& of_client,
         tls::start_options options = "localhost")
        : loop(seed), server(loop.create<asynchat::server<Handler>>(there).lock())
    {
        use_tls(*server, of_server);
        client = loop.create<recorder>().lock();
        start_tls(*client, of_client, std::move(options));
        client->connect(there);
    }

    /// The channel of the server, once it was accepted.
    std::shared_ptr<Handler> accepted()
    {
        for (const auto& channel : loop.channels()) {
            if (auto found = std::dynamic_pointer_cast<Handler>(channel);
                found && found->addr() != there)
                return found;
        }
        return nullptr;
    }

    asynchat::testing::loop loop;
    std::shared_ptr<asynchat::server<Handler>> server;
    std::shared_ptr<recorder> client;
};

} // namespace support

#endif
