// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TLS_TLS_LAYER_HPP
#define ASYNCHAT_DETAIL_TLS_TLS_LAYER_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/tls/openssl.hpp>
#include <asynchat/detail/tls/tls_state.hpp>
#include <asynchat/tls.hpp>
#include <asynchat/transport.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Memory that a call of a layer needs while it runs; all layers of a thread share it.
struct tls_scratch {
    static constexpr std::size_t max_received = 65536;
    static constexpr std::size_t max_record = 16384; // of plaintext

    std::array<char, max_received> received;
    std::array<char, max_record> plain;
    std::string sent;
};

/// Lends scratch memory for the time of a call. Several are in use only when one layer of TLS lies
/// over another.
class tls_scratch_lease {
public:
    ASYNCHAT_DECL tls_scratch_lease();
    ASYNCHAT_DECL ~tls_scratch_lease();
    tls_scratch_lease(const tls_scratch_lease&) = delete;
    tls_scratch_lease& operator=(const tls_scratch_lease&) = delete;
    tls_scratch& operator*() const noexcept { return *memory_; }
    tls_scratch* operator->() const noexcept { return memory_.get(); }

private:
    std::unique_ptr<tls_scratch> memory_;
};

/// TLS over the transport below.
///
/// Input: one receive from below into the scratch memory, from where OpenSSL decrypts into the
/// caller's buffer. What does not fit there is kept in rest_, whole records and the beginning of
/// one. Output: up to four records are encrypted into the scratch memory and leave in one write.
/// What is not taken is kept in waiting_; its plaintext counts as taken when its record has left.
/// So OpenSSL never waits: its BIO reads what was received and writes into memory.
class tls_layer final : public transport_layer {
public:
    ASYNCHAT_DECL tls_layer(std::shared_ptr<const tls_built> built, tls::start_options options);
    ASYNCHAT_DECL ~tls_layer() override;

    /// The layer of an SSL.
    static tls_layer& of(const SSL* ssl) noexcept
    {
        return *static_cast<tls_layer*>(SSL_get_app_data(ssl));
    }

    bool is_established() const noexcept override { return is_open_; }
    ASYNCHAT_DECL void establish(const endpoint& peer, std::error_code& error) override;
    ASYNCHAT_DECL std::optional<error_explanation> explain(const std::error_code& error) override;
    ASYNCHAT_DECL std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override;
    ASYNCHAT_DECL std::size_t write_some(const_buffers from, std::error_code& error) override;
    ASYNCHAT_DECL std::size_t held_output() const override;
    ASYNCHAT_DECL std::size_t in_flight() override;
    ASYNCHAT_DECL void shutdown_write(std::error_code& error) override;

    // For the callbacks of OpenSSL and for tls::connection.

    SSL* ssl() const noexcept { return ssl_.get(); }
    const tls_built& built() const noexcept { return *built_; }
    const std::string& server_name() const noexcept { return options_.server_hostname; }
    ASYNCHAT_DECL bool choose_certificate(int& alert);
    ASYNCHAT_DECL static int verified(int ok, X509_STORE_CTX* chain) noexcept;
    const std::string& certificate_fault() const noexcept { return certificate_fault_; }
    ASYNCHAT_DECL tls::session session() const;

private:
    enum class step : unsigned char { done, starved, over };

    struct bio;          // the functions of our BIO
    class record_source; // what to encrypt
    class call_scope;    // the scratch memory during a call

    /// Records in waiting_, from its front: bytes that are not sent, and bytes of plaintext.
    struct record {
        std::size_t bytes;
        std::size_t plain;
    };
    static constexpr std::size_t max_records = 4;
    static constexpr std::size_t max_rest = 4096; // received for the rest of a message

    ASYNCHAT_DECL bool has_input() override;
    ASYNCHAT_DECL readiness waits_for(readiness what) override;
    ASYNCHAT_DECL bool send_own() override;
    ASYNCHAT_DECL std::unique_ptr<transport_layer> renewed_() noexcept override;
    bool forbids_urgent_data_() const noexcept override { return true; }

    void begin(const endpoint& peer);
    void begin_client(std::string name);
    step shake_hands();
    void send_flight(tls_scratch& scratch, step result);
    step decrypt(asio::mutable_buffer into, std::size_t& size);
    bool receive(tls_scratch& scratch, std::size_t max_bytes, std::error_code& error);
    void keep_rest();
    bool has_whole_record() const noexcept;
    bool may_decrypt() const noexcept;
    void input_has_ended(const char* when);
    void answer_key_update();
    std::size_t encrypt(tls_scratch& scratch, const_buffers from);
    bool encrypt_one(std::string_view plain);
    bool finish_message(tls_scratch& scratch, std::error_code& error);
    void keep_waiting(std::string_view bytes) noexcept;
    std::size_t send_records(tls_scratch& scratch, std::size_t plain, std::error_code& error);
    void send_or_keep(tls_scratch& scratch);
    void send_waiting(std::error_code& error);
    void take_tickets(tls_scratch& scratch);
    void account(std::size_t sent) noexcept;
    std::size_t take(std::size_t max_bytes) noexcept;
    bool has_waiting() const noexcept { return waiting_at_ < waiting_.size(); }
    step failed(int result);
    step fail(close_reason reason, unsigned long code, std::string text);
    step fail_for_memory() noexcept;

    std::shared_ptr<const tls_built> built_;
    tls::start_options options_;
    ssl_ptr ssl_;
    tls_scratch* scratch_ = nullptr; // during a call
    std::string_view received_;      // in the scratch memory, not read by OpenSSL
    std::string rest_;               // received before received_
    std::size_t rest_at_ = 0;
    std::string waiting_; // encrypted, not sent
    std::size_t waiting_at_ = 0;
    std::array<record, max_records> records_ = {};
    std::size_t record_count_ = 0;
    std::size_t taken_ = 0; // bytes of plaintext that have left, and are not reported
    std::string certificate_fault_;
    std::string failure_text_;
    std::error_code failure_; // ends the connection; reported by each call
    close_reason failure_reason_ = close_reason::open;
    unsigned char records_without_data_ = 0; // in a row
    bool has_begun_ = false;
    bool has_name_of_connect_ = false; // not that of start_tls()
    bool is_open_ = false;             // the handshake is complete
    bool holds_tickets_ = false;       // waiting_ has them, and it was not tried to send them
    bool output_needs_input_ = false;  // first the rest of a message of the handshake
    bool is_starved_ = false;          // OpenSSL has asked for more than was received
    bool input_ended_ = false;         // in order
    bool output_ended_ = false;        // close_notify was made
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
