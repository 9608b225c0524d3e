// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_TLS_INPUT_IPP
#define ASYNCHAT_IMPL_TLS_TLS_INPUT_IPP

#include <asynchat/detail/tls/tls_layer.hpp>

#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/impl/tls/tls_layer.ipp> // call_scope

#include <asio/error.hpp>

#include <algorithm>
#include <cassert>
#include <new>
#include <string>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Receives from below. Returns false with an error, or when the stream has ended.
ASYNCHAT_DECL bool tls_layer::receive(tls_scratch& scratch, std::size_t max_bytes,
                                      std::error_code& error)
{
    assert(received_.empty());
    const std::size_t room = std::min(scratch.received.size(), max_bytes);
    const std::size_t size = lower().read_some(asio::buffer(scratch.received.data(), room), error);
    if (!error)
        received_ = std::string_view(scratch.received.data(), size);
    return !error;
}

/// Whether OpenSSL may find something in what was received. To ask it in vain is not cheap: it gets
/// and frees a buffer.
ASYNCHAT_DECL bool tls_layer::may_decrypt() const noexcept
{
    return !received_.empty() || rest_at_ < rest_.size() || SSL_pending(ssl_.get()) > 0 ||
           SSL_get_shutdown(ssl_.get()) != 0;
}

/// Decrypts into the room behind the first `size` bytes of `into`.
ASYNCHAT_DECL tls_layer::step tls_layer::decrypt(asio::mutable_buffer into, std::size_t& size)
{
    constexpr unsigned max_records_without_data = 32;
    while (size < into.size()) {
        if (!may_decrypt())
            return step::starved;
        is_starved_ = false;
        std::size_t got = 0;
        const int result = SSL_read_ex(ssl_.get(), static_cast<char*>(into.data()) + size,
                                       into.size() - size, &got);
        size += got;
        if (result == 1) {
            records_without_data_ = 0;
            continue;
        }
        const int why = SSL_get_error(ssl_.get(), result);
        if (why == SSL_ERROR_ZERO_RETURN) {
            input_ended_ = true;
            return step::over;
        }
        if (why != SSL_ERROR_WANT_READ)
            return failed(why);
        if (is_starved_)
            return step::starved;
        if (++records_without_data_ > max_records_without_data)
            return fail(
                close_reason::tls_error, ERR_PACK(ERR_LIB_SSL, 0, SSL_R_TOO_MANY_KEY_UPDATES),
                "the peer sends records without data, such as changes of keys, without end");
    }
    return step::done;
}

/// Answers a peer that asks for new keys of ours. By itself OpenSSL does so with the next output,
/// and a side that only receives would never do it.
ASYNCHAT_DECL void tls_layer::answer_key_update()
{
    if (SSL_get_key_update_type(ssl_.get()) == SSL_KEY_UPDATE_NONE || failure_ || output_ended_)
        return;
    std::size_t written = 0;
    const int result = SSL_write_ex(ssl_.get(), "", 0, &written); // makes no record of data
    if (result == 1)
        return;
    const int why = SSL_get_error(ssl_.get(), result);
    if (why != SSL_ERROR_WANT_READ) // the rest of a message comes first
        failed(why);
}

ASYNCHAT_DECL std::size_t tls_layer::read_some(asio::mutable_buffer into, std::error_code& error)
{
    error = is_open_ ? failure_ : std::error_code(asio::error::would_block);
    if (error)
        return 0;
    std::size_t size = 0;
    const call_scope call(*this);
    const scope_exit keep([this, &call] {
        keep_rest();
        send_or_keep(call.scratch());
    });
    // One receive for a call, as the kernel's buffer is the place for the rest.
    step next = input_ended_ ? step::over : decrypt(into, size);
    if (next == step::starved && size == 0) {
        constexpr std::size_t overhead = 256; // of a record, and of small ones without data
        if (receive(call.scratch(), std::max<std::size_t>(into.size() + overhead, 4096), error))
            next = decrypt(into, size);
        else if (error == asio::error::eof)
            input_has_ended("without close_notify");
    }
    answer_key_update();
    if (output_needs_input_ && (failure_ || input_ended_ || SSL_in_init(ssl_.get()) == 0))
        output_needs_input_ = false; // the rest of the message has come
    if (size > 0) {
        error.clear();
    } else if (failure_) {
        error = failure_;
    } else if (input_ended_) {
        error = asio::error::eof;
    } else if (!error) {
        error = asio::error::would_block;
    }
    return size;
}

/// The stream of ciphertext has ended, and not by close_notify.
ASYNCHAT_DECL void tls_layer::input_has_ended(const char* when)
{
    if (is_open_ && built_->settings.takes_ragged_end) {
        input_ended_ = true;
        return;
    }
    const auto code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING);
    fail(is_open_ ? close_reason::tls_truncated : close_reason::tls_error, code,
         std::string("the peer ended the stream ") + when);
}

/// Keeps what OpenSSL has not read.
ASYNCHAT_DECL void tls_layer::keep_rest()
{
    if (rest_at_ == rest_.size()) {
        if (rest_.capacity() > 64)
            std::string().swap(rest_); // an idle connection has none; "= {}" would keep the memory
        rest_.clear();
        rest_at_ = 0;
    }
    try {
        rest_.append(received_);
    } catch (const std::bad_alloc&) {
        fail_for_memory();
    }
    received_ = {};
}

/// Whether OpenSSL can go on without more from below. It reads a record as a whole, so what is kept
/// begins with one.
ASYNCHAT_DECL bool tls_layer::has_whole_record() const noexcept
{
    constexpr std::size_t header = 5;
    const std::string_view rest = std::string_view(rest_).substr(rest_at_);
    if (rest.size() < header)
        return false;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(rest[at]); };
    return rest.size() >= header + byte(3) * 256U + byte(4);
}

ASYNCHAT_DECL bool tls_layer::has_input()
{
    if (!is_open_)
        return !has_begun_; // a client speaks first
    return input_ended_ || failure_ || SSL_pending(ssl_.get()) > 0 || has_whole_record();
}

ASYNCHAT_DECL readiness tls_layer::waits_for(readiness what)
{
    if (is_open_)
        return what == readiness::write && output_needs_input_ ? readiness::read : what;
    return has_waiting() ? readiness::write : readiness::read;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
