// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Asio as its tutorials use it: async_read_until for lines, async_read for counts, async_write.

#include "asio_server.hpp"

#include <cstddef>
#include <cstdlib>
#include <string>

namespace {

class session : public std::enable_shared_from_this<session> {
public:
    session(asio::ip::tcp::socket peer, bool counted) : socket_(std::move(peer)), counted_(counted)
    {
    }

    void start()
    {
        asio::async_read_until(
            socket_, asio::dynamic_buffer(input_), '\n',
            [self = shared_from_this()](std::error_code error, std::size_t size) {
                if (error)
                    return;
                if (self->counted_)
                    self->read_count(size);
                else
                    self->answer(0, size);
            });
    }

private:
    void read_count(std::size_t header)
    {
        const std::size_t count = std::strtoul(input_.c_str() + 5, nullptr, 10);
        const std::size_t missing =
            header + count > input_.size() ? header + count - input_.size() : 0;
        asio::async_read(
            socket_, asio::dynamic_buffer(input_), asio::transfer_exactly(missing),
            [self = shared_from_this(), header, count](std::error_code error, std::size_t) {
                if (!error)
                    self->answer(header, count);
            });
    }

    void answer(std::size_t from, std::size_t size)
    {
        asio::async_write(
            socket_, asio::buffer(input_.data() + from, size),
            [self = shared_from_this(), end = from + size](std::error_code error, std::size_t) {
                if (error)
                    return;
                self->input_.erase(0, end);
                self->start();
            });
    }

    asio::ip::tcp::socket socket_;
    const bool counted_;
    std::string input_;
};

} // namespace

int main(int argc, char** argv)
{
    return bench::serve<session>(argc, argv);
}
