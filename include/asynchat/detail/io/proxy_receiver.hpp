// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_PROXY_RECEIVER_HPP
#define ASYNCHAT_DETAIL_IO_PROXY_RECEIVER_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/proxy_header.hpp>
#include <asynchat/detail/server_state.hpp>
#include <asynchat/dispatcher.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/error.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/socket.hpp>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Receives a PROXY header, and no byte behind it.
///
/// It looks at what is there (MSG_PEEK), and receives what belongs to the header. So TLS finds its
/// first byte, and bytes of an incomplete header do not keep the socket readable.
class proxy_input {
public:
    static constexpr std::size_t min_header = 536;
    static constexpr std::size_t max_header = 4096;

    enum class result : unsigned char { complete, incomplete, failed };

    explicit proxy_input(std::size_t max_bytes) noexcept : max_bytes_(max_bytes), header_(max_bytes)
    {
    }

    /// Receives by `receive(into, keep, error)`, which leaves the bytes there if `keep`.
    template <class Receive>
    result receive(const Receive& receive)
    {
        std::array<char, max_header> scratch;
        for (;;) {
            const std::size_t room = max_bytes_ - header_.taken();
            std::error_code error;
            const std::size_t seen = receive(asio::buffer(scratch.data(), room), true, error);
            if (error)
                return stopped(error);
            const auto next = header_.look({scratch.data(), seen});
            if (next.how == proxy_decoder::verdict::malformed)
                return fail("its PROXY header is malformed: " + header_.error());
            const std::size_t size = receive(asio::buffer(scratch.data(), next.size), false, error);
            if (error)
                return stopped(error);
            if (next.how == proxy_decoder::verdict::complete && size == next.size)
                return result::complete;
            header_.take({scratch.data(), size});
        }
    }

    /// What the complete header says.
    proxy_fields& fields() noexcept { return header_.fields(); }

    /// Why it has failed; empty when the peer has closed the connection and sent nothing, as some
    /// checks of servers do.
    const std::string& error() const noexcept { return error_; }

private:
    ASYNCHAT_DECL result stopped(const std::error_code& error);
    ASYNCHAT_DECL result fail(std::string why);

    std::size_t max_bytes_;
    proxy_decoder header_;
    std::string error_;
};

/// Keeps an accepted connection until its PROXY header is complete, and gives it to the server.
class proxy_receiver final : public dispatcher {
public:
    proxy_receiver(loop& owner, socket connection, std::shared_ptr<server_state> server,
                   proxy_input begun, loop::duration timeout);
    ~proxy_receiver() override { server_->header_ended(number_); }

    void handle_read() override;
    void handle_close() override;
    void handle_error() override;
    void close() override;

    /// Closes it; the server counts and logs why.
    void refuse(const std::string& why);

    /// Closes all receivers of a server, without a word.
    static void close_all(server_state& server);

private:
    std::shared_ptr<server_state> server_;
    proxy_input input_;
    loop::time_point since_; // the accept
    loop::duration timeout_;
    unsigned number_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
