// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>
#include <asynchat/tls.hpp>
#include <asynchat/tls_testing.hpp>

#include <string>

namespace {

/// Notes the version of TLS.
class noting : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void handle_handshake() override { version = asynchat::tls::connection(*this).version(); }
    void handle_connect() override {}
    void found_terminator() override {}
    std::string version;
};

} // namespace

int main()
{
    using namespace asynchat::tls;
    const asynchat::testing::authority ca;
    const auto shown = ca.issue("localhost");
    auto of_server = context::for_server();
    of_server.load_cert_chain(pem{shown.certificate}, pem{shown.key});
    auto of_client = context::for_client();
    of_client.load_verify_locations(pem{ca.certificate()});
    asynchat::testing::loop loop;
    const asynchat::endpoint where("127.0.0.1", 443);
    use_tls(*loop.create<asynchat::server<noting>>(where).lock(), of_server);
    const auto client = loop.create<noting>().lock();
    start_tls(*client, of_client, "localhost");
    client->connect(where);
    loop.settle();
    return client->version == "TLSv1.3" ? 0 : 1;
}
