// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// All tests once more, with layers under each channel: linked with a library that asks here for
// those of each transport. ASYNCHAT_TEST_LAYERS says which: two that undo each other, so that what
// is on the other side, a socket of the system or a script, sees what it saw without them.

#include "support/layers.hpp"

#ifdef ASYNCHAT_TEST_TLS
#  include "tls_under_all.hpp"
#endif

#include <asynchat/asynchat.hpp>

#include <asio/error.hpp>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace {

std::string wanted_kind()
{
    const char* const wanted = std::getenv("ASYNCHAT_TEST_LAYERS");
    return wanted ? wanted : "";
}

} // namespace

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

std::vector<std::unique_ptr<transport_layer>> layers_under_test(transport& below)
{
    int type = 0;
    socklen_t size = sizeof type;
    const bool is_socket =
        ::getsockopt(below.native_handle(), SOL_SOCKET, SO_TYPE, &type, &size) == 0;
    std::vector<std::unique_ptr<transport_layer>> layers;
    if (is_socket && type != SOCK_STREAM)
        return layers;
    const std::string kind = wanted_kind();
    if (kind == "xor") {
        layers.push_back(std::make_unique<support::xor_layer>());
        layers.push_back(std::make_unique<support::xor_layer>());
    } else if (kind == "records") {
        layers.push_back(std::make_unique<support::unrecord_layer>());
        layers.push_back(std::make_unique<support::record_layer>());
#ifdef ASYNCHAT_TEST_TLS
    } else if (kind == "tls") {
        static thread_local support::tls_under_all tls;
        layers = tls.next();
#endif
    } else {
        throw std::logic_error("ASYNCHAT_TEST_LAYERS is neither xor, records nor tls");
    }
    return layers;
}

/// For TLS: the handshake happens between the layers alone, so it is complete before the channel
/// has them.
void prepare_layers_under_test(transport_layer& top)
{
    if (wanted_kind() != "tls")
        return;
    for (std::error_code error = asio::error::would_block; error == asio::error::would_block;)
        top.establish({}, error);
    if (!top.is_established())
        throw std::logic_error("the handshake has failed");
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat
