// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_FILE_CHAT_HPP
#define ASYNCHAT_TESTS_SUPPORT_FILE_CHAT_HPP

#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

// Files, and channels that send them.
namespace support {

/// Bytes of which no long part occurs twice.
inline std::string content_of(std::size_t size)
{
    std::string content(size, '\0');
    std::uint32_t state = 1;
    for (char& byte : content) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<char>(state >> 24);
    }
    return content;
}

/// The number that the next descriptor gets: it tells whether one was left open.
inline int next_descriptor()
{
    return descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get();
}

inline void resize(const descriptor& file, std::size_t size)
{
    check_call(::ftruncate(file.get(), static_cast<off_t>(size)) == 0, "ftruncate");
}

class file_chat : public logging<asynchat::async_chat> {
public:
    using logging::logging;

    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
    void handle_close() override
    {
        ++closes;
        close();
    }
    void handle_error() override
    {
        ++errors;
        try {
            throw;
        } catch (const std::exception& error) {
            error_text = error.what();
        }
        if (!survives)
            logging::handle_error();
    }

    void push_file(const descriptor& file, std::uint64_t offset = 0,
                   std::optional<std::uint64_t> length = std::nullopt)
    {
        push_with_producer(std::make_unique<asynchat::file_producer>(file.get(), offset, length));
    }

    using logging::set_connected;

    bool survives = false;
    int closes = 0;
    int errors = 0;
    std::string error_text;
};

/// A layer: all that is sent passes through it.
class counting_chat : public file_chat {
public:
    using file_chat::file_chat;
    std::size_t send(asynchat::const_buffers data) override
    {
        largest = std::max(largest, data.size());
        const std::size_t taken = file_chat::send(data);
        counted += taken;
        return taken;
    }
    std::size_t counted = 0;
    std::size_t largest = 0;
};

} // namespace support

#endif
