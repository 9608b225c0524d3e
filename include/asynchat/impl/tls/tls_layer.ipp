// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_TLS_LAYER_IPP
#define ASYNCHAT_IMPL_TLS_TLS_LAYER_IPP

#include <asynchat/detail/tls/tls_layer.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

// --- scratch memory ------------------------------------------------------------------------------

inline std::vector<std::unique_ptr<tls_scratch>>& spare_scratch()
{
    static thread_local std::vector<std::unique_ptr<tls_scratch>> spare;
    return spare;
}

ASYNCHAT_DECL tls_scratch_lease::tls_scratch_lease()
{
    auto& spare = spare_scratch();
    if (spare.empty()) {
        spare.reserve(spare.capacity() + 1); // the return must not throw
        memory_.reset(new tls_scratch);      // without zeros
        return;
    }
    memory_ = std::move(spare.back());
    spare.pop_back();
}

ASYNCHAT_DECL tls_scratch_lease::~tls_scratch_lease()
{
    constexpr std::size_t usual = tls_scratch::max_record * 6;
    memory_->sent.clear();
    if (memory_->sent.capacity() > usual)
        std::string().swap(memory_->sent);
    spare_scratch().push_back(std::move(memory_));
}

// --- what OpenSSL reads and writes ---------------------------------------------------------------

/// The layer as a BIO: reads what was received, and writes into the scratch memory.
struct tls_layer::bio {
    static int read(BIO* bio, char* into, std::size_t size, std::size_t* taken) noexcept
    {
        auto& layer = *static_cast<tls_layer*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        std::string_view from = std::string_view(layer.rest_).substr(layer.rest_at_);
        const bool is_rest = !from.empty();
        if (!is_rest)
            from = layer.received_;
        *taken = std::min(size, from.size());
        if (*taken == 0) {
            layer.is_starved_ = true;
            BIO_set_retry_read(bio);
            return 0;
        }
        std::memcpy(into, from.data(), *taken);
        if (is_rest)
            layer.rest_at_ += *taken;
        else
            layer.received_.remove_prefix(*taken);
        return 1;
    }

    static int write(BIO* bio, const char* from, std::size_t size, std::size_t* taken) noexcept
    {
        auto& layer = *static_cast<tls_layer*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        *taken = 0;
        assert(layer.scratch_);
        try {
            layer.scratch_->sent.append(from, size);
        } catch (const std::bad_alloc&) {
            return 0;
        }
        *taken = size;
        return 1;
    }

    static long control(BIO*, int command, long, void*) noexcept
    {
        return command == BIO_CTRL_FLUSH ? 1 : 0;
    }

    static BIO_METHOD* method()
    {
        static BIO_METHOD* const made = [] { // never freed: a loop may be static
            openssl_ptr<BIO_METHOD, BIO_meth_free> next(
                needed(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "asynchat")));
            BIO_meth_set_read_ex(next.get(), read);
            BIO_meth_set_write_ex(next.get(), write);
            BIO_meth_set_ctrl(next.get(), control);
            return next.release();
        }();
        return made;
    }
};

/// A call that may use OpenSSL: lends the scratch memory, and clears the errors of this thread,
/// which other users of OpenSSL may have left. A failure takes its own, see failed(). A success
/// leaves none, but for want of memory.
class tls_layer::call_scope {
public:
    explicit call_scope(tls_layer& layer) : layer_(layer)
    {
        assert(!layer.scratch_);
        layer.scratch_ = &*lease_;
        if (ERR_peek_error() != 0) // else clearing takes long for nothing
            ERR_clear_error();
    }
    ~call_scope()
    {
        layer_.scratch_ = nullptr;
        layer_.received_ = {};
    }
    call_scope(const call_scope&) = delete;
    call_scope& operator=(const call_scope&) = delete;
    tls_scratch& scratch() const noexcept { return *lease_; }

private:
    tls_layer& layer_;
    tls_scratch_lease lease_;
};

// --- another attempt -----------------------------------------------------------------------------

ASYNCHAT_DECL std::unique_ptr<transport_layer> tls_layer::renewed_() noexcept
{
    try {
        tls::start_options options;
        if (!has_name_of_connect_)
            options.server_hostname = options_.server_hostname;
        const auto context = built_->context.lock(); // it may have changed
        return std::make_unique<tls_layer>(context ? context->built() : built_, std::move(options));
    } catch (...) { // another attempt fails
        return nullptr;
    }
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
