// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_STREAMS_WAITING_ROOM_HPP
#define ASYNCHAT_DETAIL_STREAMS_WAITING_ROOM_HPP

#include <asynchat/detail/unique_function.hpp>
#include <asynchat/loop.hpp>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/awaitable.hpp>
#include <asio/error.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Where coroutines wait for something of a channel: at most one for input, any number for other
/// changes.
///
/// A coroutine that was waiting looks again at what it waits for: waking it up says nothing.
class waiting_room : public std::enable_shared_from_this<waiting_room> {
public:
    explicit waiting_room(loop& of) noexcept : loop_(of) {}

    /// Suspends the coroutine until it is woken. One coroutine at a time may wait for input.
    asio::awaitable<void> wait_for_input() { return wait(true); }
    asio::awaitable<void> wait_for_change() { return wait(false); }

    bool has_reader() const noexcept { return static_cast<bool>(reader_.resume); }

    void wake_reader()
    {
        if (has_reader())
            std::exchange(reader_, {}).resume({}); // it may wait again at once
    }
    void wake_others()
    {
        for (waiter& each : std::exchange(others_, {}))
            each.resume({});
    }

    /// Wakes all in a later turn, because the channel is ending.
    void wake_all_later()
    {
        if (has_reader())
            others_.push_back(std::exchange(reader_, {}));
        for (waiter& each : std::exchange(others_, {}))
            resume_later(std::move(each), {});
    }

protected:
    ~waiting_room() = default;

private:
    struct waiter {
        std::size_t id = 0;
        unique_function<void(std::error_code)> resume;
    };

    asio::awaitable<void> wait(bool for_input)
    {
        const auto begin = [](auto handler, std::shared_ptr<waiting_room> self, bool reads) {
            self->add(reads, std::move(handler));
        };
        return asio::async_initiate<const asio::use_awaitable_t<>&, void(std::error_code)>(
            begin, asio::use_awaitable, shared_from_this(), for_input);
    }
    template <class Handler>
    void add(bool reads, Handler handler)
    {
        const std::size_t id = ++last_id_;
        if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
            slot.assign([id, weak = weak_from_this()](asio::cancellation_type) {
                if (const auto self = weak.lock())
                    self->cancel(id);
            });
        }
        assert(!reads || !has_reader());
        if (reads)
            reader_ = {id, std::move(handler)};
        else
            others_.push_back({id, std::move(handler)});
    }

    /// The coroutine goes on in a later turn: whoever cancels it may be in the middle of something.
    void cancel(std::size_t id)
    {
        waiter gone;
        const auto found = std::find_if(others_.begin(), others_.end(),
                                        [id](const waiter& each) { return each.id == id; });
        if (reader_.id == id) {
            gone = std::exchange(reader_, {});
        } else if (found != others_.end()) {
            gone = std::move(*found);
            others_.erase(found);
        } else {
            return;
        }
        resume_later(std::move(gone), asio::error::operation_aborted);
    }

    /// This may be the last channel: the loop runs on until the coroutine has seen that.
    void resume_later(waiter who, std::error_code result)
    {
        loop_.post([who = std::move(who), result, guard = loop_.keep_running()]() mutable {
            who.resume(result);
        });
    }

    loop& loop_;
    waiter reader_;
    std::vector<waiter> others_;
    std::size_t last_id_ = 0;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
