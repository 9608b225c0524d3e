// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include <asynchat/asynchat.hpp>
#include <asynchat/tls.hpp>
#include <asynchat/tls_testing.hpp>

#include <cstdio>

int main()
{
    using namespace asynchat::tls;
    const auto shown = asynchat::testing::authority().issue("localhost");
    context::for_server().load_cert_chain(pem{shown.certificate}, pem{shown.key});
    std::puts("asynchat: TLS has a certificate");
}
