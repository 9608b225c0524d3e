// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ECHO_CLIENT_HPP
#define ECHO_CLIENT_HPP

#include "steps.hpp"

#include <memory>
#include <string>

namespace echo {

// A simple_producer that says when it is asked.
class echo_producer : public asynchat::simple_producer {
public:
    using simple_producer::simple_producer;

    std::string_view more() override
    {
        const std::string_view piece = simple_producer::more();
        step("EchoProducer", "more() -> ({} bytes) '{}'", piece.size(), asynchat::escaped(piece));
        return piece;
    }
};

// Sends a message to the server and checks that the same comes back.
class echo_client : public asynchat::async_chat {
public:
    // `matched` is set when it did.
    echo_client(asynchat::loop& loop, const std::string& host, std::uint16_t port,
                std::string message, bool& matched)
        : async_chat(loop), message_(std::move(message)), matched_(matched)
    {
        ac_in_buffer_size = ac_out_buffer_size = buffer_size;
        step(name, "connecting to ('{}', {})", host, port);
        connect(host, port);
    }

    void handle_connect() override
    {
        step(name, "handle_connect()");
        print("ECHO {}\n", message_.size());
        push_with_producer(std::make_unique<echo_producer>(message_, buffer_size));
        set_terminator(message_.size());
    }

    void collect_incoming_data(std::string_view data) override
    {
        step(name, "collect_incoming_data() -> ({}) '{}'", data.size(), asynchat::escaped(data));
        received_ += data;
    }

    void found_terminator() override
    {
        step(name, "found_terminator()");
        matched_ = received_ == message_;
        if (matched_) {
            step(name, "RECEIVED COPY OF MESSAGE");
        } else {
            step(name, "ERROR IN TRANSMISSION");
            step(name, "EXPECTED '{}'", asynchat::escaped(message_));
            step(name, "RECEIVED '{}'", asynchat::escaped(received_));
        }
        close();
    }

private:
    static constexpr std::string_view name = "EchoClient";

    std::string message_;
    std::string received_;
    bool& matched_;
};

} // namespace echo

#endif
