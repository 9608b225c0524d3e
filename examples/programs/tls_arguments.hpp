// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// TLS for the programs: the options --tls of the servers and --ca of the clients.

#ifndef PROGRAMS_TLS_ARGUMENTS_HPP
#define PROGRAMS_TLS_ARGUMENTS_HPP

#include "arguments.hpp"

#include <asynchat/dispatcher.hpp>
#include <asynchat/server.hpp>

#ifdef PROGRAMS_HAVE_TLS
#  include <asynchat/tls.hpp>
#endif

#include <fmt/format.h>

#include <string_view>

namespace arguments {

inline wrong_use no_tls(std::string_view name)
{
    return wrong_use(fmt::format("{}: this program was built without OpenSSL", name));
}

#ifdef PROGRAMS_HAVE_TLS

inline constexpr bool have_tls = true;

// The option "--tls CERT KEY" of a server: two PEM files. Without it nothing is protected.
class server_tls {
public:
    explicit server_tls(command_line& line)
    {
        if (const auto files = line.pair("--tls")) {
            is_on_ = true;
            context_.load_cert_chain(files->first, files->second);
        }
    }

    explicit operator bool() const noexcept { return is_on_; }

    // Connections that the server accepts from now on.
    void protect(asynchat::server_base& server) const
    {
        if (is_on_)
            use_tls(server, context_);
    }

    // A connection that was just accepted.
    void protect(asynchat::dispatcher& channel) const
    {
        if (is_on_)
            start_tls(channel, context_);
    }

private:
    asynchat::tls::context context_ = asynchat::tls::context::for_server();
    bool is_on_ = false;
};

// The option "--ca FILE" of a client: the authorities to trust, instead of those of the system.
class client_tls {
public:
    explicit client_tls(command_line& line)
    {
        if (const auto file = line.option("--ca"))
            context_.load_verify_locations(*file);
    }

    // Before connect().
    void protect(asynchat::dispatcher& channel) const { start_tls(channel, context_); }

private:
    asynchat::tls::context context_ = asynchat::tls::context::for_client();
};

#else

inline constexpr bool have_tls = false;

class server_tls {
public:
    explicit server_tls(command_line& line)
    {
        if (line.pair("--tls"))
            throw no_tls("--tls");
    }

    explicit operator bool() const noexcept { return false; }
    void protect(asynchat::dispatcher&) const {}
};

class client_tls {
public:
    explicit client_tls(command_line& line)
    {
        if (line.option("--ca"))
            throw no_tls("--ca");
    }

    void protect(asynchat::dispatcher&) const {} // https was refused before
};

#endif

} // namespace arguments

#endif
