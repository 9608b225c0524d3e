// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_TLS_OUTPUT_IPP
#define ASYNCHAT_IMPL_TLS_TLS_OUTPUT_IPP

#include <asynchat/detail/tls/tls_layer.hpp>

#include <asynchat/impl/tls/tls_layer.ipp> // call_scope

#include <asio/error.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace asynchat::detail {

/// Encrypts up to four records. Returns the bytes of plaintext; 0 after a failure.
ASYNCHAT_DECL std::size_t tls_layer::encrypt(tls_scratch& scratch, const_buffers from)
{
    std::size_t all = 0;
    std::size_t offset = 0; // in *next
    auto next = from.begin();
    for (record_count_ = 0; record_count_ < max_records; ++record_count_) {
        while (next != from.end() && offset == next->size()) {
            ++next;
            offset = 0;
        }
        if (next == from.end())
            break;
        const char* data = static_cast<const char*>(next->data()) + offset;
        std::size_t size = std::min(next->size() - offset, tls_scratch::max_record);
        offset += size;
        if (size < tls_scratch::max_record && next + 1 != from.end()) {
            std::memcpy(scratch.plain.data(), data, size); // gathers small pieces
            data = scratch.plain.data();
            while (size < tls_scratch::max_record && next + 1 != from.end()) {
                ++next;
                offset = std::min(next->size(), tls_scratch::max_record - size);
                std::memcpy(scratch.plain.data() + size, next->data(), offset);
                size += offset;
            }
        }
        const std::size_t before = scratch.sent.size();
        std::size_t written = 0;
        const int result = SSL_write_ex(ssl_.get(), data, size, &written);
        if (result != 1) {
            failed(SSL_get_error(ssl_.get(), result));
            return 0;
        }
        assert(written == size);
        records_[record_count_] = {scratch.sent.size() - before, size};
        all += size;
    }
    return all;
}

ASYNCHAT_DECL std::size_t tls_layer::write_some(const_buffers from, std::error_code& error)
{
    error = is_open_ ? failure_ : std::error_code(asio::error::would_block);
    if (error)
        return 0;
    if (has_waiting())
        send_waiting(error);
    if (taken_ > 0) {
        error.clear();
        return take(from.size());
    }
    if (error)
        return 0;
    const call_scope call(*this);
    const std::size_t plain = encrypt(call.scratch(), from);
    if (failure_) {
        send_or_keep(call.scratch());
        error = failure_;
        return 0;
    }
    return send_records(call.scratch(), plain, error);
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
    if (error && !is_would_block(error))
        return 0;
    waiting_.assign(all.substr(sent));
    waiting_at_ = 0;
    account(sent);
    error = taken_ > 0 ? std::error_code() : std::error_code(asio::error::would_block);
    return take(plain);
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
    const std::size_t sent =
        lower().write_some(std::string_view(waiting_).substr(waiting_at_), error);
    if (error)
        return;
    waiting_at_ += sent;
    account(sent);
    if (has_waiting()) {
        error = asio::error::would_block;
    } else {
        waiting_ = std::string();
        waiting_at_ = 0;
    }
}

/// Sends what OpenSSL has written by itself, or keeps it for send_own().
ASYNCHAT_DECL void tls_layer::send_or_keep(tls_scratch& scratch)
{
    std::string_view all = scratch.sent;
    if (all.empty())
        return;
    if (!has_waiting()) {
        std::error_code error;
        const std::size_t sent = lower().write_some(all, error);
        if (error && !is_would_block(error))
            return; // the next call of the channel finds it too
        all.remove_prefix(sent);
        waiting_.clear();
        waiting_at_ = 0;
    }
    waiting_.append(all);
    scratch.sent.clear();
}

ASYNCHAT_DECL bool tls_layer::send_own()
{
    // Records of the channel's output are its own matter, and the flight of a handshake too.
    if (!is_open_ || record_count_ > 0 || !has_waiting())
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

ASYNCHAT_DECL void tls_layer::shutdown_write(std::error_code& error)
{
    error.clear();
    if (is_open_ && !failure_ && !std::exchange(output_ended_, true)) {
        const call_scope call(*this);
        SSL_shutdown(ssl_.get());
        send_or_keep(call.scratch());
    }
    if (has_waiting())
        send_waiting(error);
    if (!error)
        transport_layer::shutdown_write(error);
}

} // namespace asynchat::detail

#endif
