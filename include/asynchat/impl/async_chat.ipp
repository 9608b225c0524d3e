// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_ASYNC_CHAT_IPP
#define ASYNCHAT_IMPL_ASYNC_CHAT_IPP

#include <asynchat/async_chat.hpp>

#include <asio/buffer.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace asynchat {

ASYNCHAT_DECL async_chat::async_chat(loop& owner) : async_chat(owner, socket()) {}

ASYNCHAT_DECL async_chat::async_chat(loop& owner, socket from)
    : dispatcher(owner, std::move(from)), queue_(owner.pool()), parsing_(false), paused_(false),
      sending_(false), awaits_writable_(false), close_when_done_(false), ends_when_sent_(false),
      input_ended_(false), eof_reported_(false)
{
}

ASYNCHAT_DECL async_chat::~async_chat() = default;

// --- terminators -----------------------------------------------------------------------------

ASYNCHAT_DECL void async_chat::set_terminator(const terminator& next)
{
    // Held bytes belong to the old terminator; with the next input the new one sees them again.
    if (held_ > 0 && next != scanner_.current()) {
        keep(held());
        held_ = 0;
    }
    if (!next.is_bytes() || !scanner_.current().is_bytes())
        frame_size_ = 0;
    scanner_.set(next);
    terminator_max_frame_.reset();
}

ASYNCHAT_DECL void async_chat::set_terminator(const terminator& next, std::size_t max_frame)
{
    set_terminator(next);
    terminator_max_frame_ = max_frame;
}

// --- input -----------------------------------------------------------------------------------

ASYNCHAT_DECL bool async_chat::readable()
{
    return delivers_input() && !parsing_;
}

ASYNCHAT_DECL void async_chat::handle_read()
{
    if (parsing_)
        return; // a callback runs the loop: what comes now is behind what it has still to get
    loop::receive_lease lease(owner());
    // The bytes kept from before go in front of the new ones, so that they are one piece. There can
    // be many only if callbacks throw and survive; then they come first.
    const std::size_t front = held_ + kept().size();
    constexpr std::size_t most = std::size_t{1} << 30; // memory is reserved for it
    const std::size_t limit = std::clamp<std::size_t>(ac_in_buffer_size, 1, most);
    const bool receives = kept().size() <= std::max<std::size_t>(limit, 65536);
    char* const memory = lease.reserve(front + limit);
    std::size_t received = 0;
    if (receives) {
        try {
            received = recv(asio::mutable_buffer(memory + front, limit));
        } catch (const std::system_error& error) {
            const int number = detail::errno_of(error.code());
            if (is_would_block(error.code()) || number == EALREADY || number == EINPROGRESS)
                return;
            failed();
            return;
        }
        if (received == 0 || closed())
            return;
    }
    const std::string_view before = kept_.empty() ? held() : kept();
    char* const start = memory + front - before.size();
    std::memcpy(start, before.data(), before.size());
    const std::string_view input(start, before.size() + received);
    keep({});
    parse(input, std::exchange(held_, 0));
}

/// Hands out `input`, whose first `matched` bytes are known to begin the terminator. What is not
/// handed out, because a callback paused or threw, is kept: in `storage` if the input lies there,
/// so that pausing after each frame does not move all that is behind it.
ASYNCHAT_DECL void async_chat::parse(std::string_view input, std::size_t matched,
                                     std::string* storage)
{
    const auto stop = [this, storage] {
        parsing_ = false;
        const std::string_view rest = std::exchange(input_, {});
        if (closed() || close_when_done_)
            return;
        if (!storage || rest.empty())
            return keep(rest);
        kept_front_ = static_cast<std::size_t>(rest.data() - storage->data());
        kept_ = std::move(*storage);
    };
    parsing_ = true;
    input_ = input;
    try {
        parse_input(matched);
    } catch (...) {
        stop();
        throw;
    }
    stop();
}

ASYNCHAT_DECL void async_chat::keep(std::string_view input)
{
    kept_.assign(input);
    kept_front_ = 0;
}

ASYNCHAT_DECL void async_chat::parse_all_kept()
{
    std::string storage = std::exchange(kept_, {});
    const std::string_view input = std::string_view(storage).substr(std::exchange(kept_front_, 0));
    parse(input, 0, &storage);
}

ASYNCHAT_DECL void async_chat::parse_input(std::size_t matched)
{
    while (!input_.empty() && delivers_input()) {
        const terminator& wanted = get_terminator();
        if (&wanted != &scanner_.current() && wanted != scanner_.current()) {
            scanner_.set(wanted);
            matched = 0;
        }
        if (!take_step(scanner_.scan(input_, std::exchange(matched, 0))))
            return;
        if (queue_.size() > ac_out_buffer_size && !awaits_writable_)
            send_queued(sending::data_only);
    }
}

/// Returns false when the rest of the input has to wait for more.
ASYNCHAT_DECL bool async_chat::take_step(const detail::terminator_scanner::step& step)
{
    const terminator& current = scanner_.current();
    const bool is_string = current.is_bytes() && !current.collects_everything();
    const bool is_count = current.is_count() && !current.collects_everything();
    const unsigned revision = scanner_.revision();
    if (is_string && step.collect > max_frame() - std::min(frame_size_, max_frame())) {
        const std::size_t allowed = max_frame() - std::min(frame_size_, max_frame());
        deliver(allowed);
        input_.remove_prefix(std::min(input_.size(), allowed));
        if (scanner_.revision() != revision)
            return true; // the rest is for the terminator set just now
        if (delivers_input())
            frame_too_long();
        return false;
    }

    deliver(step.collect);
    if (!is_string)
        frame_size_ = 0;
    if (is_count && scanner_.revision() == revision)
        scanner_.count_down(step.collect);
    // A callback may have discarded the input.
    input_.remove_prefix(std::min(input_.size(), step.collect + (step.found ? step.skip : 0)));
    if (closed() || close_when_done_)
        return false;
    if (step.found) {
        frame_size_ = 0;
        found_terminator();
        return true;
    }
    if (step.held > 0 && !input_.empty() && scanner_.revision() == revision) {
        held_ = step.held;
        input_ = {};
    }
    return false;
}

/// Hands out the first `bytes` of the input, which stay there: if the callback throws, they are
/// delivered again.
ASYNCHAT_DECL void async_chat::deliver(std::size_t bytes)
{
    if (bytes == 0)
        return;
    const std::size_t size_before = frame_size_;
    frame_size_ += bytes;
    try {
        collect_incoming_data(input_.substr(0, bytes));
    } catch (...) {
        frame_size_ = size_before;
        throw;
    }
}

ASYNCHAT_DECL void async_chat::frame_too_long()
{
    const char* const setter = terminator_max_frame_ ? "set_terminator()" : "max_frame()";
    log_info(log_type::error,
             "closing channel {}: a frame is longer than {} bytes, the limit of {}", safe_repr(),
             max_frame(), setter);
    end(close_reason::frame_limit);
}

ASYNCHAT_DECL void async_chat::pause_reading()
{
    paused_ = true;
}

ASYNCHAT_DECL void async_chat::resume_reading()
{
    if (!paused_)
        return;
    paused_ = false;
    deliver_later();
}

ASYNCHAT_DECL void async_chat::deliver_later()
{
    owner().post([state = state_] {
        if (const auto channel = state->channel) {
            auto& chat = static_cast<async_chat&>(*channel);
            chat.in_event([&chat] { chat.deliver_kept(); });
        }
    });
}

/// Delivers input that was kept while reading was paused, and then the end of the stream if that
/// came meanwhile.
ASYNCHAT_DECL void async_chat::deliver_kept()
{
    if (parsing_ || !delivers_input())
        return; // the parser on the stack goes on by itself
    if (input_ended_ && !eof_reported_)
        return end_of_input();
    parse_all_kept();
}

ASYNCHAT_DECL void async_chat::end_of_input()
{
    input_ended_ = true;
    // Nothing else will report the end when exit_now leaves a callback.
    struct unfinished {
        async_chat& chat;
        int exceptions = std::uncaught_exceptions();
        ~unfinished()
        {
            if (std::uncaught_exceptions() > exceptions && !chat.eof_reported_)
                chat.deliver_later();
        }
    } const on_exit{*this};
    // A callback that throws and survives must not keep the end from being reported.
    while (!kept_.empty() && delivers_input()) {
        const std::size_t size = kept().size();
        guarded([&] { parse_all_kept(); });
        if (kept().size() >= size)
            break;
    }
    if (closed() || close_when_done_ || paused_)
        return;
    if (held_ > 0) {
        const std::string input(held());
        held_ = 0;
        const std::size_t room = max_frame() - std::min(frame_size_, max_frame());
        if (room > 0)
            guarded([&] { collect_incoming_data(std::string_view(input).substr(0, room)); });
        if (input.size() > room && !closed() && !close_when_done_)
            return frame_too_long();
    }
    if (closed() || eof_reported_)
        return;
    eof_reported_ = true;
    handle_eof();
}

ASYNCHAT_DECL void async_chat::handle_close()
{
    close();
}

ASYNCHAT_DECL void async_chat::handle_eof()
{
    ends_when_sent_ = true;
    flush_soon();
}

ASYNCHAT_DECL void async_chat::_collect_incoming_data(std::string_view data)
{
    const std::size_t room = max_frame() - std::min(collected_.size(), max_frame());
    collected_.append(data.substr(0, room));
    if (data.size() > room)
        frame_too_long();
}

ASYNCHAT_DECL std::string async_chat::_get_data()
{
    return std::exchange(collected_, {});
}

// --- output ----------------------------------------------------------------------------------

ASYNCHAT_DECL bool async_chat::push(std::string_view data)
{
    if (!accepts_output())
        return false;
    queue_.push(data);
    flush_soon();
    return true;
}

ASYNCHAT_DECL bool async_chat::push(std::string&& data)
{
    if (!accepts_output())
        return false;
    queue_.push(std::move(data));
    flush_soon();
    return true;
}

ASYNCHAT_DECL bool async_chat::push(std::shared_ptr<const std::string> data)
{
    if (!data)
        throw std::invalid_argument("asynchat: push() of a null pointer");
    if (!accepts_output())
        return false;
    queue_.push(std::move(data));
    flush_soon();
    return true;
}

ASYNCHAT_DECL bool async_chat::vprint(fmt::string_view format, fmt::format_args args)
{
    if (!accepts_output())
        return false;
    queue_.push_written(
        [&](std::string& block) { fmt::vformat_to(std::back_inserter(block), format, args); });
    flush_soon();
    return true;
}

ASYNCHAT_DECL bool async_chat::push_with_producer(std::unique_ptr<producer> source)
{
    if (!source)
        throw std::invalid_argument("asynchat: push_with_producer() of a null pointer");
    if (!accepts_output())
        return false;
    queue_.push(std::move(source));
    flush_soon();
    return true;
}

ASYNCHAT_DECL void async_chat::close_when_done()
{
    close_when_done_ = true;
    keep({});
    held_ = 0;
    flush_soon();
}

ASYNCHAT_DECL void async_chat::discard_buffers()
{
    input_ = {};
    keep({});
    held_ = 0;
    collected_.clear();
    queue_.clear();
    largest_piece_ = 0;
    awaits_writable_ = false;
    close_when_done_ = false;
    flush_soon();
}

ASYNCHAT_DECL bool async_chat::writable()
{
    return !queue_.is_empty() || close_when_done_ || !connected();
}

ASYNCHAT_DECL void async_chat::handle_write()
{
    initiate_send();
}

ASYNCHAT_DECL void async_chat::flush()
{
    if (!awaits_writable_)
        initiate_send();
}

ASYNCHAT_DECL void async_chat::initiate_send()
{
    if (sending_)
        return; // called by a producer or a layer: the attempt on the stack goes on
    send_queued(sending::everything);
    if (queue_.is_empty()) {
        if (close_when_done_)
            end(close_reason::local);
        else if (ends_when_sent_)
            end(close_reason::peer_finished);
    }
}

ASYNCHAT_DECL void async_chat::send_queued(sending what)
{
    if (sending_)
        return;
    struct done {
        async_chat& chat;
        ~done()
        {
            // What is left goes when the socket is writable: not before, whatever is pushed.
            chat.awaits_writable_ = chat.connected() && !chat.queue_.is_empty();
            chat.sending_ = false;
        }
    } const on_exit{*this};
    sending_ = true;

    const std::size_t most = std::max<std::size_t>(ac_out_buffer_size, 1);
    const std::size_t turn_limit = most <= unlimited / 16 ? most * 16 : unlimited;
    std::size_t sent = 0;
    while (connected() && !queue_.is_empty() && sent < turn_limit) {
        if (queue_.waiting_producer()) {
            // The next piece is asked for when all before it was taken, and in the same flush only
            // if another one like those before would still fit into one send.
            const std::size_t expected = largest_piece_ > 0 ? largest_piece_ : most;
            if (what == sending::data_only || (sent > 0 && sent + expected > most))
                return;
            if (!ask_producer())
                return;
            continue;
        }
        std::array<asio::const_buffer, 64> buffers;
        std::size_t count = 0;
        const std::size_t offered = queue_.gather(buffers.size(), most, [&](std::string_view data) {
            buffers[count++] = asio::const_buffer(data.data(), data.size());
        });
        const unsigned generation = queue_.generation();
        std::size_t taken = 0;
        queue_.pin(true);
        struct unpin {
            detail::output_queue& queue;
            ~unpin() { queue.pin(false); }
        } const after_sending{queue_};
        try {
            taken = send(const_buffers(buffers.data(), count));
        } catch (const std::system_error&) {
            failed();
            return;
        }
        if (closed() || queue_.generation() != generation)
            return;
        taken = std::min(taken, offered); // an override may count what it made of the data
        queue_.consume(taken);
        sent += taken;
        if (taken < offered)
            return; // the socket takes no more
    }
}

/// Asks the producer at the head for its next piece. Returns false when the attempt has to end.
ASYNCHAT_DECL bool async_chat::ask_producer()
{
    const unsigned generation = queue_.generation();
    auto source = queue_.take_producer();
    std::string_view piece;
    try {
        piece = source->more();
    } catch (...) {
        if (queue_.generation() == generation)
            queue_.offer_piece(std::move(source), {}); // asked again, if the channel survives
        throw;
    }
    if (closed() || queue_.generation() != generation)
        return false;
    if (piece.empty()) {
        largest_piece_ = 0;
        queue_.drop_producer();
        return true;
    }
    largest_piece_ = std::max(largest_piece_, piece.size());
    queue_.offer_piece(std::move(source), piece);
    return true;
}

} // namespace asynchat

#endif
