// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// asio::ssl by hand: async_read_some into a buffer of each session's own, all answers of one read
// in one write.

#include "asio_server.hpp"

#include <asio/ssl.hpp>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <string>

namespace {

asio::ssl::context& shared_context()
{
    static asio::ssl::context context(asio::ssl::context::tls_server);
    return context;
}

class session : public std::enable_shared_from_this<session> {
public:
    session(asio::ip::tcp::socket peer, bool counted) : stream_(std::move(peer), shared_context())
    {
        echo_.counted = counted ? 1 : 0;
    }
    ~session() { echo_free(&echo_); }
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    void start()
    {
        stream_.async_handshake(asio::ssl::stream_base::server,
                                [self = shared_from_this()](std::error_code error) {
                                    if (!error)
                                        self->read();
                                });
    }

private:
    void read()
    {
        std::size_t size = 0;
        char* into = echo_target(&echo_, nullptr, &size);
        if (into == nullptr) {
            into = buffer_.data();
            size = buffer_.size();
        }
        stream_.async_read_some(
            asio::buffer(into, size),
            [self = shared_from_this(), into](std::error_code error, std::size_t got) {
                if (!error)
                    self->feed(into, got);
            });
    }

    void feed(const char* data, std::size_t size)
    {
        const char* reply = nullptr;
        const std::size_t answer = echo_feed(&echo_, data, size, scratch, &reply);
        if (answer == 0)
            return read();
        asio::const_buffer all(reply, answer);
        if (reply == scratch) {
            answer_.assign(reply, answer);
            all = asio::buffer(answer_);
        }
        asio::async_write(stream_, all,
                          [self = shared_from_this()](std::error_code error, std::size_t) {
                              if (!error)
                                  self->read();
                          });
    }

    static char scratch[SCRATCH];

    asio::ssl::stream<asio::ip::tcp::socket> stream_;
    echo echo_ = {};
    std::string answer_;
    std::array<char, BUFFER> buffer_; // of which an idle session has touched the first page
};

char session::scratch[SCRATCH];

} // namespace

int main(int argc, char** argv)
{
    if (argc != 4)
        return std::fprintf(stderr, "usage: asio_ssl lines|counted CERTIFICATE KEY\n"), 2;
    SSL_CTX_set_mode(shared_context().native_handle(), SSL_MODE_RELEASE_BUFFERS);
    shared_context().use_certificate_chain_file(argv[2]);
    shared_context().use_private_key_file(argv[3], asio::ssl::context::pem);
    return bench::serve<session>(2, argv);
}
