// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The client sends "ECHO <length>\n" and a message of that length; the server sends the message
// back. Each step is printed.
//
//     echo                 both sides in one loop
//     echo server          the server, until Ctrl-C; its first line has the port
//     echo client PORT     the client; exits with 0 if the message came back

#include <asynchat/asynchat.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using asynchat::escaped;

constexpr std::string_view message =
    "Lorem ipsum dolor sit amet, consectetuer adipiscing elit. Donec\n"
    "egestas, enim et consectetuer ullamcorper, lectus ligula rutrum\n"
    "leo, a elementum elit tortor eu quam.\n";
constexpr std::size_t buffer_size = 128; // the message is sent in two pieces

template <class... Args>
void step(std::string_view name, fmt::format_string<Args...> what, Args&&... args)
{
    fmt::print("{:<11}: {}\n", name, fmt::format(what, std::forward<Args>(args)...));
    std::fflush(stdout);
}

class echo_handler : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void handle_open() override
    {
        ac_in_buffer_size = ac_out_buffer_size = buffer_size;
        set_terminator("\n");
    }

    void collect_incoming_data(std::string_view data) override
    {
        step(name, "collect_incoming_data() -> ({} bytes) '{}'", data.size(), escaped(data));
        _collect_incoming_data(data);
    }

    void found_terminator() override
    {
        step(name, "found_terminator()");
        if (matched_terminator() == "\n")
            process_command(_get_data());
        else
            process_message(_get_data());
    }

private:
    static constexpr std::string_view name = "EchoHandler";

    void process_command(const std::string& command)
    {
        step(name, "_process_command() '{}'", escaped(command));
        const bool is_echo = command.substr(0, 5) == "ECHO ";
        const auto length = asynchat::parse_number(is_echo ? command.substr(5) : "", max_frame());
        if (length && *length > 0) // set_terminator(0) would collect everything
            return set_terminator(*length);
        push("ERROR expected ECHO <length>\n");
        close_when_done();
    }

    void process_message(const std::string& text)
    {
        step(name, "_process_message() echoing '{}'", escaped(text));
        push(text);
        close_when_done();
    }
};

class echo_producer : public asynchat::simple_producer {
public:
    using simple_producer::simple_producer;

    std::string_view more() override
    {
        const std::string_view piece = simple_producer::more();
        step("EchoProducer", "more() -> ({} bytes) '{}'", piece.size(), escaped(piece));
        return piece;
    }
};

class echo_client : public asynchat::async_chat {
public:
    echo_client(asynchat::loop& loop, const std::string& port) : async_chat(loop)
    {
        ac_in_buffer_size = ac_out_buffer_size = buffer_size;
        step(name, "connecting to ('127.0.0.1', {})", port);
        connect("127.0.0.1", port);
    }

    bool matched() const { return received_ == message; }

    void handle_connect() override
    {
        step(name, "handle_connect()");
        print("ECHO {}\n", message.size());
        push_with_producer(std::make_unique<echo_producer>(std::string(message), buffer_size));
        set_terminator(message.size());
    }

    void collect_incoming_data(std::string_view data) override
    {
        step(name, "collect_incoming_data() -> ({}) '{}'", data.size(), escaped(data));
        received_ += data;
    }

    void found_terminator() override
    {
        step(name, "found_terminator()");
        step(name, "{}", matched() ? "RECEIVED COPY OF MESSAGE" : "ERROR IN TRANSMISSION");
        close();
    }

    void close() override
    {
        async_chat::close();
        owner().stop(); // a server in the same loop would wait for other clients
    }

private:
    static constexpr std::string_view name = "EchoClient";

    std::string received_;
};

int main(int argc, char** argv)
{
    const std::string side = argc > 1 ? argv[1] : "both";
    std::string port = argc > 2 ? argv[2] : "0";

    asynchat::loop loop;
    loop.stop_on_signals();
    if (side != "client") {
        const asynchat::endpoint any_port("127.0.0.1", 0);
        const auto server = loop.create<asynchat::server<echo_handler>>(any_port);
        port = std::to_string(server->local_endpoint().port());
    }
    if (side == "server") {
        step("EchoServer", "listening on 127.0.0.1:{}", port);
        loop.run();
        return 0;
    }
    const auto client = loop.create<echo_client>(port).lock();
    loop.run();
    return client->matched() ? 0 : 1;
}
