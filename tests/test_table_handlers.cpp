// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/table.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <asio/buffer.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// What a handler does to the socket of its own channel has the same effect as from outside: the
// code behind the handler looks again.

using namespace std::chrono_literals;
using asynchat::endpoint;
using support::table;

namespace {

enum class kind { dispatcher, listener, chat, frames };

struct handler {
    const char* name;
    kind of;
};

// "plain": of a dispatcher that is nothing more. "of": what is received, see input. The first ones
// are what the others are compared with: the same is done from outside.
const std::vector<handler> handlers = {
    {"outside of a dispatcher", kind::dispatcher},
    {"outside of a listener", kind::listener},
    {"outside of a chat", kind::chat},
    {"outside of a frame_chat", kind::frames},
    {"plain handle_connect", kind::dispatcher},
    {"plain handle_read", kind::dispatcher},
    {"plain handle_write", kind::dispatcher},
    {"plain handle_eof", kind::dispatcher},
    {"plain handle_close", kind::dispatcher},
    {"plain handle_error", kind::dispatcher},
    {"plain handle_shutdown", kind::dispatcher},
    {"handle_accepted", kind::listener},
    {"handle_connect", kind::chat},
    {"handle_eof", kind::chat},
    {"handle_close", kind::chat},
    {"handle_error", kind::chat},
    {"handle_shutdown", kind::chat},
    {"collect_incoming_data", kind::chat},
    {"collect_incoming_data of a piece", kind::chat},
    {"collect_incoming_data of many lines", kind::chat},
    {"collect_incoming_data of a count", kind::chat},
    {"collect_incoming_data of a length", kind::chat},
    {"collect_incoming_data of the last bytes", kind::chat},
    {"collect_incoming_data of the last bytes over the limit", kind::chat},
    {"collect_incoming_data of what is thrown back", kind::chat},
    {"collect_incoming_data of a begun frame", kind::frames},
    {"found_terminator", kind::chat},
    {"found_terminator of many lines", kind::chat},
    {"found_terminator of a count", kind::chat},
    {"found_terminator of a length", kind::chat},
    {"found_frame", kind::frames},
    {"found_frame of many lines", kind::frames},
    {"found_frame of a count", kind::frames},
    {"found_frame of a large count", kind::frames},
    {"found_frame of a length", kind::frames},
    {"handle_overflow", kind::chat},
    {"handle_overflow of a length", kind::chat},
    {"handle_frame_timeout", kind::chat},
    {"handle_write_paused", kind::chat},
    {"handle_write_resumed", kind::chat},
    {"handle_drained", kind::chat},
    {"get_terminator", kind::chat},
    {"more", kind::chat},
};
constexpr std::size_t first_inside = 4;

/// What the other side sends for a handler to be called, and the terminator for it.
struct input {
    const char* name;
    std::string bytes; // none: the end of the stream
    asynchat::terminator ends = "\n";
    int skipped = 0;         // calls of the handler before the one that counts
    std::string before = ""; // is sent first, for which the handler does nothing
    bool throws = false;     // the handler does, and the channel survives
};

input input_of(std::string_view handler)
{
    std::string many;
    for (int i = 0; i < 30; ++i)
        many += "stale\n";
    const input all[] = {
        {" of a piece", "a stale"},
        {" of many lines", many, "\n", 3},
        {" of a count", "a stale line, and input", 12},
        {" of a large count", std::string(40000, 'a'), 20000},
        {" of a length", "12:a stale line,5:input,3:...,", asynchat::terminator::netstring()},
        {" of the last bytes over the limit", "", "\r\n\r\n", 0, "stale bytes\r\n\r"},
        {" of the last bytes", "", "\r\n", 0, "a stale\r"},
        {" of what is thrown back", "line", "\n", 0, "a stale ", true},
        {" of a begun frame", "line", "\n", 0, "a stale ", true},
    };
    for (const input& each : all)
        if (handler.find(each.name) != handler.npos)
            return each;
    return {"", "a stale line\ninput\n..."};
}

enum class action { close, abort, connect, refused, unanswered, listen, another, nothing };
const support::names actions = {
    "close",      "abort",
    "connect",    // create_socket(), and connect() to a peer that talks
    "refused",    // the same, to where nobody listens
    "unanswered", // and to where nobody answers
    "listen",     // create_socket(), bind(), listen()
    "another",    // makes another channel, over another connection
};

// First the old connection, as its other side sees it; then the state of the channel, what is
// called on it, and its state after that if it is another one.
constexpr std::string_view what_happens = R"(
outside of a dispatcher
  close : gone, closed local
  abort : reset, closed local
  connect : gone, connected, connect, in hello, out world, eof, close, closed peer finished
  refused : gone, closed connect failed, error, close
  unanswered : gone, connecting, error, close, closed connect timeout
  listen : gone, accepting, accepted, closed local
  another : in hello, found, out world, eof, close, closed peer finished; not disturbed

outside of a listener
  close, abort : gone, closed local
  connect : gone, connected, connect, in hello, out world, eof, close, closed peer finished
  refused : gone, closed connect failed, error, close
  unanswered : gone, connecting, error, close, closed connect timeout
  listen : gone, accepting, accepted, closed local
  another : in hello, found, out world, eof, close, closed peer finished; not disturbed

outside of a chat
  close : gone, closed local
  abort : reset, closed local
  connect : gone, connected, connect, in hello, found, out world, eof, close, closed peer finished
  refused : gone, closed connect failed, error, close
  unanswered : gone, connecting, error, close, closed connect timeout
  listen : gone, accepting, accepted, closed local
  another : in hello, found, out world, eof, close, closed peer finished; not disturbed

outside of a frame_chat
  close : gone, closed local
  abort : reset, closed local
  connect : gone, connected, connect, in hello, out world, eof, close, closed peer finished
  refused : gone, closed connect failed, error, close
  unanswered : gone, connecting, error, close, closed connect timeout
  listen : gone, accepting, accepted, closed local
  another : in hello, found, out world, eof, close, closed peer finished; not disturbed

plain handle_connect, plain handle_read, plain handle_write, plain handle_eof, plain handle_shutdown
  * : as from outside

handle_accepted, handle_connect, handle_eof, handle_shutdown
  * : as from outside

collect_incoming_data, collect_incoming_data of a piece, collect_incoming_data of many lines
  * : as from outside

collect_incoming_data of a count, collect_incoming_data of a length
  * : as from outside

collect_incoming_data of the last bytes, collect_incoming_data of a begun frame
  * : as from outside

collect_incoming_data of the last bytes over the limit, collect_incoming_data of what is thrown back
  * : as from outside

found_terminator, found_terminator of many lines
  * : as from outside

found_terminator of a count, found_terminator of a length
  * : as from outside

found_frame, found_frame of many lines, found_frame of a length
  * : as from outside

found_frame of a count, found_frame of a large count
  * : as from outside

get_terminator, more, handle_overflow of a length
  * : as from outside

handle_overflow, handle_frame_timeout, handle_write_paused, handle_write_resumed, handle_drained
  * : as from outside

plain handle_error, handle_error
  close : gone, closed callback error
  abort : reset, closed callback error
  connect, refused, unanswered, listen, another : as from outside

plain handle_close, handle_close
  close : gone, closed idle timeout
  abort : reset, closed idle timeout
  connect, refused, unanswered, listen : gone, closed idle timeout, logic_error
  another : as from outside
)";

/// In which handler something is done, and what is called from then on.
struct script {
    std::string armed; // the name of that handler, until it is called
    std::function<void()> act;
    bool takes_over = true; // and does nothing else
    int skipped = 0;        // calls of it before
    bool throws = false;    // but throws, which the channel survives
    support::names events;

    void note(std::string event) { events.push_back(std::move(event)); }

    /// Whether `handler` is the one, and has nothing more to do.
    bool acts(std::string_view handler)
    {
        if (armed != handler || --skipped >= 0)
            return false;
        armed.clear();
        events.clear();
        act();
        if (throws)
            throw std::runtime_error("no");
        return takes_over;
    }
};

template <class Base>
class subject : public Base, public script {
public:
    using Base::Base;

    void handle_connect() override
    {
        if (!acts("handle_connect"))
            note("connect");
    }
    void handle_accepted(asynchat::socket, const endpoint&) override
    {
        if (!acts("handle_accepted"))
            note("accepted");
    }
    void handle_eof() override
    {
        if (acts("handle_eof"))
            return;
        note("eof");
        Base::handle_eof();
    }
    void handle_close() override
    {
        if (acts("handle_close"))
            return;
        note("close");
        Base::handle_close();
    }
    void handle_error() override
    {
        if (acts("handle_error"))
            return;
        if (std::exchange(throws, false))
            return;
        note("error");
        Base::handle_error();
    }
    void handle_shutdown() override
    {
        if (!acts("handle_shutdown"))
            Base::handle_shutdown();
    }
    void handle_log(asynchat::log_type, std::string_view) override {}
};

class plain final : public subject<asynchat::dispatcher> {
public:
    using subject::subject;

    bool wants_write = false;

    bool writable() override { return wants_write; }
    void handle_write() override
    {
        wants_write = false;
        acts("handle_write");
    }
    void handle_read() override
    {
        if (acts("handle_read"))
            return;
        char buffer[100];
        if (const std::size_t size = recv(asio::buffer(buffer)))
            note("in " + std::string(buffer, size - 1)); // a line
    }
    void say(std::string_view text) { send(text); }
};

class chat : public subject<asynchat::async_chat> {
public:
    explicit chat(asynchat::loop& owner, asynchat::socket from = {})
        : subject(owner, std::move(from))
    {
        set_terminator("\n");
    }

    void collect_incoming_data(std::string_view data) override
    {
        if (!acts("collect_incoming_data"))
            note("in " + std::string(data));
    }
    void found_terminator() override
    {
        if (!acts("found_terminator"))
            note("found");
    }
    asynchat::overflow handle_overflow() override
    {
        acts("handle_overflow");
        return asynchat::overflow::skip;
    }
    void handle_frame_timeout() override { acts("handle_frame_timeout"); }
    void handle_write_paused() override { acts("handle_write_paused"); }
    void handle_write_resumed() override { acts("handle_write_resumed"); }
    void handle_drained() override { acts("handle_drained"); }
    void say(std::string_view text) { push(text); }
};

/// Does it when it is asked for its terminator.
class steering final : public chat {
public:
    using chat::chat;

    const asynchat::terminator& get_terminator() const override
    {
        const_cast<steering*>(this)->acts("get_terminator");
        return chat::get_terminator();
    }
};

class frames final : public subject<asynchat::frame_chat> {
public:
    frames(asynchat::loop& owner, asynchat::socket from) : subject(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view) override { acts("collect_incoming_data"); }
    void found_frame(std::string_view frame) override
    {
        if (!acts("found_frame"))
            note("in " + std::string(frame));
    }
    void say(std::string_view text) { push(text); }
};

class bench {
public:
    bench(const handler& where, action what)
        : where_(where), name_(where.name), input_(input_of(name_)), what_(what),
          elsewhere_(loop_.listen(elsewhere))
    {
        name_.erase(std::min(name_.find(" of "), name_.size()));
        if (name_.compare(0, 6, "plain ") == 0)
            name_.erase(0, 6);
        loop_.ignore(silent);
        prepare();
        if (!is("handle_connect"))
            loop_.settle();
        script_->act = [this] { act(); };
        script_->takes_over = what != action::another && what != action::nothing;
    }

    /// What comes of it when the handler does it.
    std::string inside()
    {
        script_->armed = name_;
        script_->skipped = input_.skipped;
        script_->throws = input_.throws;
        stimulate();
        loop_.settle();
        if (!script_->armed.empty())
            return "the handler was not called";
        if (what_ == action::another)
            return result_of_another(bench(where_, action::nothing).inside());
        return result();
    }

    /// And when somebody else does.
    std::string outside()
    {
        script_->events.clear();
        act();
        loop_.settle();
        if (what_ == action::another)
            return result_of_another(bench(where_, action::nothing).outside());
        return result();
    }

private:
    bool is(std::string_view name) const { return name_ == name; }

    // --- before ------------------------------------------------------------------------------

    void prepare()
    {
        switch (where_.of) {
        case kind::dispatcher: make<plain>(); break;
        case kind::listener:
            use(loop_.create<plain>().lock());
            channel_->create_socket();
            channel_->bind(here);
            channel_->listen();
            break;
        case kind::chat: is("get_terminator") ? accept<steering>() : make<chat>(); break;
        case kind::frames: accept<frames>(); break;
        }
        if (chat_)
            chat_->set_terminator(input_.ends);
        if (!input_.before.empty())
            begin_frame();
        if (is("handle_close"))
            channel_->idle_timeout(10s);
        if (is("handle_overflow"))
            chat_->max_frame(5);
        if (is("handle_frame_timeout")) {
            chat_->frame_timeout(10s);
            old_->send("begun");
        }
        if (is("handle_write_paused") || is("handle_write_resumed") || is("handle_drained")) {
            chat_->write_buffer_limits(10, 5);
            old_->window(0);
            if (!is("handle_write_paused"))
                chat_->push("hello world");
        }
    }

    void begin_frame()
    {
        chat_->max_frame(12);
        old_->send(input_.before);
        loop_.settle();
        if (where_.of == kind::frames)
            chat_->set_terminator(std::nullopt); // what is begun belongs to no frame
    }

    template <class T>
    void make()
    {
        if (is("handle_connect")) {
            first_.emplace(loop_.listen(here));
            use(loop_.create<T>().lock());
            channel_->connect(here);
        } else if (is("handle_shutdown")) {
            const auto server = loop_.create<asynchat::server<T>>(here);
            stop_ = [server] { server->stop(1h); };
            old_ = loop_.connect(here);
            loop_.settle();
            use(std::dynamic_pointer_cast<T>(loop_.channels().back()));
        } else {
            accept<T>();
        }
    }

    template <class T>
    void accept()
    {
        auto [channel, other] = loop_.accept<T>();
        old_ = std::move(other);
        use(channel);
    }

    template <class T>
    void use(const std::shared_ptr<T>& channel)
    {
        channel_ = channel;
        script_ = channel.get();
        say_ = [raw = channel.get()](std::string_view text) { raw->say(text); };
        if constexpr (std::is_base_of_v<asynchat::async_chat, T>)
            chat_ = channel.get();
        else
            plain_ = channel.get();
    }

    // --- during ------------------------------------------------------------------------------

    /// Has the handler called.
    void stimulate()
    {
        if (is("handle_write")) {
            plain_->wants_write = true;
            plain_->update_interest();
        } else if (is("handle_accepted")) {
            old_ = loop_.connect(here);
        } else if (is("handle_eof") || input_.bytes.empty()) {
            old_->finish();
        } else if (is("handle_close") || is("handle_frame_timeout")) {
            loop_.advance(11s);
        } else if (is("handle_error")) {
            loop_.handle_of(*channel_).post([](auto&) { throw std::runtime_error("no"); });
        } else if (is("handle_shutdown")) {
            stop_();
        } else if (is("handle_write_paused")) {
            chat_->push("hello world");
        } else if (is("handle_write_resumed") || is("handle_drained")) {
            old_->window(100);
        } else if (is("more")) {
            chat_->push_with_producer([this, pieces = 0]() mutable -> std::string {
                script_->acts("more");
                return ++pieces == 1 ? "stale" : "";
            });
        } else if (!is("handle_connect")) {
            old_->send(input_.bytes);
        }
    }

    void act()
    {
        try {
            switch (what_) {
            case action::close: channel_->close(); break;
            case action::abort: channel_->abort(); break;
            case action::connect: replace_socket(elsewhere); break;
            case action::refused: replace_socket(nobody); break;
            case action::unanswered:
                channel_->connect_timeout(10s);
                replace_socket(silent);
                break;
            case action::listen:
                create_socket();
                channel_->bind(there);
                channel_->listen();
                break;
            case action::another: std::tie(another_, another_peer_) = loop_.accept<chat>(); break;
            case action::nothing: break;
            }
        } catch (const std::logic_error&) {
            script_->note("logic_error");
            CHECK_THROWS_AS(channel_->connect(elsewhere), std::logic_error);
        }
    }

    /// For a conversation in lines.
    void create_socket()
    {
        channel_->create_socket();
        if (chat_)
            chat_->set_terminator("\n");
    }

    void replace_socket(const endpoint& to)
    {
        create_socket();
        channel_->connect(to);
    }

    // --- after -------------------------------------------------------------------------------

    std::string result()
    {
        if (what_ == action::nothing)
            return itself();
        const std::string state_before = state();
        std::string text = fate_of_old() + ", " + state_before;
        if (what_ == action::connect && !channel_->closed()) {
            auto peer = elsewhere_.accept();
            talk(*script_, say_, peer);
        } else if (what_ == action::unanswered) {
            loop_.advance(11s);
        } else if (what_ == action::listen && !channel_->closed()) {
            const auto peer = loop_.connect(there);
            loop_.settle();
            channel_->close();
        }
        for (const std::string& event : script_->events)
            text += ", " + event;
        return state() == state_before ? text : text + ", " + state();
    }

    std::string result_of_another(const std::string& undisturbed)
    {
        const std::string now = itself();
        talk(
            *another_, [this](std::string_view text) { another_->say(text); }, *another_peer_);
        return support::joined(another_->events) + ", closed " +
               std::string(to_string(another_->close_reason())) +
               (now == undisturbed ? "; not disturbed" : "; " + now);
    }

    /// A conversation that ends.
    void talk(script& with, const std::function<void(std::string_view)>& say,
              asynchat::testing::peer& peer)
    {
        peer.send("hello\n");
        loop_.settle();
        say("world");
        with.note("out " + peer.received());
        peer.finish();
        loop_.settle();
    }

    std::string itself() const { return state() + ", " + support::joined(script_->events); }

    std::string state() const
    {
        if (channel_->closed())
            return "closed " + std::string(to_string(channel_->close_reason()));
        std::string text;
        text += channel_->connected() ? "connected" : "";
        text += channel_->connecting() ? "connecting" : "";
        text += channel_->accepting() ? "accepting" : "";
        return text;
    }

    /// Of the old connection, as its other side sees it.
    std::string fate_of_old()
    {
        if (where_.of == kind::listener) {
            try {
                loop_.connect(here);
                return "there";
            } catch (const std::logic_error&) {
                return "gone";
            }
        }
        if (!old_)
            old_ = first_ ? first_->accept() : loop_.connect(here);
        old_->received();
        if (old_->was_reset() && what_ == action::abort)
            return "reset";
        return old_->ended() || old_->was_reset() ? "gone" : "there";
    }

    static inline const endpoint here{"127.0.0.1", 1};
    static inline const endpoint there{"127.0.0.1", 2};
    static inline const endpoint elsewhere{"127.0.0.1", 7};
    static inline const endpoint silent{"127.0.0.1", 9};
    static inline const endpoint nobody{"127.0.0.1", 10};

    const handler where_;
    std::string name_;
    const input input_;
    const action what_;
    asynchat::testing::loop loop_;
    asynchat::testing::listener elsewhere_;
    std::optional<asynchat::testing::listener> first_;
    std::optional<asynchat::testing::peer> old_; // of the connection that is there before
    std::optional<asynchat::testing::peer> another_peer_;
    std::shared_ptr<asynchat::dispatcher> channel_;
    std::shared_ptr<chat> another_;
    script* script_ = nullptr; // this and what follows are of the channel
    plain* plain_ = nullptr;
    asynchat::async_chat* chat_ = nullptr;
    std::function<void(std::string_view)> say_;
    std::function<void()> stop_; // the server
};

std::string play(std::size_t row, action what)
{
    const handler& where = handlers[row];
    if (row < first_inside)
        return bench(where, what).outside();
    const std::string inside = bench(where, what).inside();
    const bool same = inside == bench(where, what).outside() &&
                      inside == bench(handlers[static_cast<std::size_t>(where.of)], what).outside();
    return same ? "as from outside" : inside;
}

support::names handler_names()
{
    support::names all;
    for (const handler& each : handlers)
        all.push_back(each.name);
    return all;
}

} // namespace

TEST_CASE("the table of handlers: a channel's own socket is what they make of it", "[table]")
{
    const table expected({handler_names(), actions}, what_happens);
    expected.walk(
        [](const table::cell& cell) { return play(cell[0], static_cast<action>(cell[1])); });
}
