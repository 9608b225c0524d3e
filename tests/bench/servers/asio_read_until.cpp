// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Asio as its tutorials have it: async_read_until, async_read and async_write.

#include "asio_server.hpp"

#include <asio/buffer.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace {

class session : public std::enable_shared_from_this<session> {
public:
    session(asio::ip::tcp::socket socket, bool counted)
        : socket_(std::move(socket)), counted_(counted)
    {
    }

    void start()
    {
        asio::async_read_until(socket_, asio::dynamic_buffer(data_), '\n',
                               [self = shared_from_this()](std::error_code error, std::size_t n) {
                                   if (!error)
                                       self->counted_ ? self->header(n) : self->answer(0, n);
                               });
    }

private:
    void header(std::size_t size)
    {
        const std::size_t count = std::strtoul(data_.c_str() + 5, nullptr, 10);
        const std::size_t there = data_.size() - size;
        if (there >= count)
            return answer(size, size + count);
        asio::async_read(socket_, asio::dynamic_buffer(data_),
                         asio::transfer_exactly(count - there),
                         [self = shared_from_this(), size, count](std::error_code error,
                                                                  std::size_t) {
                             if (!error)
                                 self->answer(size, size + count);
                         });
    }

    void answer(std::size_t from, std::size_t to)
    {
        asio::async_write(socket_, asio::buffer(data_.data() + from, to - from),
                          [self = shared_from_this(), to](std::error_code error, std::size_t) {
                              if (error)
                                  return;
                              self->data_.erase(0, to);
                              self->start();
                          });
    }

    asio::ip::tcp::socket socket_;
    std::string data_;
    bool counted_;
};

} // namespace

int main(int argc, char** argv)
{
    return bench::serve<session>(argc, argv);
}
