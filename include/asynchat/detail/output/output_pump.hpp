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
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace asynchat::detail {

/// What to do next with an output queue, in one attempt to send.
///
/// It calls nobody: it returns a step and is at rest. The channel does the step, in which the queue
/// may be pushed to and cleared, and says what came of it:
///
///     next()   -> data       send piece, or what gather() shows       then sent() or stop()
///                 file       let the system send file()               then sent_of_file()
///                 producer   take_producer() and ask it               then answered() or
///                 put_back() stop, stop_before_producer                          the attempt is
///                 over
///
/// Data that is being sent stays where it is until sent() or stop(), or the end of the pump.
class output_pump {
public:
    enum class action : unsigned char {
        stop,                 // all that may be sent now was tried
        stop_before_producer, // it was not: a producer is next, and may not be asked in this
                              // attempt
        data,
        file,
        producer,
    };
    struct step {
        action what;
        std::string_view piece; // of data that lies in one piece; else empty
    };

    /// A send is offered `max_bytes` at most, and the attempt ends when it has sent sixteen times
    /// as much.
    output_pump(output_queue& queue, std::size_t max_bytes, bool asks_producers) noexcept
        : queue_(queue), max_bytes_(std::max<std::size_t>(max_bytes, 1)),
          ends_at_(sixteen_times(max_bytes_)), asks_producers_(asks_producers)
    {
    }
    ~output_pump() { queue_.unpin(); }
    output_pump(const output_pump&) = delete;
    output_pump& operator=(const output_pump&) = delete;

    /// The next step. The one before has ended.
    step next()
    {
        assert(offered_ == 0);
        if (queue_.is_empty() || sent_ >= ends_at_)
            return {action::stop, {}};
        if (queue_.waiting_producer())
            return {next_of_producer(), {}};
        generation_ = queue_.generation();
        queue_.pin();
        const std::string_view all = queue_.in_one_piece();
        offered_ = std::min(all.size(), max_bytes_);
        return {action::data, {all.data(), offered_}};
    }

    /// Data in more than one piece: calls `sink(std::string_view)` for `max_buffers` of them at
    /// most.
    template <class Sink>
    void gather(std::size_t max_buffers, Sink&& sink)
    {
        assert(offered_ == 0);
        offered_ = queue_.gather(max_buffers, max_bytes_, sink);
    }

    /// So many bytes of the data were sent. When it is less than all, no more is taken now.
    void sent(std::size_t bytes)
    {
        assert(offered_ > 0);
        queue_.unpin();
        const std::size_t offered = std::exchange(offered_, 0);
        if (queue_.generation() != generation_)
            return stop();
        bytes = std::min(bytes, offered); // an override may count what it made of the data
        queue_.consume(bytes);
        sent_ += bytes;
        if (bytes < offered)
            stop();
    }

    /// The file at the head of the queue, and how much of it may be sent.
    ASYNCHAT_DECL file_producer& file() const;
    std::size_t max_of_file() const noexcept { return ends_at_ - sent_; }

    /// So many bytes of the file were sent; none: no more is taken now. Nothing: it has to be asked
    /// as any producer.
    ASYNCHAT_DECL void sent_of_file(std::optional<std::size_t> bytes, bool has_ended);

    /// The producer at the head of the queue. It lives outside of it while it is asked, whatever is
    /// cleared.
    std::unique_ptr<producer> take_producer()
    {
        generation_ = queue_.generation();
        return queue_.take_producer();
    }
    /// It gave a piece. An empty one ends it.
    ASYNCHAT_DECL void answered(std::unique_ptr<producer> source, std::string_view piece);
    /// It gave none, and is asked again in another attempt.
    ASYNCHAT_DECL void put_back(std::unique_ptr<producer> source);

    /// What was to be done came to nothing, and the attempt is over.
    void stop() noexcept
    {
        queue_.unpin();
        offered_ = ends_at_ = 0;
    }

    /// The bytes of this attempt.
    std::size_t sent() const noexcept { return sent_; }

private:
    static std::size_t sixteen_times(std::size_t bytes) noexcept
    {
        const std::size_t all = std::numeric_limits<std::size_t>::max();
        return bytes <= all / 16 ? bytes * 16 : all;
    }
    ASYNCHAT_DECL action next_of_producer() const;

    output_queue& queue_;
    const std::size_t max_bytes_;
    std::size_t ends_at_; // bytes of this attempt at most; 0 once it is over
    std::size_t sent_ = 0;
    std::size_t offered_ = 0; // of the data that is being sent
    unsigned generation_ = 0; // of the queue, when the step began
    const bool asks_producers_;
    bool reads_file_ = false; // the file at the head has to be asked
};

} // namespace asynchat::detail

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/output_pump.ipp>
#endif
#endif
