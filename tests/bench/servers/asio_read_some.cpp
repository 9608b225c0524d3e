// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Asio tuned by hand: async_read_some into the connection's own buffer, one write for all that one
// read brought, tried at once without a handler.

#include "asio_server.hpp"

#include <asio/buffer.hpp>
#include <asio/write.hpp>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <utility>

namespace {

class session : public std::enable_shared_from_this<session> {
public:
    session(asio::ip::tcp::socket socket, bool counted) : socket_(std::move(socket)), echo_()
    {
        echo_.counted = counted ? 1 : 0;
        socket_.non_blocking(true);
    }
    ~session() { echo_free(&echo_); }
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    void start()
    {
        std::size_t size = 0;
        char* const into = echo_target(&echo_, buffer_, &size);
        if (into == buffer_)
            size = sizeof buffer_;
        socket_.async_read_some(
            asio::buffer(into, size),
            [self = shared_from_this(), into](std::error_code error, std::size_t n) {
                if (!error)
                    self->received(into, n);
            });
    }

private:
    void received(const char* data, std::size_t size)
    {
        static char scratch[SCRATCH];
        const char* reply = nullptr;
        char* owned = nullptr;
        const std::size_t answer = echo_feed(&echo_, data, size, scratch, &reply, &owned);
        const std::unique_ptr<char, decltype(&std::free)> frame(owned, &std::free);
        if (answer == 0)
            return start();
        std::error_code error;
        const std::size_t sent = socket_.send(asio::buffer(reply, answer), 0, error);
        if (error && error != asio::error::would_block)
            return;
        if (sent == answer)
            return start();
        rest_.assign(reply + sent, answer - sent);
        asio::async_write(socket_, asio::buffer(rest_),
                          [self = shared_from_this()](std::error_code failed, std::size_t) {
                              if (!failed)
                                  self->start();
                          });
    }

    asio::ip::tcp::socket socket_;
    echo echo_;
    std::string rest_;
    char buffer_[BUFFER];
};

} // namespace

int main(int argc, char** argv)
{
    return bench::serve<session>(argc, argv);
}
