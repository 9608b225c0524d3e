// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTING_HPP
#define ASYNCHAT_TESTING_HPP

// For the tests of programs; not part of asynchat.hpp. A protocol is tested with string literals,
// without ports, threads and waiting:
//
//     asynchat::testing::loop loop;
//     auto [chat, peer] = loop.accept<echo>();
//     peer.send("hel");
//     peer.send("lo\n");
//     assert(peer.received() == "hello\n");
//
// Works with any test framework, and with none.

#include <asynchat/async_chat.hpp>
#include <asynchat/config.hpp>
#include <asynchat/detail/memory_network.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/error.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/frame_chat.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/socket.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace asynchat::testing {

class loop;

/// The other side of a connection, played by the test.
///
/// It reads when the test does: until then at most its window is under way, and the channel's
/// further output waits. Movable; closes when it goes. Not to be used in callbacks of channels:
/// most functions let the loop work.
class peer {
public:
    /// Sends one piece; the channel receives no more than one piece at a time. Pieces are not
    /// joined, so that two calls are two receives.
    ASYNCHAT_DECL void send(std::string_view piece);

    /// As above, cut into pieces of `piece` bytes. Throws std::invalid_argument when `piece` is 0.
    ASYNCHAT_DECL void send(std::string_view bytes, std::size_t piece);

    /// Lets the loop work, and returns what has arrived since the last time, at most `most` bytes
    /// of it.
    ASYNCHAT_DECL std::string received(std::size_t most = std::numeric_limits<std::size_t>::max());

    /// Lets the loop work. True when the other side has ended its stream and all of it was
    /// received.
    ASYNCHAT_DECL bool ended();

    /// Lets the loop work. True when the connection is lost: one of the two sides broke it off, or
    /// closed while it had input to read.
    ASYNCHAT_DECL bool was_reset();

    /// Ends what this side sends; it can still receive.
    ASYNCHAT_DECL void finish();

    /// Breaks the connection off. What has arrived can still be received on the other side; what is
    /// under way is lost, in both directions.
    ASYNCHAT_DECL void reset();

    /// Closes this side; a reset when there is something that was not received.
    void close() noexcept { end_.reset(); }

    /// Sets how many bytes may be in flight towards this peer; 65536 by default. With 0 the channel
    /// cannot send at all.
    ASYNCHAT_DECL void window(std::size_t bytes);

    /// The addresses of this side and of the channel.
    const endpoint& local_endpoint() const { return end().local; }
    const endpoint& peer_endpoint() const { return end().peer; }

private:
    friend class loop;
    friend class listener;
    explicit peer(std::unique_ptr<asynchat::detail::memory_end> end) : end_(std::move(end)) {}

    ASYNCHAT_DECL asynchat::detail::memory_end& end() const;
    asynchat::detail::memory_end& settled() const;

    std::unique_ptr<asynchat::detail::memory_end> end_;
    std::string taken_; // by a received() that an exception has left
};

/// Where channels connect to and the test answers; see loop::listen().
class listener {
public:
    /// Lets the loop work. The number of connections that wait.
    ASYNCHAT_DECL std::size_t waiting() const;

    /// Lets the loop work, and takes the next connection. Throws std::logic_error when none waits.
    ASYNCHAT_DECL peer accept();

private:
    friend class loop;
    listener(loop& owner, std::unique_ptr<asynchat::detail::memory_socket> socket)
        : owner_(&owner), socket_(std::move(socket))
    {
    }

    loop* owner_;
    std::unique_ptr<asynchat::detail::memory_socket> socket_;
};

/// A loop whose time and network exist in memory only.
///
/// Channels, servers and clients work in it as they are: what they connect to, listen on and accept
/// never leaves the program, and host names need no look-up. Datagrams, pipes and files are not
/// part of it. Everything happens in an order that depends on the seed alone.
///
/// Time passes in advance(), run() and poll() with a timeout, when nothing is left to do but to
/// wait, and then at once. run() returns when nothing can happen any more.
class loop : private asynchat::detail::memory_world, public asynchat::loop {
public:
    /// The seed is for faults.
    ASYNCHAT_DECL explicit loop(std::uint64_t seed = 0);

    // --- working -------------------------------------------------------------------------------

    /// Works until nothing is left to do now; no time passes.
    /// Throws std::logic_error when there is no end to it.
    ASYNCHAT_DECL void settle();

    /// Lets so much time pass, and does what there is to do meanwhile, each thing at its time.
    ASYNCHAT_DECL void advance(duration time);

    // --- connections ---------------------------------------------------------------------------

    /// Makes a channel, T(loop&, socket, args...), over a connection to the test, as if a server
    /// had accepted it, with the timeouts of one. The channel is kept alive beyond its close, to
    /// look at.
    template <class T, class... Args>
    std::pair<std::shared_ptr<T>, peer> accept(Args&&... args)
    {
        auto ends = end_pair();
        auto channel =
            create<T>(socket_over(std::move(ends.first), true), std::forward<Args>(args)...);
        return {channel.lock(), peer(std::move(ends.second))};
    }

    /// Connects the test to a listening channel, such as a server<>.
    /// Throws std::logic_error when none listens there.
    ASYNCHAT_DECL peer connect(const endpoint& to);

    /// Answers what channels connect to: an address, or a name that they connect to as
    /// endpoint::named(host, service). Elsewhere, connections are refused.
    ASYNCHAT_DECL listener listen(const endpoint& at);

    /// Connects that go there are never answered.
    void ignore(const endpoint& at) { network->silent.push_back(at); }

    /// Two sockets that are connected to each other, for two channels.
    ASYNCHAT_DECL std::pair<socket, socket> socket_pair();

    /// The window of the connections to be made, in bytes: so much may be under way in each
    /// direction; see peer::window().
    void window(std::size_t bytes) { network->window = bytes; }

    // --- faults --------------------------------------------------------------------------------

    /// What goes wrong by chance from now on.
    testing::faults& faults() { return network->faults; }

    /// The `n`-th operation from now, 1 being the next one, fails with this errno; of all kinds, or
    /// of one. The connection itself is as before.
    ASYNCHAT_DECL void fail(std::size_t n, int error, std::optional<operation> what = {});

    /// Whether a failure is still to come.
    bool has_to_fail() const { return !network->failures.empty(); }

    /// How many operations there were.
    std::size_t operations() const { return network->operations; }

private:
    friend class listener;

    ASYNCHAT_DECL std::pair<std::unique_ptr<asynchat::detail::memory_end>,
                            std::unique_ptr<asynchat::detail::memory_end>>
    end_pair();
    ASYNCHAT_DECL static socket socket_over(std::unique_ptr<asynchat::detail::memory_end> end,
                                            bool accepted = false);
};

} // namespace asynchat::testing

namespace asynchat::detail {

/// What testing::recorder writes down of any channel.
template <class Base>
class recorded : public Base {
public:
    using Base::Base;

    void collect_incoming_data(std::string_view data) override
    {
        if (!collecting_ || events.empty())
            note("collect ");
        collecting_ = true;
        events.back() += escaped(data);
        if constexpr (!std::is_abstract_v<Base>)
            Base::collect_incoming_data(data);
    }
    void handle_connect() override
    {
        note("connect");
        if constexpr (!std::is_abstract_v<Base>)
            Base::handle_connect();
    }
    void handle_eof() override
    {
        note("eof");
        Base::handle_eof();
    }
    void handle_close() override
    {
        note("close " + std::string(to_string(this->close_reason())));
        Base::handle_close();
    }
    void handle_error() override
    {
        note("error " + current_error());
        Base::handle_error();
    }
    void handle_log(log_type type, std::string_view message) override
    {
        logs.push_back(std::string(to_string(type)) + ": " + std::string(message));
    }

    /// Adds a line of your own.
    void note(std::string line)
    {
        collecting_ = false;
        events.push_back(std::move(line));
    }

    std::vector<std::string> events;
    std::vector<std::string> logs; ///< "error: ...", instead of writing it to standard error

private:
    static std::string current_error()
    {
        try {
            throw;
        } catch (const std::exception& error) {
            return escaped(error.what());
        } catch (...) {
            return "of unknown type";
        }
    }

    bool collecting_ = false; // the last line is that of a piece
};

template <class Base>
class recorded_terminators : public recorded<Base> {
public:
    using recorded<Base>::recorded;

    void found_terminator() override
    {
        this->note("found");
        if constexpr (!std::is_abstract_v<Base>)
            Base::found_terminator();
    }
};

template <class Base>
class recorded_frames : public recorded<Base> {
public:
    using recorded<Base>::recorded;

    void found_frame(std::string_view frame) override
    {
        this->note("frame " + escaped(frame));
        if constexpr (!std::is_abstract_v<Base>)
            Base::found_frame(frame);
    }
};

} // namespace asynchat::detail

namespace asynchat::testing {

/// A channel that writes down what is called on it, in order, as lines to compare with a literal
/// list, `events`:
///
///     collect hello     pieces that follow each other are one line, as their cuts mean nothing
///     found             or "frame hello" for a frame_chat
///     connect   eof   close peer finished   error what() of the exception
///
/// Bytes that cannot be printed are escaped. note() adds a line; `logs` has what would have been
/// written to standard error. `Base` is async_chat, frame_chat, or a class of yours, whose
/// callbacks are called as well; those of an abstract class only if async_chat has them too.
template <class Base = async_chat>
class recorder : public std::conditional_t<std::is_base_of_v<frame_chat, Base>,
                                           asynchat::detail::recorded_frames<Base>,
                                           asynchat::detail::recorded_terminators<Base>> {
    using recorded = std::conditional_t<std::is_base_of_v<frame_chat, Base>,
                                        asynchat::detail::recorded_frames<Base>,
                                        asynchat::detail::recorded_terminators<Base>>;

public:
    using recorded::recorded;
};

/// Calls `test(seed)` for the seeds 1 to `count`; or only for the one that the environment variable
/// ASYNCHAT_SEED names. When it throws, the seed is written to standard error, and the exception
/// passed on.
template <class Test>
void for_seeds(std::uint64_t count, Test test)
{
    std::uint64_t seed = 1;
    if (const char* const only = std::getenv("ASYNCHAT_SEED"))
        seed = count = std::strtoull(only, nullptr, 10);
    for (; seed <= count; ++seed) {
        try {
            test(seed);
        } catch (...) {
            std::fprintf(
                stderr, "asynchat: failed with seed %llu; to replay it: ASYNCHAT_SEED=%llu\n",
                static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed));
            throw;
        }
    }
}

} // namespace asynchat::testing

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/testing.ipp>
#endif
#endif
