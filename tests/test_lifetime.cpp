// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

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

const char* name(place where)
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

const char* name(deed what)
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
class actor : public logging<async_chat> {
public:
    actor(loop& owner, asynchat::socket from, place where, std::function<void(actor&)> act)
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
    void handle_accepted(asynchat::socket, const endpoint&) override { at(place::handle_accepted); }
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
    std::size_t send(const_buffers data) override
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

/// One combination: the actor with its peers, and neighbours that must not notice.
class scene {
public:
    scene(place where, deed what) : where_(where), what_(what)
    {
        auto victim_ends = connected_pair(AF_UNIX);
        victim_ = loop_.create<echo_channel>(std::move(victim_ends.first));
        victim_peer_ = std::move(victim_ends.second);
        honest_.emplace(loop_);
        const auto act = [this](actor& self) { this->act(self); };

        if (where == place::handle_connect) {
            server_.emplace(endpoint("127.0.0.1", 0));
            actor_ = make(asynchat::socket(), act);
            actor_->connect(server_->address());
            return;
        }
        if (where == place::handle_accept || where == place::handle_accepted) {
            actor_ = make(asynchat::socket(), act);
            actor_->create_socket();
            actor_->bind(endpoint("127.0.0.1", 0));
            actor_->listen();
            peer_ = raw_peer::connected_to(actor_->local_endpoint());
            return;
        }
        auto ends = connected_pair(where == place::handle_expt ? AF_INET : AF_UNIX);
        peer_ = std::move(ends.second);
        actor_ = make(std::move(ends.first), act);
        switch (where) {
        case place::handle_write:
            actor_->wants_write_event = true;
            actor_->update_interest();
            break;
        case place::handle_close:
        case place::handle_eof: peer_.shut_down_output(); break;
        case place::handle_error: actor_->throws_at_frame = true; break;
        case place::handle_expt:
            actor_->watch_urgent_data();
            peer_.send("!", MSG_OOB);
            break;
        case place::send: actor_->push("something"); break;
        case place::more:
            actor_->push_with_producer([this, count = 0]() mutable -> std::string {
                if (const auto self = weak_actor_.lock())
                    self->at(place::more);
                return ++count < 3 ? "piece" : "";
            });
            break;
        case place::posted_function:
            loop_.post([this] {
                if (const auto self = weak_actor_.lock())
                    self->at(place::posted_function);
            });
            break;
        case place::posted_to_channel:
            handle_.post([](actor& self) { self.at(place::posted_to_channel); });
            break;
        case place::timer:
            loop_.call_later(0s, [this] {
                if (const auto self = weak_actor_.lock())
                    self->at(place::timer);
            });
            break;
        default: break;
        }
        if (where != place::handle_close && where != place::handle_eof)
            peer_.send("one\ntwo\nthree");
    }

    /// Runs the loop on after what exceptions may leave it; false when it takes too long.
    template <class Done>
    bool run(Done done)
    {
        for (int exceptions = 0; exceptions < 10; ++exceptions) {
            try {
                return run_until(loop_, done);
            } catch (const exit_now&) {
                ++left_by_exit_now;
            } catch (const test_error&) {
                ++left_by_error;
            }
        }
        return false;
    }

    void play()
    {
        REQUIRE(run([this] {
            peer_received();
            return actor_->acted;
        }));
        // Whatever happened, the neighbours are served, and so is a new channel.
        CHECK(honest_->works());
        CHECK(settle_after());
        check_actor();

        honest_pair another(loop_);
        CHECK(another.works());

        // The end of the connection is handled as well.
        peer_.close();
        server_.reset();
        CHECK(settle_after());
        check_actor();
        bool gone = false;
        actor_->gone = &gone;
        const auto handle = handle_;
        if (const auto self = handle.get())
            self->close();
        actor_.reset();
        CHECK(settle_after());
        CHECK(gone); // nobody holds on to it
        CHECK(honest_->works());
    }

    int left_by_exit_now = 0;
    int left_by_error = 0;

private:
    std::shared_ptr<actor> make(asynchat::socket from, std::function<void(actor&)> act)
    {
        handle_ = loop_.create<actor>(std::move(from), where_, std::move(act));
        weak_actor_ = handle_.lock();
        handle_->on_stage = true;
        return handle_.lock();
    }

    bool settle_after()
    {
        for (int exceptions = 0; exceptions < 10; ++exceptions) {
            try {
                for (int i = 0; i < 50; ++i) {
                    peer_received();
                    if (!settle(loop_))
                        return false;
                }
                return true;
            } catch (const exit_now&) {
                ++left_by_exit_now;
            } catch (const test_error&) {
                ++left_by_error;
            }
        }
        return false;
    }

    /// Takes what the actor sends, so that much of it can be sent.
    void peer_received()
    {
        if (peer_.fd() >= 0)
            peer_.received();
    }

    void check_actor()
    {
        CHECK(actor_->after_close == 0);
        CHECK(actor_->close_calls <= 1);
        CHECK(actor::destroyed_inside == 0);
        const bool own_close = what_ == deed::close || what_ == deed::close_and_run_the_loop;
        if (own_close) {
            CHECK(actor_->closed());
            CHECK(actor_->close_calls == (where_ == place::handle_close ? 1 : 0));
        }
        const bool outside = where_ == place::posted_function || where_ == place::timer;
        if (what_ == deed::throw_exit_now) {
            CHECK(left_by_exit_now == (where_ == place::handle_close ? left_by_exit_now : 1));
        } else if (what_ == deed::throw_error) {
            CHECK(left_by_error == (outside ? 1 : 0));
        } else {
            CHECK(left_by_error == 0);
            CHECK(left_by_exit_now == 0);
        }
        if (what_ == deed::throw_error && !outside && where_ != place::handle_error &&
            where_ != place::handle_accept && where_ != place::handle_accepted)
            CHECK(actor_->closed());
        if (what_ == deed::throw_error &&
            (where_ == place::handle_accept || where_ == place::handle_accepted))
            CHECK(actor_->accepting());
    }

    void act(actor& self)
    {
        switch (what_) {
        case deed::nothing: break;
        case deed::close: self.close(); break;
        case deed::close_when_done: self.close_when_done(); break;
        case deed::throw_error: throw test_error("thrown by the callback");
        case deed::throw_exit_now: throw exit_now();
        case deed::push_much: self.push(std::string(1 << 20, 'm')); break;
        case deed::push_little:
            for (int i = 0; i < 1000; ++i)
                self.push("a little ");
            break;
        case deed::pause_and_resume:
            self.pause_reading();
            self.resume_reading();
            break;
        case deed::pause: self.pause_reading(); break;
        case deed::set_terminator: self.set_terminator(2); break;
        case deed::discard_buffers: self.discard_buffers(); break;
        case deed::destroy_another:
            victim_peer_.send("too late");
            victim_->close();
            break;
        case deed::create_another: {
            auto ends = connected_pair(AF_UNIX);
            loop_.create<echo_channel>(std::move(ends.first));
            created_peer_ = std::move(ends.second);
            created_peer_.send("early");
            break;
        }
        case deed::replace_another: {
            victim_peer_.send("too late");
            victim_->close();
            auto ends = connected_pair(AF_UNIX); // its descriptor again, probably
            loop_.create<echo_channel>(std::move(ends.first));
            created_peer_ = std::move(ends.second);
            break;
        }
        case deed::run_the_loop:
            for (int i = 0; i < 5; ++i)
                loop_.poll();
            CHECK(honest_->works());
            break;
        case deed::close_and_run_the_loop:
            self.close();
            for (int i = 0; i < 5; ++i)
                loop_.poll();
            CHECK(honest_->works());
            break;
        case deed::close_all_others:
            for (const auto& channel : loop_.channels()) {
                if (channel.get() != &self)
                    channel->close();
            }
            honest_.emplace(loop_);
            break;
        case deed::create_socket_anew: self.create_socket(); break;
        }
    }

    place where_;
    deed what_;
    std::optional<raw_listener> server_;
    raw_peer peer_;
    raw_peer victim_peer_;
    raw_peer created_peer_;
    loop loop_;
    std::optional<honest_pair> honest_;
    handle<echo_channel> victim_;
    handle<actor> handle_;
    std::weak_ptr<actor> weak_actor_;
    std::shared_ptr<actor> actor_;
};

} // namespace

TEST_CASE("any callback may do anything", "[lifetime]")
{
    for (const place where : callbacks) {
        for (const deed what : all_deeds) {
            CAPTURE(name(where), name(what));
            scene one(where, what);
            one.play();
        }
    }
}

TEST_CASE("a layer in recv or send may do anything before it calls the original", "[lifetime]")
{
    const place where = GENERATE(place::recv, place::send);
    for (const deed what : all_deeds) {
        CAPTURE(name(where), name(what));
        scene one(where, what);
        one.play();
    }
}

TEST_CASE("a callback may destroy the channel that is served next", "[lifetime]")
{
    class killer : public recorder {
    public:
        using recorder::recorder;
        std::weak_ptr<killer> other;
        void handle_read() override
        {
            recorder::handle_read();
            if (const auto target = other.lock())
                target->close();
        }
    };
    loop loop;
    auto one = connected_pair(AF_UNIX);
    auto two = connected_pair(AF_UNIX);
    const auto first = loop.create<killer>(std::move(one.first)).lock();
    const auto second = loop.create<killer>(std::move(two.first)).lock();
    first->other = second;
    second->other = first;
    CHECK(settle(loop));
    one.second.send("x");
    two.second.send("y");
    REQUIRE(run_until(loop, [&] { return first->closed() || second->closed(); }));
    CHECK(settle(loop));
    CHECK(first->calls.size() + second->calls.size() == 1);
    CHECK(loop.size() == 1);
}

TEST_CASE("a channel may be closed by the timer of another one while it has output", "[lifetime]")
{
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<echo_channel>(std::move(ends.first)).lock();
    channel->send(std::string(1 << 20, 'x'));
    CHECK(settle(loop));
    CHECK(channel->pending_output() > 0); // the system does not take so much
    loop.call_later(0s, [&] { channel->close(); });
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->pending_output() > 0); // how much was lost can be asked
    CHECK(settle(loop));
}

TEST_CASE("a channel may close itself and everybody in its destructor's neighbourhood",
          "[lifetime]")
{
    class last_words : public recorder {
    public:
        last_words(loop& owner, asynchat::socket from, std::weak_ptr<recorder> other)
            : recorder(owner, std::move(from)), other_(std::move(other))
        {
        }
        ~last_words() override
        {
            if (const auto other = other_.lock())
                other->close();
        }

    private:
        std::weak_ptr<recorder> other_;
    };
    loop loop;
    auto one = connected_pair(AF_UNIX);
    auto two = connected_pair(AF_UNIX);
    const auto other = loop.create<recorder>(std::move(one.first)).lock();
    loop.create<last_words>(std::move(two.first), other);
    two.second.close();
    REQUIRE(run_until(loop, [&] { return other->closed(); }));
    CHECK(other->calls.empty());
    CHECK(loop.size() == 0);
}

namespace {

void send_datagram(const endpoint& to)
{
    const descriptor from(::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto native = to.native();
    check_call(
        ::sendto(from.get(), "z", 1, 0, native.data(), static_cast<socklen_t>(native.size())) == 1,
        "sendto");
}

} // namespace

// Asio keeps its record of a descriptor for the next one. When a channel whose event is queued is
// closed, the channel that is made next gets that event.
TEST_CASE("the event of a closed channel does not reach the one that is made next",
          "[lifetime][no-layers]")
{
    enum class kind { socket, with_send, datagrams, listener, pipe, next_socket };
    const kind what = GENERATE(kind::socket, kind::with_send, kind::datagrams, kind::listener,
                               kind::pipe, kind::next_socket);
    CAPTURE(static_cast<int>(what));

    // Each counts the events that reach its handler, and leaves what is there.
    class quiet : public recorder {
    public:
        using recorder::recorder;
        int events = 0;
        void handle_read() override { ++events; }
        void handle_accept() override { ++events; }
    };
    class quiet_sender : public echo_channel {
    public:
        using echo_channel::echo_channel;
        int events = 0;
        void handle_read() override { ++events; }
    };
    class quiet_file : public logging<file_dispatcher> {
    public:
        using logging::logging;
        int events = 0;
        void handle_read() override { ++events; }
    };
    class killer : public recorder {
    public:
        using recorder::recorder;
        std::function<void()> act;
        void handle_read() override
        {
            recorder::handle_read();
            act();
        }
    };

    loop loop;
    for (int attempt = 0; attempt < 10; ++attempt) {
        auto one = connected_pair(AF_UNIX);
        auto two = connected_pair(AF_UNIX);
        auto fresh = connected_pair(AF_UNIX);
        const auto pipe = make_pipe();
        const auto first = loop.create<killer>(std::move(one.first)).lock();
        const auto second = loop.create<killer>(std::move(two.first)).lock();
        const auto older = loop.create<quiet>().lock();
        std::function<int()> events;
        std::shared_ptr<dispatcher> next;
        const auto watch = [&](auto channel) {
            next = channel;
            events = [channel] { return channel->events; };
        };
        const auto bound = [&](std::shared_ptr<quiet> channel, int type) {
            channel->create_socket(AF_INET, type);
            channel->bind(endpoint("127.0.0.1", 0));
            if (type == SOCK_STREAM)
                channel->listen();
            channel->update_interest(); // now, not at the end of the event
            watch(channel);
        };
        const auto replace = [&](killer& other) {
            other.close();
            switch (what) {
            case kind::socket: return watch(loop.create<quiet>(std::move(fresh.first)).lock());
            case kind::with_send:
                return watch(loop.create<quiet_sender>(std::move(fresh.first)).lock());
            case kind::datagrams: return bound(loop.create<quiet>().lock(), SOCK_DGRAM);
            case kind::listener: return bound(loop.create<quiet>().lock(), SOCK_STREAM);
            case kind::pipe: return watch(loop.create<quiet_file>(pipe.first.get()).lock());
            case kind::next_socket: return bound(older, SOCK_STREAM);
            }
        };
        first->act = [&] { replace(*second); };
        second->act = [&] { replace(*first); };
        CHECK(settle(loop));
        one.second.send("x");
        two.second.send("y");
        REQUIRE(run_until(loop, [&] { return first->closed() || second->closed(); }));
        CHECK(settle(loop));
        CHECK(first->calls.size() + second->calls.size() == 1);
        CHECK(events() == 0);

        // What is meant for it comes.
        raw_peer client;
        if (what == kind::pipe)
            check_call(::write(pipe.second.get(), "z", 1) == 1, "write");
        else if (what == kind::datagrams)
            send_datagram(next->local_endpoint());
        else if (what == kind::listener || what == kind::next_socket)
            client = raw_peer::connected_to(next->local_endpoint());
        else
            fresh.second.send("z");
        CHECK(run_until(loop, [&] { return events() > 0; }));
        loop.close_all();
    }
}
