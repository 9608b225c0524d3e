// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_RECORDING_CHAT_HPP
#define ASYNCHAT_TESTS_SUPPORT_RECORDING_CHAT_HPP

#include "support/cuts.hpp"
#include "support/scripted_transport.hpp"

#include <asynchat/asynchat.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// A channel that writes down what is called on it, as one readable line:
//
//     "collect('ab') found handle_eof send('x')=1 handle_close closed"
namespace support {

using frames = std::vector<std::string>;

/// What a callback throws on purpose.
struct user_error : std::runtime_error {
    user_error() : std::runtime_error("user") {}
};

class recording_chat : public asynchat::async_chat {
public:
    recording_chat(asynchat::loop& owner, std::shared_ptr<wire> to)
        : async_chat(owner, socket_over(to)), record(std::move(to))
    {
    }

    void collect_incoming_data(std::string_view data) override
    {
        record->note("collect(" + quoted(data) + ")");
        if (on_collect)
            on_collect(data);
        frame += data;
    }
    void found_terminator() override
    {
        record->note("found");
        seen.push_back(std::exchange(frame, {}));
        if (on_found)
            on_found();
    }
    void handle_eof() override
    {
        record->note("handle_eof");
        if (on_eof)
            on_eof();
        else
            async_chat::handle_eof();
    }
    void handle_close() override
    {
        record->note("handle_close");
        ++closes;
        if (on_close)
            on_close();
        else
            async_chat::handle_close();
    }
    void handle_error() override
    {
        record->note("handle_error(" + current_error() + ")");
        ++errors;
        if (!survives)
            async_chat::handle_error();
    }
    void handle_log(asynchat::log_type type, std::string_view message) override
    {
        logs.push_back(std::string(to_string(type)) + ": " + std::string(message));
    }

    // What is protected, for the tests.
    using async_chat::_collect_incoming_data;
    using async_chat::_get_data;
    using async_chat::finish;
    using async_chat::set_connected;

    std::function<void(std::string_view)> on_collect;
    std::function<void()> on_found;
    std::function<void()> on_eof;
    std::function<void()> on_close;
    bool survives = false; ///< handle_error() does nothing

    frames seen;       ///< the frames that were found
    std::string frame; ///< what was collected of the next one
    frames logs;
    int closes = 0;
    int errors = 0;
    std::shared_ptr<wire> record;

private:
    static std::string current_error()
    {
        try {
            throw;
        } catch (const std::system_error& error) {
            return errno_name(error.code().value());
        } catch (const std::exception& error) {
            return error.what();
        } catch (...) {
            return "unknown";
        }
    }
};

/// Answers get_terminator() from a list, the last one for ever.
class steering_chat : public recording_chat {
public:
    using recording_chat::recording_chat;
    const asynchat::terminator& get_terminator() const override
    {
        if (answers.empty())
            return recording_chat::get_terminator();
        const asynchat::terminator& answer = answers[at];
        if (at + 1 < answers.size())
            ++at;
        return answer;
    }
    std::vector<asynchat::terminator> answers;
    mutable std::size_t at = 0;
};

/// A recording channel in its loop. Each call plays one thing and returns the trace of it.
template <class Chat = recording_chat, class Loop = asynchat::loop>
class bench {
public:
    bench() : handle(loop.template create<Chat>(wire)), chat(handle.lock()) {}
    explicit bench(const asynchat::terminator& first) : bench() { chat->set_terminator(first); }

    std::string recv(std::string_view bytes)
    {
        wire->feed(bytes);
        return tick();
    }
    /// In pieces of so many bytes, with the traces of all of them.
    std::string recv(std::string_view bytes, std::size_t piece)
    {
        std::string trace;
        in_pieces(bytes, of_size(piece), [&](std::string_view next) {
            const std::string more = recv(next);
            trace += trace.empty() || more.empty() ? more : " " + more;
        });
        return trace;
    }
    std::string recv_error(int number)
    {
        wire->feed_error(number);
        return tick();
    }
    std::string eof()
    {
        wire->feed_eof();
        return tick();
    }
    /// The socket takes so many bytes more.
    std::string take(std::size_t bytes)
    {
        wire->take(bytes);
        return tick();
    }
    std::string take_everything()
    {
        wire->take_everything();
        return tick();
    }
    /// Calls f(channel) outside of any event, then lets the loop work.
    template <class F>
    std::string call(F f)
    {
        f(*chat);
        return tick();
    }
    /// Calls f(channel) as an event of the channel.
    template <class F>
    std::string event(F f)
    {
        handle.post(std::move(f));
        return tick();
    }
    /// Lets the loop work until nothing is left to do.
    std::string tick()
    {
        int idle = 0;
        for (int pass = 0; idle < 2; ++pass) {
            if (pass == 10000)
                throw std::logic_error("the loop spins: " + wire->take_trace());
            idle = loop.poll() ? 0 : idle + 1;
        }
        return wire->take_trace();
    }

    bool open() const { return !chat->closed(); }
    asynchat::close_reason reason() const { return chat->close_reason(); }

    Loop loop;
    std::shared_ptr<support::wire> wire = std::make_shared<support::wire>();
    asynchat::handle<Chat> handle;
    std::shared_ptr<Chat> chat; ///< stays alive when it is closed
};

/// Hands out `pieces` one by one and then ends; notes each call.
class recording_producer : public asynchat::producer {
public:
    recording_producer(std::shared_ptr<wire> record, frames pieces)
        : record_(std::move(record)), pieces_(std::move(pieces))
    {
    }
    ~recording_producer() override
    {
        if (inside_)
            record_->note("destroyed-inside-more");
        record_->note("~producer");
    }
    recording_producer& during(std::size_t call, std::function<void()> f)
    {
        hook_call_ = call;
        hook_ = std::move(f);
        return *this;
    }

    std::string_view more() override
    {
        struct depth {
            bool& inside;
            explicit depth(bool& flag) : inside(flag) { inside = true; }
            ~depth() { inside = false; }
        } const in_more(inside_);
        const std::size_t call = calls_++;
        const std::string_view piece =
            next_ < pieces_.size() ? std::string_view(pieces_[next_]) : std::string_view();
        record_->note("more(" + quoted(piece) + ")");
        if (hook_ && call == hook_call_)
            hook_();
        ++next_;
        return piece;
    }

private:
    std::shared_ptr<wire> record_;
    frames pieces_;
    std::size_t next_ = 0;
    std::size_t calls_ = 0;
    std::size_t hook_call_ = 0;
    std::function<void()> hook_;
    bool inside_ = false;
};

inline std::unique_ptr<recording_producer> pieces(const std::shared_ptr<wire>& record, frames list)
{
    return std::make_unique<recording_producer>(record, std::move(list));
}

} // namespace support

#endif
