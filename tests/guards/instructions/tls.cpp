// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A message over TLS; see counting.hpp. Only the instructions of this program are counted: of the
// library, of Asio and of the peers, and not those of OpenSSL, which differ from build to build.
#include "counting.hpp"
#include "guards/guard.hpp"
#include "guards/tls_end.hpp"

#include <cstddef>
#include <string>

namespace {

constexpr std::size_t connections = 2; // each has a handshake, which takes time to count

const guards::kind kinds[] = {
    {"tls-ping-pong-of-2",
     [](std::size_t n) {
         const std::string line = guards::lines(1, 64);
         guards::lockstep<guards::tls_line_echo, guards::tls_end>(connections)
             .converse(n / connections, connections, line, line);
     }},
};

} // namespace

int main(int argc, char** argv)
{
    return guards::count_all(argc, argv, kinds, connections, "/tls");
}
