// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_OUTPUT_OUTPUT_PUMP_HPP
#define ASYNCHAT_DETAIL_OUTPUT_OUTPUT_PUMP_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/output/output_queue.hpp>
#include <asynchat/fwd.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Decides what to do next with an output queue, in one attempt to send.
///
/// It makes no callbacks: it returns a step. The channel does the step, during which the queue may
/// be pushed to and cleared, and reports the result:
///
///     next()   -> data       send piece, or the pieces of gather()    then sent() or stop()
///                 file       let the system send file()               then sent_of_file()
///                 producer   take_producer() and ask it               then answered() or
///                 put_back() stop, stop_before_producer                          the attempt is
///                 over
///
/// The views of data stay valid until sent() or stop(), or until the pump is destroyed.
class output_pump {
public:
    enum class action : unsigned char {
        stop,                 // the attempt has tried all output that may be sent now
        stop_before_producer, // a producer is next, and this attempt may not call it
        data,
        file,
        producer,
    };
    struct step {
        action what;
        std::string_view piece; // the data if it is one piece; otherwise empty
    };

    /// One send offers at most `max_bytes`. The attempt ends when it has sent sixteen times as
    /// much, or 1 MiB if that is less, but not before it has sent `max_bytes`. It also ends when
    /// max_ended producers have ended: each of them may have pushed another one.
    static constexpr unsigned max_ended = 256;
    output_pump(output_queue& queue, std::size_t max_bytes, bool asks_producers) noexcept
        : queue_(queue), max_bytes_(std::max<std::size_t>(max_bytes, 1)),
          ends_at_(bytes_of_turn(max_bytes_)), asks_producers_(asks_producers)
    {
    }
    ~output_pump() { let_go(); }
    output_pump(const output_pump&) = delete;
    output_pump& operator=(const output_pump&) = delete;

    /// The next step. Call it after the previous step has ended.
    step next()
    {
        assert(offered_ == 0);
        if (queue_.is_empty() || sent_ >= ends_at_)
            return {action::stop, {}};
        if (queue_.waiting_producer())
            return {next_of_producer(), {}};
        held_ = &queue_.hold(output_storage::hold::pinned);
        const std::string_view all = queue_.in_one_piece();
        offered_ = std::min(all.size(), max_bytes_);
        return {action::data, {all.data(), offered_}};
    }

    /// For data in several pieces: calls `sink(std::string_view)` for at most `max_buffers` pieces.
    template <class Sink>
    void gather(std::size_t max_buffers, Sink&& sink)
    {
        assert(offered_ == 0);
        offered_ = queue_.gather(max_buffers, max_bytes_, sink);
    }

    /// Reports that `bytes` bytes of the data were sent. If that is less than all, the attempt
    /// ends.
    void sent(std::size_t bytes)
    {
        assert(offered_ > 0);
        const std::size_t offered = std::exchange(offered_, 0);
        if (!let_go())
            return stop();
        bytes = std::min(bytes, offered); // an override of send() may return more than it was given
        queue_.consume(bytes);
        sent_ += bytes;
        if (bytes < offered)
            stop();
    }

    /// The file at the head of the queue, and how many bytes of it may be sent.
    ASYNCHAT_DECL file_producer& file() const;
    std::size_t max_of_file() const noexcept { return ends_at_ - sent_; }

    /// Reports the bytes of the file that were sent; 0 ends the attempt. std::nullopt: the file
    /// must be read like any producer.
    ASYNCHAT_DECL void sent_of_file(std::optional<std::size_t> bytes, bool has_ended);

    /// Takes the producer at the head of the queue. It is outside the queue while more() runs, so
    /// that clear() does not destroy it.
    std::unique_ptr<producer> take_producer()
    {
        held_ = &queue_.hold(output_storage::hold::kept);
        return queue_.take_producer();
    }
    /// Reports the piece that the producer returned. An empty piece ends the producer.
    ASYNCHAT_DECL void answered(std::unique_ptr<producer> source, std::string_view piece);
    /// The producer returned no piece; it is called again in another attempt.
    ASYNCHAT_DECL void put_back(std::unique_ptr<producer> source);

    /// Ends the step without a result, and the attempt.
    void stop() noexcept
    {
        let_go();
        offered_ = ends_at_ = 0;
    }

    /// The number of bytes sent in this attempt.
    std::size_t sent() const noexcept { return sent_; }

private:
    static std::size_t bytes_of_turn(std::size_t max_bytes) noexcept
    {
        constexpr std::size_t max_turn = 1024 * 1024;
        return max_bytes < max_turn / 16 ? max_bytes * 16 : std::max(max_bytes, max_turn);
    }
    ASYNCHAT_DECL action next_of_producer() const;

    /// Returns whether the queue is the one of the begin of the step: clear() was not called.
    [[gnu::always_inline]] bool let_go() noexcept
    {
        return held_ && queue_.let_go(*std::exchange(held_, nullptr));
    }

    output_queue& queue_;
    const std::size_t max_bytes_;
    std::size_t ends_at_; // largest number of bytes of this attempt; 0 after its end
    std::size_t sent_ = 0;
    std::size_t offered_ = 0;        // bytes offered to the running send
    output_storage* held_ = nullptr; // by this, during a step
    unsigned ended_ = 0;             // producers, in this attempt
    const bool asks_producers_;
    bool reads_file_ = false; // the file at the head must be read
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/output_pump.ipp>
#endif
#endif
