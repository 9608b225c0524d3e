// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTING_HPP
#define ASYNCHAT_TESTING_HPP

/// @file For the tests of your program; not part of asynchat.hpp. Test a protocol with string
/// literals, without ports, threads and waiting:
///
///     asynchat::testing::loop loop;
///     auto [chat, peer] = loop.accept<echo>();
///     peer.send("hel");
///     peer.send("lo\n");
///     assert(peer.received() == "hello\n");
///
/// Works with any test framework, and without one.

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

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace testing {

class loop;

/// The peer of a channel, controlled by the test.
///
/// It reads only when the test calls received(). Until then at most window() bytes are in flight,
/// and further output of the channel waits. Movable; its destructor closes it. Do not use it in
/// callbacks of channels, because most functions run the loop.
class ASYNCHAT_API peer {
public:
    ASYNCHAT_DECL peer(peer&& other) noexcept;
    ASYNCHAT_DECL peer& operator=(peer&& other) noexcept;
    ASYNCHAT_DECL ~peer();

    /// Sends one piece. The channel receives at most one piece at a time, so two calls are two
    /// receives.
    ASYNCHAT_DECL void send(std::string_view piece);

    /// As above, cut into pieces of `piece` bytes. Throws std::invalid_argument when `piece` is 0.
    ASYNCHAT_DECL void send(std::string_view bytes, std::size_t piece);

    /// Runs the loop, and returns the bytes that have arrived since the last call, up to
    /// `max_bytes` of them.
    ASYNCHAT_DECL std::string
    received(std::size_t max_bytes = std::numeric_limits<std::size_t>::max());

    /// Runs the loop. True when the channel has ended its stream and received() has returned all of
    /// it.
    ASYNCHAT_DECL bool ended();

    /// Runs the loop. True when the connection is lost: one side has reset it, or has closed while
    /// it had unread input.
    ASYNCHAT_DECL bool was_reset();

    /// Ends the stream to the channel; this side can still receive.
    ASYNCHAT_DECL void finish();

    /// Resets the connection. The channel can still receive the bytes that have arrived; bytes in
    /// flight are lost, in both directions.
    ASYNCHAT_DECL void reset();

    /// Closes this side; this is a reset if this side has unread input.
    ASYNCHAT_DECL void close() noexcept;

    /// Sets how many bytes may be in flight towards this peer; 65536 by default. With 0 the channel
    /// cannot send at all.
    ASYNCHAT_DECL void window(std::size_t bytes);
    [[nodiscard]] std::size_t window() const { return end().window(); }

    /// The addresses of this side and of the channel.
    [[nodiscard]] const endpoint& local_endpoint() const { return end().local; }
    [[nodiscard]] const endpoint& peer_endpoint() const { return end().peer; }

private:
    friend class loop;
    friend class listener;
    explicit peer(std::unique_ptr<asynchat::detail::memory_end> end) noexcept;

    ASYNCHAT_DECL asynchat::detail::memory_end& end() const;
    ASYNCHAT_PRIVATE asynchat::detail::memory_end& settled() const;

    std::unique_ptr<asynchat::detail::memory_end> end_;
    std::string taken_; // when an exception has left received()
};

/// An address where the test accepts the connections of channels; see loop::listen().
class ASYNCHAT_API listener {
public:
    ASYNCHAT_DECL listener(listener&& other) noexcept;
    ASYNCHAT_DECL listener& operator=(listener&& other) noexcept;
    ASYNCHAT_DECL ~listener();

    /// Runs the loop, and returns the number of connections that wait.
    ASYNCHAT_DECL std::size_t waiting() const;

    /// Runs the loop, and takes the next connection. Throws std::logic_error when no connection
    /// waits.
    [[nodiscard]] ASYNCHAT_DECL peer accept();

private:
    friend class loop;
    listener(loop& owner, std::unique_ptr<asynchat::detail::memory_socket> socket) noexcept;

    loop* owner_;
    std::unique_ptr<asynchat::detail::memory_socket> socket_;
};

/// A loop whose time and network exist in memory only.
///
/// Channels, servers and clients work in it without changes. Their connections never leave the
/// program, and host names need no look-up. Datagrams, pipes and files are not simulated. The order
/// of all events depends on the seed only.
///
/// Time passes only in advance(), run() and poll(timeout), when the loop has nothing to do but
/// wait; it then passes at once. run() returns when no further event is possible.
class ASYNCHAT_API loop : private asynchat::detail::memory_world, public asynchat::loop {
public:
    /// The seed decides the random faults, and the waits of clients.
    ASYNCHAT_DECL explicit loop(std::uint64_t seed = 0);
    ASYNCHAT_DECL ~loop() override;

    // --- working -------------------------------------------------------------------------------

    /// Runs until nothing is left to do at the present time; no time passes.
    /// Throws std::logic_error when the work does not end.
    ASYNCHAT_DECL void settle();

    /// Lets `time` pass, and handles the events of this time, each at its own time.
    ASYNCHAT_DECL void advance(duration time);

    // --- connections ---------------------------------------------------------------------------

    /// Makes a channel, T(loop&, socket, args...), over a connection to the test, as if a server
    /// had accepted it, with the timeouts of an accepted connection. The result keeps the channel
    /// alive after its close, so that the test can read it.
    template <class T, class... Args>
    std::pair<std::shared_ptr<T>, peer> accept(Args&&... args)
    {
        auto ends = accepted_pair();
        auto channel = create<T>(std::move(ends.first), std::forward<Args>(args)...);
        return {channel.lock(), std::move(ends.second)};
    }

    /// Connects the test to a listening channel, such as a server<>.
    /// Throws std::logic_error when no channel listens there.
    ASYNCHAT_DECL peer connect(const endpoint& to);

    /// Accepts the connections of channels to an address, or to a name: endpoint::named(host,
    /// service). Connections to other addresses are refused.
    ASYNCHAT_DECL listener listen(const endpoint& at);

    /// Connections to `at` are never answered.
    void ignore(const endpoint& at) { network->silent.push_back(at); }

    /// The answer to connections to `at`, also a refusal, comes after `time`.
    void answer_after(const endpoint& at, duration time) { network->slow[at] = time; }

    /// Gives a name to addresses, in the order of a look-up; their ports are numbers. Other names
    /// are addresses themselves.
    ASYNCHAT_DECL void add_host(std::string_view name, std::vector<std::string> addresses);

    /// The number of sockets that channels and listeners have, also those that connect. Each would
    /// be a descriptor.
    [[nodiscard]] std::size_t sockets() const { return network->sockets; }

    /// Two sockets that are connected to each other, for two channels.
    ASYNCHAT_DECL std::pair<socket, socket> socket_pair();

    /// Sets the window of later connections: how many bytes may be in flight in each direction. See
    /// peer::window().
    void window(std::size_t bytes) { network->window = bytes; }
    [[nodiscard]] std::size_t window() const { return network->window; }

    // --- faults --------------------------------------------------------------------------------

    /// The random faults from now on; may be changed at any time.
    testing::faults& faults() { return network->faults; }

    /// The `n`-th operation from now fails with the errno `error`; 1 is the next one. With `what`
    /// only operations of that kind count. The connection itself stays as it is.
    ASYNCHAT_DECL void fail(std::size_t n, int error, std::optional<operation> what = {});

    /// True while a failure that fail() has ordered is still to come.
    [[nodiscard]] bool has_to_fail() const { return !network->failures.empty(); }

    /// The number of operations so far.
    [[nodiscard]] std::size_t operations() const { return network->operations; }

private:
    friend class listener;

    /// A socket as if a server had accepted it, and its other end.
    ASYNCHAT_DECL std::pair<socket, peer> accepted_pair();
    ASYNCHAT_PRIVATE std::pair<std::unique_ptr<asynchat::detail::memory_end>,
                               std::unique_ptr<asynchat::detail::memory_end>>
    end_pair();
    ASYNCHAT_PRIVATE static socket socket_over(std::unique_ptr<asynchat::detail::memory_end> end);
};

} // namespace testing
} // namespace ASYNCHAT_ABI
} // namespace asynchat

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Inside a catch: what the exception says.
inline std::string text_of_caught()
{
    try {
        throw;
    } catch (const std::exception& error) {
        return escaped(error.what());
    } catch (...) {
        return "of unknown type";
    }
}

/// The line of testing::output_recorder for a call of send().
inline std::string sent_line(std::string_view offered, std::size_t size)
{
    std::string line = "sent " + (size > 0 ? escaped(offered.substr(0, size)) : "nothing");
    if (size < offered.size())
        line += " of " + escaped(offered);
    return line;
}

/// The part of testing::recorder for all channels. A user's class below it may have functions of
/// any name, so it has no functions but callbacks and note().
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
        note("close " + std::string(to_string(this->dispatcher::close_reason())));
        Base::handle_close();
    }
    void handle_error() override
    {
        note("error " + asynchat::detail::text_of_caught());
        Base::handle_error();
    }
    void handle_log(log_type type, std::string_view message) override
    {
        logs.push_back(std::string(to_string(type)) + ": " + std::string(message));
    }

    /// Adds a line of the test. A template, so that it overrides nothing of the user's class.
    template <class = void>
    void note(std::string line)
    {
        collecting_ = false;
        events.push_back(std::move(line));
    }

    std::vector<std::string> events;
    std::vector<std::string> logs; ///< "error: ...", instead of writing it to standard error

private:
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

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace testing {

/// A channel that records its callbacks in order. `events` has one line for each, to compare with a
/// literal list:
///
///     collect hello     consecutive pieces are one line, because their cuts mean nothing
///     found             or "frame hello" for a frame_chat
///     connect   eof   close peer finished   error what() of the exception
///
/// Unprintable bytes are escaped. note() adds a line. `logs` has the log lines, which are not
/// written to standard error. `Base` is async_chat, frame_chat, or your own class. The callbacks of
/// your class are called too; if it is abstract, only those that async_chat also defines.
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

/// A recorder that also notes what was sent, one line for each call of send():
///
///     sent hello               all that there was to send
///     sent he of hello         a part; the rest is sent later
///     sent nothing of hello    it would block, or it fails: see the lines that follow
///
/// It overrides send(), so that a file is sent in pieces, like other output.
template <class Base = async_chat>
class output_recorder : public recorder<Base> {
public:
    using recorder<Base>::recorder;

protected:
    /// Notes what was sent of what was offered.
    std::size_t send(const_buffers data) override
    {
        const std::string offered = data.str();
        try {
            const std::size_t size = recorder<Base>::send(data);
            this->note(asynchat::detail::sent_line(offered, size));
            return size;
        } catch (...) {
            this->note(asynchat::detail::sent_line(offered, 0));
            throw;
        }
    }
};

/// Calls `test(seed)` for the seeds 1 to `count`, or only for the seed in the environment variable
/// ASYNCHAT_SEED. When the test throws, the seed is written to standard error, and the exception is
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

} // namespace testing
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/testing.ipp>
#endif
#endif
