// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/actor.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

// Everything that a user may do, in every callback.

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

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
            settle(loop_); // with select() it waits from the next turn on
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

namespace {

void do_anything_in(place where)
{
    for (const deed what : all_deeds) {
        CAPTURE(name(where), name(what));
        scene one(where, what);
        one.play();
    }
}

} // namespace

TEST_CASE("any callback may do anything", "[lifetime]")
{
    for (const place where : callbacks) {
        if (where != place::handle_expt)
            do_anything_in(where);
    }
}

TEST_CASE("handle_expt() may do anything", "[lifetime][urgent]")
{
    do_anything_in(place::handle_expt);
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
