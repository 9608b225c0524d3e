// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Asio tuned by hand: async_read_some into a buffer of each session's own, all answers of one read
// in one write, tried at once.

#include "asio_server.hpp"

#include <array>
#include <cstddef>
#include <cstdlib>
#include <string>

namespace {

class session : public std::enable_shared_from_this<session> {
public:
    session(asio::ip::tcp::socket peer, bool counted) : socket_(std::move(peer))
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
        char* into = echo_target(&echo_, nullptr, &size);
        if (into == nullptr) {
            into = buffer_.data();
            size = buffer_.size();
        }
        socket_.async_read_some(
            asio::buffer(into, size),
            [self = shared_from_this(), into](std::error_code error, std::size_t got) {
                if (!error)
                    self->feed(into, got);
            });
    }

private:
    void feed(const char* data, std::size_t size)
    {
        const char* reply = nullptr;
        const std::size_t answer = echo_feed(&echo_, data, size, scratch, &reply);
        std::error_code error;
        std::size_t sent = 0;
        if (answer > 0)
            sent = socket_.write_some(asio::buffer(reply, answer), error);
        if (error && error != asio::error::would_block)
            return;
        if (sent == answer)
            return start();
        asio::const_buffer left(reply + sent, answer - sent);
        if (reply == scratch) {
            rest_.assign(reply + sent, answer - sent);
            left = asio::buffer(rest_);
        }
        asio::async_write(socket_, left,
                          [self = shared_from_this()](std::error_code failure, std::size_t) {
                              if (!failure)
                                  self->start();
                          });
    }

    static char scratch[SCRATCH];

    asio::ip::tcp::socket socket_;
    echo echo_ = {};
    std::string rest_;
    std::array<char, BUFFER> buffer_; // of which an idle session has touched the first page
};

char session::scratch[SCRATCH];

} // namespace

int main(int argc, char** argv)
{
    return bench::serve<session>(argc, argv);
}
