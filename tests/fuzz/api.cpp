// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Any sequence of calls on a few channels in memory: from outside, from callbacks, producers and
// timers, while the network does its worst. After each step: bytes are in order and none is there
// twice, handle_close() was called at most once and nothing after it; in the end no channel is
// stuck.
#include "fuzz/input.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct careless : std::runtime_error {
    careless() : std::runtime_error("careless") {}
};

class world;

/// What a channel was told, and what it did. Outlives the channel.
struct account {
    std::string in;                // sent to it
    std::size_t at = 0;            // of it, was delivered
    bool exact = true;             // all of it up to there, else some bytes were dropped
    std::string out;               // pushed, without what was discarded
    std::size_t sent = 0;          // of it
    std::string received;          // by its peer
    account* other = nullptr;      // the channel at the other end, if there is one
    std::size_t max_frame = 65536; // the largest so far
    int closes = 0;
    bool finishing = false; // close_when_done() was called
    bool threw = false;     // or the system did

    void take(std::string_view data)
    {
        if (exact)
            fuzz::require(in.compare(at, data.size(), data) == 0, "input");
        for (const char byte : data) {
            at = in.find(byte, at);
            fuzz::require(at != in.npos, "input that was never sent");
            ++at;
        }
    }
};

/// One call by the input, or nothing, on a channel of either kind.
class acting {
public:
    virtual void act(bool outside) = 0;
    virtual void check_close() const = 0;

protected:
    ~acting() = default;
};

class world {
public:
    world(const std::uint8_t* data, std::size_t size)
        : input(data, size), loop(input.number(0, 255)), listener_(loop.listen(listening_))
    {
        loop.ignore(silent_);
    }
    void run();

    /// Calls what may throw on purpose, outside of any channel.
    template <class F>
    void guarded(F f)
    {
        try {
            f();
        } catch (const asynchat::exit_now&) {
        } catch (const careless&) {
        } catch (const std::length_error&) { // a count over max_frame()
        } catch (const std::system_error&) {
        }
    }
    void act_on_any(bool outside) { all_[input.number(0, all_.size() - 1)].acts->act(outside); }

    fuzz::input input;
    asynchat::testing::loop loop;
    std::size_t left_to_say = 1 << 19; // bytes, by all
    int nested = 0;
    bool calm = false; // callbacks do nothing any more

private:
    struct member {
        std::shared_ptr<asynchat::async_chat> chat;
        acting* acts;
        std::shared_ptr<account> books;
        std::optional<asynchat::testing::peer> peer;
    };

    template <class Chat>
    member& add(const std::shared_ptr<Chat>& chat)
    {
        all_.push_back({chat, chat.get(), chat->books, std::nullopt});
        return all_.back();
    }
    void step();
    void disturb();
    void play_peer(member& whom);
    void connect_one();
    void accept_waiting();
    void receive(member& from, std::size_t most);
    void receive_all();
    void check() const;
    void come_to_an_end();

    const asynchat::endpoint listening_{"127.0.0.1", 1000};
    const asynchat::endpoint silent_{"127.0.0.1", 1001};
    asynchat::testing::listener listener_;
    std::vector<member> all_;
};

/// A channel that does what the input says.
template <class Base>
class actor : public Base, public acting {
public:
    actor(asynchat::loop& owner, asynchat::socket from, world& here)
        : Base(owner, std::move(from)), world_(here)
    {
        this->set_terminator("\n");
    }
    actor(asynchat::loop& owner, const asynchat::endpoint& to, world& here)
        : Base(owner), world_(here)
    {
        this->set_terminator("\n");
        say(10);
        this->connect(to);
    }

    std::shared_ptr<account> books = std::make_shared<account>();

    void act(bool outside) override;
    void check_close() const override
    {
        fuzz::require(!this->closed() || books->closes == (closed_itself_ ? 0 : 1),
                      "handle_close() for a close of one's own, or none");
    }

    // --- callbacks -----------------------------------------------------------------------------

    void collect_incoming_data(std::string_view data) override
    {
        called();
        fuzz::require(!data.empty(), "an empty piece");
        const std::string piece(data); // it is delivered again if we throw
        in_collect_ = true;
        struct done {
            bool& in_collect;
            ~done() { in_collect = false; }
        } const on_exit{in_collect_};
        act_in_callback();
        books->take(piece);
    }
    asynchat::overflow handle_overflow() override
    {
        called();
        act_in_callback();
        const auto answer = static_cast<asynchat::overflow>(world_.input.number(0, 2));
        books->exact &= answer == asynchat::overflow::close;
        return answer;
    }
    void handle_connect() override
    {
        called();
        act_in_callback();
    }
    void handle_write_paused() override
    {
        called();
        act_in_callback();
    }
    void handle_write_resumed() override
    {
        called();
        act_in_callback();
    }
    void handle_drained() override
    {
        called();
        act_in_callback();
    }
    void handle_eof() override
    {
        called();
        fuzz::require(!eof_, "handle_eof() again");
        eof_ = true;
        fuzz::require(!books->exact || books->threw || books->at == books->in.size(),
                      "the end before all input");
        const bool ends = world_.calm || world_.input.number(0, 3) > 0;
        act_in_callback();
        if (ends && !this->closed())
            Base::handle_eof();
    }
    void handle_close() override
    {
        called();
        fuzz::require(++books->closes == 1, "handle_close() again");
        fuzz::require(this->close_reason() != asynchat::close_reason::open, "no reason");
        act_in_callback();
        if (world_.input.number(0, 1) == 0)
            Base::handle_close();
    }
    void handle_error() override
    {
        called();
        books->threw = true;
        if (world_.calm || !this->connected() || world_.input.number(0, 2) == 0)
            Base::handle_error();
    }
    void close() override
    {
        if (!this->closed() && books->closes == 0)
            closed_itself_ = true;
        Base::close();
    }
    std::size_t send(asynchat::const_buffers data) override
    {
        // Not copied: of much that is offered often little is taken.
        std::size_t at = books->sent;
        for (const asio::const_buffer& each : data) {
            const std::string_view bytes(static_cast<const char*>(each.data()), each.size());
            fuzz::require(books->out.compare(at, bytes.size(), bytes) == 0, "output");
            at += bytes.size();
        }
        const std::size_t size = Base::send(data);
        if (books->other)
            books->other->in.append(books->out, books->sent, size);
        books->sent += size;
        return size;
    }
    void handle_log(asynchat::log_type, std::string_view) override {}

protected:
    void called() const
    {
        fuzz::require(!this->closed() && books->closes == 0, "called after the close");
    }
    /// Only what is known to be in force tells what ended the frame.
    void take_terminator()
    {
        if (books->exact)
            books->take(this->matched_terminator());
    }
    void act_in_callback()
    {
        if (world_.calm)
            return;
        try {
            act(false);
        } catch (...) { // perhaps from what another channel was made to do
            books->threw = true;
            throw;
        }
    }

private:
    std::string text(std::size_t size)
    {
        std::string made(std::min(size, world_.left_to_say), ' ');
        world_.left_to_say -= made.size();
        for (std::size_t i = 0; i < made.size(); ++i)
            made[i] = static_cast<char>('a' + (books->out.size() + i) * 7 / 3 % 26);
        if (!made.empty())
            made.back() = '\n';
        return made;
    }
    void say(std::size_t size)
    {
        std::string made = text(size);
        const std::size_t size_before = books->out.size();
        books->out += made; // first: a push of much may send some of it
        bool accepted = false;
        switch (world_.input.number(0, 3)) {
        case 0: accepted = this->push(std::string_view(made)); break;
        case 1: accepted = this->push(std::move(made)); break;
        case 2: accepted = this->push(std::make_shared<const std::string>(std::move(made))); break;
        default: accepted = this->print("{}", made);
        }
        if (!accepted)
            books->out.resize(size_before);
    }
    void say_by_producer()
    {
        const std::string said = text(world_.input.number(0, 255) * 37);
        const std::size_t piece = world_.input.number(1, 256) * 11;
        const bool accepted =
            this->push_with_producer([this, said, piece, at = std::size_t{0}]() mutable {
                fuzz::require(!this->closed(), "a producer is asked after the close");
                act_in_callback();
                std::string next = said.substr(at, piece);
                at += next.size();
                return next;
            });
        if (accepted)
            books->out += said;
    }
    void change_terminator()
    {
        fuzz::input& input = world_.input;
        asynchat::terminator next = input.terminator();
        if (input.number(0, 1) == 0 && books->at < books->in.size()) // one that comes
            next = books->in.substr(std::min(books->at + input.number(0, 9), books->in.size() - 1),
                                    input.number(1, 5));
        const bool is_counted = next.is_count() && !next.bytes().empty();
        if (next.is_length_prefix() || is_counted || in_collect_)
            books->exact = false; // what it takes out of the input is not shown
        this->set_terminator(next);
    }
    void change_timeout()
    {
        fuzz::input& input = world_.input;
        const auto longest = input.number(0, 100) * 100ms;
        switch (input.number(0, 3)) {
        case 0: return this->idle_timeout(longest);
        case 1: return this->frame_timeout(longest);
        case 2: return this->write_timeout(longest);
        default: return this->linger_timeout(longest);
        }
    }
    void change_limit()
    {
        fuzz::input& input = world_.input;
        const std::size_t size = input.number(0, 255);
        switch (input.number(0, 5)) {
        case 0: return this->write_buffer_limits(size * 32, size * 8);
        case 1: return this->max_output(size * 64);
        case 2: return this->when_full(static_cast<asynchat::full_output>(size % 3));
        case 3: this->ac_in_buffer_size = static_cast<std::uint32_t>(size); return;
        case 4: this->ac_out_buffer_size = static_cast<std::uint32_t>(size * 3); return;
        default: books->max_frame = std::max(books->max_frame, size); return this->max_frame(size);
        }
    }
    void change_rate()
    {
        fuzz::input& input = world_.input;
        const std::size_t size = input.number(0, 255);
        const std::size_t rate = size == 0 ? asynchat::unlimited : size;
        input.number(0, 1) == 0 ? this->read_rate(rate) : this->frame_rate(rate);
    }
    void act_later()
    {
        const auto handle = world_.loop.handle_of(*this);
        if (world_.input.number(0, 1) == 0)
            return handle.post([](actor& self) { self.act_in_callback(); });
        world_.loop.call_later(world_.input.number(0, 50) * 10ms, [handle] {
            if (actor* const self = handle.get())
                self->act_in_callback();
        });
    }
    template <class Exception>
    void fail(bool outside, const Exception& exception)
    {
        if (outside)
            return; // nothing of ours would notice
        throw exception;
    }
    void run_nested()
    {
        if (world_.nested == 3)
            return;
        ++world_.nested;
        struct done {
            int& nested;
            ~done() { --nested; }
        } const on_exit{world_.nested};
        world_.loop.poll(world_.input.number(0, 1) * 100ms);
    }

    world& world_;
    bool eof_ = false;
    bool closed_itself_ = false;
    bool in_collect_ = false;
};

template <class Base>
void actor<Base>::act(bool outside)
{
    fuzz::input& input = world_.input;
    switch (input.number(0, 31)) {
    case 1:
    case 2:
    case 3: return change_terminator();
    case 4:
    case 5: return say(input.number(0, 100));
    case 6: return say(input.number(0, 255) * 40);
    case 7:
    case 8: return say_by_producer();
    case 9: return this->push_eof();
    case 10: books->finishing = true; return this->close_when_done();
    case 11: books->finishing = true; return this->close_when_done(input.number(0, 20) * 100ms);
    case 12: return this->abort();
    case 13: return this->close();
    case 14:
    case 15: return change_limit();
    case 16: return change_timeout();
    case 17: return this->pause_reading();
    case 18: return this->resume_reading();
    case 19:
        books->exact = books->finishing = false;
        books->out.resize(books->sent);
        return this->discard_buffers();
    case 20: return fail(outside, careless());
    case 21: return fail(outside, asynchat::exit_now());
    case 22: return this->initiate_send();
    case 23:
    case 24: return act_later();
    case 25: return run_nested();
    case 26: return world_.act_on_any(outside);
    case 27:
        if (this->connected())
            this->shutdown_output();
        return;
    case 28: return change_rate();
    default: return;
    }
}

class streamer final : public actor<asynchat::async_chat> {
public:
    using actor::actor;
    void found_terminator() override
    {
        called();
        take_terminator();
        act_in_callback();
    }
};

class framer final : public actor<asynchat::frame_chat> {
public:
    using actor::actor;
    void found_frame(std::string_view frame) override
    {
        called();
        fuzz::require(frame.size() <= books->max_frame, "a frame over the limit");
        books->take(frame);
        take_terminator();
        act_in_callback();
    }
};

// --- the other sides ---------------------------------------------------------------------------

void world::receive(member& from, std::size_t most)
{
    account& books = *from.books;
    guarded([&] { books.received += from.peer->received(most); });
    fuzz::require(books.received.size() <= books.sent &&
                      books.out.compare(0, books.received.size(), books.received) == 0,
                  "what was received");
}

void world::receive_all()
{
    for (member& each : all_) {
        if (each.peer)
            receive(each, asynchat::unlimited);
    }
}

void world::play_peer(member& whom)
{
    if (!whom.peer)
        return;
    auto& peer = *whom.peer;
    switch (input.number(0, 12)) {
    case 0:
    case 1: return receive(whom, input.number(1, 256) * 16);
    case 2: return peer.window(input.number(0, 255) * 20);
    case 3: return peer.finish();
    case 4: return peer.reset();
    case 5: return whom.peer.reset();
    default: break;
    }
    const std::string bytes = input.number(0, 1) == 0
                                  ? input.bytes(input.number(1, 40))
                                  : std::string(input.number(1, 256) * 9, 'x') + "\n";
    try {
        peer.send(bytes, input.number(1, 64));
        whom.books->in += bytes;
    } catch (const std::logic_error&) { // it has finished
    }
}

void world::connect_one()
{
    if (all_.size() == 8)
        return;
    const asynchat::endpoint nowhere("127.0.0.1", 1002);
    const std::size_t where = input.number(0, 3);
    const auto& to = where < 2 ? listening_ : where == 2 ? silent_ : nowhere;
    if (const auto chat = loop.create<streamer>(to, *this).lock())
        add(chat);
}

void world::accept_waiting()
{
    while (listener_.waiting() > 0) {
        auto peer = listener_.accept();
        const auto client = std::find_if(all_.begin(), all_.end(), [&](const member& each) {
            return !each.chat->closed() && each.chat->local_endpoint() == peer.peer_endpoint();
        });
        if (client != all_.end())
            client->peer = std::move(peer);
    }
}

void world::disturb()
{
    switch (input.number(0, 8)) {
    case 0: loop.faults().cut = static_cast<unsigned>(input.number(0, 255) * 4); break;
    case 1: loop.faults().block = static_cast<unsigned>(input.number(0, 255) * 2); break;
    case 2: loop.faults().delay = static_cast<unsigned>(input.number(0, 255) * 4); break;
    case 3: loop.faults().reset = static_cast<unsigned>(input.number(0, 20)); break;
    case 4: loop.faults().refuse = static_cast<unsigned>(input.number(0, 255) * 4); break;
    case 5: loop.window(input.number(0, 255) * 16); break;
    default: {
        constexpr int errors[] = {EAGAIN, EINTR, ECONNRESET, EPIPE, EIO, ENOBUFS};
        loop.fail(input.number(1, 20), errors[input.number(0, std::size(errors) - 1)]);
    }
    }
}

void world::step()
{
    switch (input.number(0, 12)) {
    case 0:
    case 1:
    case 2:
    case 3: return play_peer(all_[input.number(0, all_.size() - 1)]);
    case 4:
    case 5:
    case 6: return guarded([this] { act_on_any(true); });
    case 7: return disturb();
    case 8: return guarded([this] { connect_one(); });
    case 9: return guarded([this] { accept_waiting(); });
    case 10: return guarded([this] { loop.advance(input.number(0, 255) * 40ms); });
    default: return guarded([this] { loop.settle(); });
    }
}

void world::check() const
{
    for (const member& each : all_) {
        each.acts->check_close();
        fuzz::require(each.chat->pending_output() <= each.books->out.size() - each.books->sent,
                      "more output than was pushed");
    }
}

/// The network and the callbacks behave: everything goes where it has to, and ends.
void world::come_to_an_end()
{
    calm = true;
    loop.faults() = {};
    guarded([this] { accept_waiting(); });
    for (member& each : all_) {
        each.chat->ac_in_buffer_size = each.chat->ac_out_buffer_size = 65536;
        each.chat->when_full(
            asynchat::full_output::reads_on); // two of them may wait for each other
        each.chat->resume_reading();
        each.chat->read_rate(asynchat::unlimited);
        each.chat->frame_rate(asynchat::unlimited);
        if (each.peer)
            each.peer->window(1 << 20);
    }
    for (int i = 0; i < 3; ++i) {
        guarded([this] { loop.advance(10s); });
        receive_all();
    }
    check();
    for (const member& each : all_) {
        const account& books = *each.books;
        if (each.chat->closed() || !each.chat->connected())
            continue;
        fuzz::require(books.sent == books.out.size() && each.chat->pending_output() == 0,
                      "output is stuck");
        const bool keeps_frames = dynamic_cast<const framer*>(each.chat.get()) != nullptr;
        fuzz::require(!books.exact || books.threw || books.finishing || keeps_frames ||
                          books.in.size() - books.at < 32, // of a terminator that has begun
                      "input is stuck");
    }
    for (const member& each : all_)
        each.chat->close_when_done();
    guarded([this] { loop.advance(5min); });
    for (const member& each : all_)
        fuzz::require(each.chat->closed(), "a channel is stuck");
    check();
}

void world::run()
{
    const bool ends = input.number(0, 3) > 0;
    for (int i = 0; i < 2; ++i) {
        auto [chat, peer] = loop.accept<streamer>(*this);
        add(chat).peer = std::move(peer);
    }
    auto [chat, peer] = loop.accept<framer>(*this);
    add(chat).peer = std::move(peer);
    auto [one, two] = loop.socket_pair();
    const auto first = loop.create<streamer>(std::move(one), *this).lock();
    const auto second = loop.create<framer>(std::move(two), *this).lock();
    first->books->other = second->books.get();
    second->books->other = first->books.get();
    add(first);
    add(second);
    while (!input.is_empty()) {
        step();
        check();
    }
    if (ends)
        come_to_an_end();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    world(data, size).run();
    return 0;
}
