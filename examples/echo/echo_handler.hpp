// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ECHO_HANDLER_HPP
#define ECHO_HANDLER_HPP

#include "steps.hpp"

#include <charconv>
#include <string>

namespace echo {

// One connection of the server. It waits for a command, "ECHO <length>\n", then for so many bytes,
// sends them back and closes.
class echo_handler : public asynchat::async_chat {
public:
    echo_handler(asynchat::loop& loop, asynchat::socket connection)
        : async_chat(loop, std::move(connection))
    {
        ac_in_buffer_size = ac_out_buffer_size = buffer_size;
        set_terminator("\n");
    }

    void collect_incoming_data(std::string_view data) override
    {
        step(name, "collect_incoming_data() -> ({} bytes) '{}'", data.size(),
             asynchat::escaped(data));
        received_ += data;
    }

    void found_terminator() override
    {
        step(name, "found_terminator()");
        const std::string frame = std::exchange(received_, {});
        if (has_command_)
            process_message(frame);
        else
            process_command(frame);
    }

private:
    static constexpr std::string_view name = "EchoHandler";

    void process_command(std::string_view command)
    {
        step(name, "_process_command() '{}'", asynchat::escaped(command));
        std::size_t length = 0;
        if (!parse_length(command, length)) {
            push("ERROR expected ECHO <length>\n");
            close_when_done();
        } else if (length == 0) {
            process_message(""); // a count of 0 would mean "everything", and never be found
        } else {
            has_command_ = true;
            set_terminator(length);
        }
    }

    void process_message(std::string_view message)
    {
        step(name, "_process_message() echoing '{}'", asynchat::escaped(message));
        push(message);
        close_when_done();
    }

    static bool parse_length(std::string_view command, std::size_t& length)
    {
        constexpr std::string_view verb = "ECHO ";
        constexpr std::size_t most = 1024 * 1024; // bytes; we keep the message in memory
        if (command.substr(0, verb.size()) != verb)
            return false;
        const char* const end = command.data() + command.size();
        const auto [stop, error] = std::from_chars(command.data() + verb.size(), end, length);
        return error == std::errc() && stop == end && length <= most;
    }

    std::string received_;
    bool has_command_ = false;
};

} // namespace echo

#endif
