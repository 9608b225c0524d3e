// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_TLS_OUTPUT_IPP
#define ASYNCHAT_IMPL_TLS_TLS_OUTPUT_IPP

#include <asynchat/detail/tls/tls_layer.hpp>

#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/impl/tls/tls_layer.ipp> // call_scope

#include <asio/error.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The plaintext of one record after the other: a large piece as it is, small ones gathered.
class tls_layer::record_source {
public:
    record_source(const const_buffers& from, char* memory) noexcept
        : next_(from.begin()), end_(from.end()), memory_(memory)
    {
    }

    /// Empty at the end.
    std::string_view next() noexcept
    {
        skip_empty();
        if (next_ == end_)
            return {};
        const std::string_view whole = piece();
        offset_ += whole.size();
        if (whole.size() == tls_scratch::max_record || next_ + 1 == end_)
            return whole;
        std::memcpy(memory_, whole.data(), whole.size());
        std::size_t size = whole.size();
        for (skip_empty(); size < tls_scratch::max_record && next_ != end_; skip_empty()) {
            const std::string_view more = piece().substr(0, tls_scratch::max_record - size);
            std::memcpy(memory_ + size, more.data(), more.size());
            size += more.size();
            offset_ += more.size();
        }
        return {memory_, size};
    }

private:
    void skip_empty() noexcept
    {
        for (; next_ != end_ && offset_ == next_->size(); offset_ = 0)
            ++next_;
    }
    std::string_view piece() const noexcept
    {
        return {static_cast<const char*>(next_->data()) + offset_,
                std::min(next_->size() - offset_, tls_scratch::max_record)};
    }

    const_buffers::const_iterator next_;
    const_buffers::const_iterator end_;
    char* memory_;
    std::size_t offset_ = 0; // in *next_
};

/// Encrypts up to four records. Returns the bytes of plaintext; fewer after a failure, or when
/// output_needs_input_.
ASYNCHAT_DECL std::size_t tls_layer::encrypt(tls_scratch& scratch, const_buffers from)
{
    std::size_t all = 0;
    record_source source(from, scratch.plain.data());
    output_needs_input_ = false;
    for (record_count_ = 0; record_count_ < max_records; ++record_count_) {
        const std::string_view plain = source.next();
        // What OpenSSL has written by itself before leaves with the first record.
        const std::size_t before = record_count_ == 0 ? 0 : scratch.sent.size();
        if (plain.empty() || !encrypt_one(plain))
            break;
        records_[record_count_] = {scratch.sent.size() - before, plain.size()};
        all += plain.size();
    }
    return all;
}

/// As one record, or as several if the peer wants small ones.
ASYNCHAT_DECL bool tls_layer::encrypt_one(std::string_view plain)
{
    while (!plain.empty()) {
        std::size_t written = 0;
        is_starved_ = false;
        const int result = SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written);
        if (result == 1) {
            plain.remove_prefix(written);
            continue;
        }
        const int why = SSL_get_error(ssl_.get(), result);
        if (why != SSL_ERROR_WANT_READ) {
            failed(why);
            return false;
        }
        if (is_starved_) { // in the middle of a message of the handshake, such as a ticket
            output_needs_input_ = true;
            return false;
        }
    }
    return true;
}

ASYNCHAT_DECL std::size_t tls_layer::write_some(const_buffers from, std::error_code& error)
{
    error = is_open_ ? failure_ : std::error_code(asio::error::would_block);
    if (error)
        return 0;
    if (has_waiting() && !holds_tickets_)
        send_waiting(error);
    if (taken_ > 0) {
        error.clear();
        return take(from.size());
    }
    if (error)
        return 0;
    const call_scope call(*this);
    const scope_exit keep([this] { keep_rest(); });
    take_tickets(call.scratch());
    std::size_t plain = encrypt(call.scratch(), from);
    if (output_needs_input_ && receive(call.scratch(), max_rest, error))
        plain = encrypt(call.scratch(), from);
    if (output_needs_input_ && error == asio::error::eof)
        input_has_ended("without close_notify");
    if (!failure_ && !output_needs_input_)
        return send_records(call.scratch(), plain, error);
    send_or_keep(call.scratch());
    if (failure_)
        error = failure_;
    else if (!error || error == asio::error::eof)
        error = asio::error::would_block;
    return 0;
}

/// Puts the tickets in front of what is sent next.
ASYNCHAT_DECL void tls_layer::take_tickets(tls_scratch& scratch)
{
    if (!std::exchange(holds_tickets_, false))
        return;
    try {
        scratch.sent.insert(0, waiting_);
        std::string().swap(waiting_);
    } catch (const std::bad_alloc&) {
        fail_for_memory();
    }
}

/// Sends the encrypted records. Returns the bytes of plaintext whose records have left as a whole.
ASYNCHAT_DECL std::size_t tls_layer::send_records(tls_scratch& scratch, std::size_t plain,
                                                  std::error_code& error)
{
    const std::string_view all = scratch.sent;
    if (all.empty())
        return 0;
    const std::size_t sent = lower().write_some(all, error);
    if (!error && sent == all.size()) {
        record_count_ = 0;
        return plain;
    }
    // Also after an error: the channel may survive it, and records have numbers.
    keep_waiting(all.substr(sent));
    account(sent);
    if (error && !is_would_block(error))
        return 0;
    error = taken_ > 0 ? std::error_code() : std::error_code(asio::error::would_block);
    return take(plain);
}

/// Keeps encrypted bytes behind those that wait. Fails without memory, or when there are too many:
/// the answers to a peer that asks and does not read.
ASYNCHAT_DECL void tls_layer::keep_waiting(std::string_view bytes) noexcept
{
    constexpr std::size_t max_waiting = 131072;
    try {
        waiting_.erase(0, std::exchange(waiting_at_, 0));
        if (is_open_ && waiting_.size() + bytes.size() > max_waiting)
            fail(close_reason::tls_error, ERR_PACK(ERR_LIB_SSL, 0, SSL_R_TOO_MANY_KEY_UPDATES),
                 "the peer does not read the answers that it asks for");
        else
            waiting_.append(bytes);
    } catch (const std::bad_alloc&) {
        fail_for_memory();
    }
}

/// Counts the records that have left with the next `sent` bytes.
ASYNCHAT_DECL void tls_layer::account(std::size_t sent) noexcept
{
    std::size_t gone = 0;
    for (; gone < record_count_ && sent >= records_[gone].bytes; ++gone) {
        sent -= records_[gone].bytes;
        taken_ += records_[gone].plain;
    }
    std::move(records_.begin() + gone, records_.begin() + record_count_, records_.begin());
    record_count_ -= gone;
    if (record_count_ > 0)
        records_[0].bytes -= sent;
}

ASYNCHAT_DECL std::size_t tls_layer::take(std::size_t max_bytes) noexcept
{
    const std::size_t size = std::min(taken_, max_bytes);
    taken_ -= size;
    return size;
}

/// Sends what waits; sets would_block while some of it is left.
ASYNCHAT_DECL void tls_layer::send_waiting(std::error_code& error)
{
    holds_tickets_ = false;
    const std::size_t sent =
        lower().write_some(std::string_view(waiting_).substr(waiting_at_), error);
    if (error)
        return;
    waiting_at_ += sent;
    account(sent);
    if (has_waiting()) {
        error = asio::error::would_block;
    } else {
        std::string().swap(waiting_);
        waiting_at_ = 0;
    }
}

/// Sends what OpenSSL has written by itself, or keeps it for send_own().
ASYNCHAT_DECL void tls_layer::send_or_keep(tls_scratch& scratch)
{
    if (scratch.sent.empty())
        return;
    take_tickets(scratch);
    std::string_view all = scratch.sent;
    std::error_code error;
    if (!has_waiting())
        all.remove_prefix(lower().write_some(all, error));
    keep_waiting(all); // also after an error, which the next call of the channel finds too
    scratch.sent.clear();
}

ASYNCHAT_DECL bool tls_layer::send_own()
{
    // Records of the channel's output are its own matter, and the flight of a handshake too.
    if (!is_open_ || record_count_ > 0 || !has_waiting())
        return false;
    if (holds_tickets_ && has_input()) // which may be answered in its turn
        return false;
    std::error_code error;
    send_waiting(error);
    return is_would_block(error);
}

ASYNCHAT_DECL std::size_t tls_layer::held_output() const
{
    std::size_t held = taken_;
    for (std::size_t i = 0; i < record_count_; ++i)
        held += records_[i].plain;
    return held;
}

ASYNCHAT_DECL std::size_t tls_layer::in_flight()
{
    return transport_layer::in_flight() + waiting_.size() - waiting_at_;
}

/// Goes on with a message of the handshake that has come in part: close_notify cannot be sent
/// before its end. Returns false with would_block.
ASYNCHAT_DECL bool tls_layer::finish_message(tls_scratch& scratch, std::error_code& error)
{
    output_needs_input_ = false;
    while (SSL_in_init(ssl_.get()) != 0) {
        if (shake_hands() != step::starved)
            break;
        if (!receive(scratch, max_rest, error)) {
            output_needs_input_ = is_would_block(error);
            if (output_needs_input_)
                return false;
            break;
        }
    }
    error.clear();
    return true;
}

ASYNCHAT_DECL void tls_layer::shutdown_write(std::error_code& error)
{
    error.clear();
    if (is_open_ && !failure_ && !output_ended_) {
        const call_scope call(*this);
        const scope_exit keep([this] { keep_rest(); });
        if (!finish_message(call.scratch(), error))
            return;
        output_ended_ = true;
        SSL_shutdown(ssl_.get());
        send_or_keep(call.scratch());
    }
    if (has_waiting())
        send_waiting(error);
    if (!error)
        transport_layer::shutdown_write(error);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
