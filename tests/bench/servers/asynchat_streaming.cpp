// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// This library, frames collected by the handler.

#include "server.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace {

class line_echo : public asynchat::async_chat {
public:
    line_echo(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override { line_ += data; }
    void found_terminator() override
    {
        line_ += '\n';
        push(line_);
        line_.clear();
    }

private:
    std::string line_;
};

class counted_echo : public asynchat::async_chat {
public:
    counted_echo(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\n");
        max_frame(bench::largest_frame);
        ac_in_buffer_size = 262144;
        ac_out_buffer_size = bench::largest_send;
    }
    void collect_incoming_data(std::string_view data) override
    {
        // The library has memory for large frames, which goes round.
        if (is_large_)
            _collect_incoming_data(data);
        else
            data_ += data;
    }
    void found_terminator() override
    {
        if (get_terminator().is_bytes()) {
            const std::size_t size = bench::count_of(data_);
            is_large_ = size >= 65536;
            set_terminator(size);
        } else {
            if (std::exchange(is_large_, false))
                push(_get_data());
            else
                push(std::string_view(data_));
            set_terminator("\n");
        }
        data_.clear();
    }

private:
    std::string data_;
    bool is_large_ = false; // the frame under way
};

} // namespace

int main(int argc, char** argv)
{
    return bench::serve<line_echo, counted_echo>(argc, argv);
}
