// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_ACTOR_HPP
#define ASYNCHAT_TESTS_SUPPORT_ACTOR_HPP

#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <asio/buffer.hpp>

#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>

namespace support {

/// Where the user does something.
enum class place {
    collect_incoming_data,
    found_terminator,
    handle_connect,
    handle_accept,
    handle_accepted,
    handle_read,
    handle_write,
    handle_close,
    handle_eof,
    handle_error,
    handle_expt,
    more,
    readable,
    writable,
    send,
    recv,
    posted_function,
    posted_to_channel,
    timer,
};

constexpr place callbacks[] = {
    place::collect_incoming_data,
    place::found_terminator,
    place::handle_connect,
    place::handle_accept,
    place::handle_accepted,
    place::handle_read,
    place::handle_write,
    place::handle_close,
    place::handle_eof,
    place::handle_error,
    place::handle_expt,
    place::more,
    place::readable,
    place::writable,
    place::posted_function,
    place::posted_to_channel,
    place::timer,
};

inline const char* name(place where)
{
    static const char* const names[] = {"collect_incoming_data",
                                        "found_terminator",
                                        "handle_connect",
                                        "handle_accept",
                                        "handle_accepted",
                                        "handle_read",
                                        "handle_write",
                                        "handle_close",
                                        "handle_eof",
                                        "handle_error",
                                        "handle_expt",
                                        "more",
                                        "readable",
                                        "writable",
                                        "send",
                                        "recv",
                                        "posted function",
                                        "posted to channel",
                                        "timer"};
    return names[static_cast<int>(where)];
}

/// What the user does there.
enum class deed {
    nothing,
    close,
    close_when_done,
    throw_error,
    throw_exit_now,
    push_much,
    push_little,
    pause_and_resume,
    pause,
    set_terminator,
    discard_buffers,
    destroy_another,
    create_another,
    replace_another,
    run_the_loop,
    close_and_run_the_loop,
    close_all_others,
    create_socket_anew,
};

constexpr deed all_deeds[] = {
    deed::nothing,
    deed::close,
    deed::close_when_done,
    deed::throw_error,
    deed::throw_exit_now,
    deed::push_much,
    deed::push_little,
    deed::pause_and_resume,
    deed::pause,
    deed::set_terminator,
    deed::discard_buffers,
    deed::destroy_another,
    deed::create_another,
    deed::replace_another,
    deed::run_the_loop,
    deed::close_and_run_the_loop,
    deed::close_all_others,
    deed::create_socket_anew,
};

inline const char* name(deed what)
{
    static const char* const names[] = {"nothing",
                                        "close",
                                        "close_when_done",
                                        "throw_error",
                                        "throw_exit_now",
                                        "push_much",
                                        "push_little",
                                        "pause_and_resume",
                                        "pause",
                                        "set_terminator",
                                        "discard_buffers",
                                        "destroy_another",
                                        "create_another",
                                        "replace_another",
                                        "run_the_loop",
                                        "close_and_run_the_loop",
                                        "close_all_others",
                                        "create_socket_anew"};
    return names[static_cast<int>(what)];
}

/// A channel that does something somewhere, once, and keeps account of what is called.
class actor : public logging<asynchat::async_chat> {
public:
    actor(asynchat::loop& owner, asynchat::socket from, place where,
          std::function<void(actor&)> act)
        : logging(owner, std::move(from)), where_(where), act_(std::move(act))
    {
        set_terminator("\n");
    }
    ~actor() override
    {
        if (in_callbacks_ > 0)
            ++destroyed_inside;
        if (gone)
            *gone = true;
    }

    int after_close = 0;   // callbacks after close()
    int close_calls = 0;   // of handle_close
    bool on_stage = false; // the constructor's time, and that of create(), is not the place
    bool acted = false;
    bool throws_at_frame = false;
    bool wants_write_event = false;
    bool* gone = nullptr;
    static inline int destroyed_inside = 0;

    void collect_incoming_data(std::string_view) override { at(place::collect_incoming_data); }
    void found_terminator() override
    {
        at(place::found_terminator);
        if (throws_at_frame)
            throw test_error("at the frame");
    }
    void handle_connect() override { at(place::handle_connect); }
    void handle_accept() override
    {
        auto accepted = accept();
        at(place::handle_accept);
        if (accepted && !closed())
            handle_accepted(std::move(accepted->first), accepted->second);
    }
    void handle_accepted(asynchat::socket, const asynchat::endpoint&) override
    {
        at(place::handle_accepted);
    }
    void handle_read() override
    {
        at(place::handle_read);
        if (!closed())
            logging::handle_read();
    }
    void handle_write() override
    {
        wants_write_event = false;
        at(place::handle_write);
        if (!closed())
            logging::handle_write();
    }
    void handle_close() override
    {
        ++close_calls;
        at(place::handle_close);
        logging::handle_close();
    }
    void handle_eof() override
    {
        at(place::handle_eof);
        if (!closed())
            logging::handle_eof();
    }
    void handle_expt() override { at(place::handle_expt); }
    void handle_error() override
    {
        at(place::handle_error);
        if (!closed())
            logging::handle_error();
    }
    bool readable() override
    {
        at(place::readable);
        return logging::readable();
    }
    bool writable() override
    {
        at(place::writable);
        return wants_write_event || logging::writable();
    }
    std::size_t send(asynchat::const_buffers data) override
    {
        at(place::send);
        return logging::send(data);
    }
    std::size_t recv(asio::mutable_buffer into) override
    {
        at(place::recv);
        return logging::recv(into);
    }

    /// Does it, if here is the place and it was not done yet.
    void at(place here)
    {
        if (closed())
            ++after_close;
        if (here != where_ || acted || !on_stage)
            return;
        acted = true;
        struct inside {
            int& count;
            explicit inside(int& c) : count(++c) {}
            ~inside() { --count; }
        } const in_callback(in_callbacks_);
        act_(*this);
    }

private:
    place where_;
    std::function<void(actor&)> act_;
    int in_callbacks_ = 0;
};

} // namespace support

#endif
