// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_SCRIPTED_TRANSPORT_HPP
#define ASYNCHAT_TESTS_SUPPORT_SCRIPTED_TRANSPORT_HPP

#include <asynchat/asynchat.hpp>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

// A connection without a system below it: what the channel receives, how much it may send and
// which operation fails is said by the test, byte for byte.
namespace support {

class scripted_transport;

/// The other side of a scripted connection, and the record of what happened. Outlives the channel.
class wire {
public:
    // --- what the channel will receive ---------------------------------------------------------

    /// One receive gets at most what one feed() brought.
    void feed(std::string_view bytes) { arrive({std::string(bytes), {}}); }
    /// An error as Asio reports it. It has a category of its own, next to the standard one.
    void feed_error(int number) { feed_error({number, asio::error::get_system_category()}); }
    void feed_error(std::error_code error) { arrive({{}, error}); }
    void feed_eof() { arrive({{}, asio::error::eof}); }

    // --- what the channel may send -------------------------------------------------------------

    void take_everything() { set_room(std::nullopt); }
    /// Takes so many bytes more and then would block.
    void take(std::size_t bytes) { set_room(bytes); }
    void fail_next_send(int number)
    {
        send_error_ = std::error_code(number, asio::error::get_system_category());
        wake();
    }

    // --- the record ----------------------------------------------------------------------------

    bool is_open() const { return open_ != nullptr; }

    std::string sent;             ///< all the bytes the channel got rid of
    std::size_t sends = 0;        ///< calls
    std::size_t receives = 0;     ///< calls that brought bytes
    std::size_t empty_sends = 0;  ///< calls that offered nothing
    std::size_t largest_send = 0; ///< bytes offered in one call

private:
    friend class scripted_transport;

    struct arrival {
        std::string bytes;
        std::error_code error;
    };

    void arrive(arrival what)
    {
        input_.push_back(std::move(what));
        wake();
    }
    void set_room(std::optional<std::size_t> bytes)
    {
        room_ = bytes;
        wake();
    }
    inline void wake();

    std::deque<arrival> input_;
    std::optional<std::size_t> room_; // none: any number
    std::error_code send_error_;
    scripted_transport* open_ = nullptr;
};

class scripted_transport final : public asynchat::transport {
public:
    explicit scripted_transport(std::shared_ptr<wire> to) : wire_(std::move(to))
    {
        wire_->open_ = this;
    }
    ~scripted_transport() override { wire_->open_ = nullptr; }

    std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override
    {
        if (wire_->input_.empty()) {
            error = asio::error::would_block;
            return 0;
        }
        auto& next = wire_->input_.front();
        if (next.error) {
            error = next.error;
            if (error != asio::error::eof) // an end stays an end
                wire_->input_.pop_front();
            return 0;
        }
        const std::size_t size = std::min(into.size(), next.bytes.size());
        std::memcpy(into.data(), next.bytes.data(), size);
        next.bytes.erase(0, size);
        if (next.bytes.empty())
            wire_->input_.pop_front();
        ++wire_->receives;
        return size;
    }

    std::size_t write_some(asynchat::const_buffers from, std::error_code& error) override
    {
        const std::string data = from.str();
        ++wire_->sends;
        wire_->empty_sends += data.empty();
        wire_->largest_send = std::max(wire_->largest_send, data.size());
        error = std::exchange(wire_->send_error_, {});
        if (!error && wire_->room_ == std::size_t{0})
            error = asio::error::would_block;
        if (error)
            return 0;
        const std::size_t size = std::min(data.size(), wire_->room_.value_or(data.size()));
        if (wire_->room_)
            *wire_->room_ -= size;
        wire_->sent.append(data, 0, size);
        return size;
    }

    void async_wait(asynchat::readiness what, asynchat::wait_handler ready) override
    {
        if (what == asynchat::readiness::read)
            reader_.emplace(std::move(ready));
        else if (what == asynchat::readiness::write)
            writer_.emplace(std::move(ready));
        wake();
    }

    bool may_read() override { return !wire_->input_.empty(); }

    void wake()
    {
        if (reader_ && !wire_->input_.empty())
            call(reader_);
        if (writer_ && (wire_->send_error_ || wire_->room_ != std::size_t{0}))
            call(writer_);
    }

    bool waits_for_input() const { return reader_.has_value(); }
    bool waits_for_output() const { return writer_.has_value(); }

private:
    using waiter = std::optional<asynchat::wait_handler>;

    void call(waiter& who)
    {
        auto ready = std::move(*who);
        who.reset();
        std::move(ready).post();
    }

    std::shared_ptr<wire> wire_;
    waiter reader_;
    waiter writer_;
};

inline void wire::wake()
{
    if (open_)
        open_->wake();
}

/// For the constructor of a channel.
inline asynchat::socket socket_over(const std::shared_ptr<wire>& to)
{
    return asynchat::socket(std::make_unique<scripted_transport>(to));
}

} // namespace support

#endif
