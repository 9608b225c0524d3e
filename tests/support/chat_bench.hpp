// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_CHAT_BENCH_HPP
#define ASYNCHAT_TESTS_SUPPORT_CHAT_BENCH_HPP

#include <asynchat/async_chat.hpp>
#include <asynchat/frame_chat.hpp>
#include <asynchat/testing.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

/// What a callback throws on purpose.
struct user_error : std::runtime_error {
    user_error() : std::runtime_error("user") {}
};

/// A callback that throws when it is called first.
template <class Error = user_error>
auto throws_once()
{
    return [thrown = false](auto&&...) mutable {
        if (!std::exchange(thrown, true))
            throw Error();
    };
}

/// A producer of one piece.
inline auto one_piece(std::string piece)
{
    return [piece = std::move(piece), asked = false]() mutable {
        return std::exchange(asked, true) ? std::string() : piece;
    };
}

/// A channel that does what the test says, and counts.
template <class Base>
class told : public Base {
public:
    using Base::Base;

    void collect_incoming_data(std::string_view data) override
    {
        if (on_collect)
            on_collect(data);
    }
    void handle_eof() override { on_eof ? on_eof() : Base::handle_eof(); }
    void handle_close() override
    {
        ++closes;
        on_close ? on_close() : Base::handle_close();
    }
    void handle_error() override
    {
        ++errors;
        if (!survives)
            Base::handle_error();
    }

    // What is protected, for the tests.
    using Base::finish;
    using Base::set_connected;

    std::function<void(std::string_view)> on_collect;
    std::function<void()> on_eof;
    std::function<void()> on_close;
    bool survives = false; ///< handle_error() does nothing

    int closes = 0;
    int errors = 0;
};

class told_chat : public told<asynchat::async_chat> {
public:
    using told::told;

    void collect_incoming_data(std::string_view data) override
    {
        told::collect_incoming_data(data);
        frame += data;
    }
    void found_terminator() override
    {
        seen.push_back(std::exchange(frame, {}));
        if (on_found)
            on_found();
    }
    using async_chat::_collect_incoming_data;
    using async_chat::_get_data;

    std::function<void()> on_found;

    std::vector<std::string> seen; ///< the frames that were found
    std::string frame;             ///< what was collected of the next one
};

class told_frame_chat : public told<asynchat::frame_chat> {
public:
    using told::told;

    void found_frame(std::string_view frame) override
    {
        if (on_frame)
            on_frame(frame);
    }
    using frame_chat::take_frame;

    std::function<void(std::string_view)> on_frame;
};

/// A recorded channel in its loop. Each call plays one thing and returns what was called then.
template <class Recorder = asynchat::testing::recorder<told_chat>>
class chat_bench {
public:
    using events = std::vector<std::string>;

    chat_bench() = default;
    explicit chat_bench(const asynchat::terminator& first) { chat->set_terminator(first); }

    events recv(std::string_view bytes)
    {
        peer.send(bytes);
        return tick();
    }
    /// In pieces of so many bytes.
    events recv(std::string_view bytes, std::size_t piece)
    {
        peer.send(bytes, piece);
        return tick();
    }
    events eof()
    {
        peer.finish();
        return tick();
    }
    /// Lets the loop work until nothing is left to do.
    events tick()
    {
        loop.settle();
        return std::exchange(chat->events, {});
    }

    bool open() const { return !chat->closed(); }
    asynchat::close_reason reason() const { return chat->close_reason(); }

    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<Recorder>, asynchat::testing::peer> ends =
        loop.template accept<Recorder>();
    std::shared_ptr<Recorder> chat = ends.first; ///< stays alive when it is closed
    asynchat::testing::peer& peer = ends.second;
};

using frame_bench = chat_bench<asynchat::testing::recorder<told_frame_chat>>;

} // namespace support

#endif
