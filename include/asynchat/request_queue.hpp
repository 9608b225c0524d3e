// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_REQUEST_QUEUE_HPP
#define ASYNCHAT_REQUEST_QUEUE_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/unique_function.hpp>
#include <asynchat/dispatcher.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/timer.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// The requests of a client that wait for their answers, for a protocol whose answers come in the
/// order of the requests. A member of the channel:
///
///     push("GET " + key + "\n");   requests_.ask(std::move(done), std::chrono::seconds(2));
///     in found_terminator():       if (!requests_.answer(_get_data())) finish("no request");
///     in handle_end():             requests_.fail_all(make_error_code(std::errc::not_connected));
///
/// Each function given to ask() is called exactly once, with an answer or with an error, and never
/// inside ask(). It may do anything: ask again, close the channel, destroy the queue.
/// Thread safety: none. Lifetime: not longer than the channel.
/// Python: none
template <class Answer>
class request_queue {
public:
    /// Empty, for this channel.
    explicit request_queue(dispatcher& channel) noexcept : channel_(channel) {}
    request_queue(const request_queue&) = delete;
    request_queue& operator=(const request_queue&) = delete;

    /// Fails what is left, with std::errc::operation_canceled. Exceptions are ignored then, and
    /// ask() throws std::system_error with that error: a function that asks again after each error
    /// would otherwise do so for ever.
    ~request_queue();

    /// Adds a request. `done(Answer* answer, const std::error_code& error)` is called later:
    /// `answer` is null when there is an error. `done` may be move-only, and may move from *answer.
    ///
    /// If no answer has come after `timeout`, the error is std::errc::timed_out; zero means no
    /// limit. This is an event of the channel. The answer is still expected, and is dropped when it
    /// comes. The time does not go on after the close of the channel.
    template <class F>
    void ask(F done, loop::duration timeout = loop::duration::zero());

    /// Gives the answer to the oldest request. Returns false when there is none: the peer has
    /// answered what was not asked. Passes on exceptions of the function.
    bool answer(Answer value);

    /// Fails the requests that wait now, oldest first; later ones wait. If a function throws, the
    /// exception is passed on, and the others still wait: call it again.
    void fail_all(const std::error_code& error);

    /// The number of answers that are still expected, also of requests that have timed out.
    [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }
    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }

private:
    using callback = detail::unique_function<void(Answer*, const std::error_code&)>;

    struct request {
        callback done; // empty: it has timed out
        scoped_timer timeout;
    };

    void timed_out(std::uint64_t number);
    callback take_oldest();
    void fail_oldest(const std::error_code& error);

    dispatcher& channel_;
    bool ends_ = false; // in the destructor
    std::deque<request> waiting_;
    std::uint64_t first_ = 0;                                     // the number of the oldest
    const std::shared_ptr<char> mark_ = std::make_shared<char>(); // destroyed with the queue
};

// --- implementation ----------------------------------------------------------------------------

template <class Answer>
request_queue<Answer>::~request_queue()
{
    ends_ = true;
    while (!waiting_.empty()) { // nothing is added
        try {
            fail_oldest(std::make_error_code(std::errc::operation_canceled));
        } catch (...) { // nobody is left to be told
        }
    }
}

template <class Answer>
template <class F>
void request_queue<Answer>::ask(F done, loop::duration timeout)
{
    static_assert(std::is_invocable_v<F&, Answer*, const std::error_code&>,
                  "ask: the function is called with an Answer* and a std::error_code");
    if (ends_)
        throw std::system_error(std::make_error_code(std::errc::operation_canceled),
                                "asynchat: ask(): the request_queue ends");
    waiting_.push_back({callback(std::move(done)), {}});
    if (timeout == loop::duration::zero())
        return;
    const std::uint64_t number = first_ + waiting_.size() - 1;
    try {
        waiting_.back().timeout = detail::channel_access::call_later(
            channel_, timeout, [this, number, mark = std::weak_ptr(mark_)] {
                if (!mark.expired())
                    timed_out(number);
            });
    } catch (...) {
        waiting_.pop_back(); // it was not asked
        throw;
    }
}

template <class Answer>
void request_queue<Answer>::timed_out(std::uint64_t number)
{
    auto done = std::exchange(waiting_[static_cast<std::size_t>(number - first_)].done, {});
    if (done)
        done(nullptr, std::make_error_code(std::errc::timed_out));
}

template <class Answer>
typename request_queue<Answer>::callback request_queue<Answer>::take_oldest()
{
    callback done = std::move(waiting_.front().done);
    waiting_.pop_front();
    ++first_;
    return done;
}

template <class Answer>
bool request_queue<Answer>::answer(Answer value)
{
    if (waiting_.empty())
        return false;
    if (auto done = take_oldest())
        done(&value, std::error_code());
    return true;
}

template <class Answer>
void request_queue<Answer>::fail_oldest(const std::error_code& error)
{
    if (auto done = take_oldest())
        done(nullptr, error);
}

template <class Answer>
void request_queue<Answer>::fail_all(const std::error_code& error)
{
    const std::weak_ptr mark(mark_);
    const std::error_code why = error; // the caller's may be in what a function destroys
    const std::uint64_t end = first_ + waiting_.size();
    while (!mark.expired() && first_ < end && !waiting_.empty())
        fail_oldest(why);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
