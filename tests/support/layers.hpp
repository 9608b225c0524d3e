// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_LAYERS_HPP
#define ASYNCHAT_TESTS_SUPPORT_LAYERS_HPP

#include <asynchat/transport.hpp>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

// Layers to put under channels: one that changes each byte, one that makes records.
namespace support {

inline std::string bytes_of(asynchat::const_buffers from, std::size_t most)
{
    std::string all;
    for (const asio::const_buffer& buffer : from)
        all.append(static_cast<const char*>(buffer.data()),
                   std::min(buffer.size(), most - all.size()));
    return all;
}

/// Changes each byte: two of them, one over the other, change nothing.
class xor_layer final : public asynchat::transport_layer {
public:
    std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override
    {
        const std::size_t size = lower().read_some(into, error);
        change(static_cast<char*>(into.data()), size);
        return size;
    }
    std::size_t write_some(asynchat::const_buffers from, std::error_code& error) override
    {
        std::string all = bytes_of(from, 65536);
        change(all.data(), all.size());
        return lower().write_some(all, error);
    }

    static std::string changed(std::string_view bytes)
    {
        std::string all(bytes);
        change(all.data(), all.size());
        return all;
    }

private:
    static void change(char* bytes, std::size_t size)
    {
        std::for_each(bytes, bytes + size, [](char& c) { c = static_cast<char>(c ^ 0x5a); });
    }
};

/// The two bytes in front of a record; a record of 0 bytes is the end.
inline std::string record_head(std::size_t size)
{
    return {static_cast<char>(size >> 8), static_cast<char>(size & 0xff)};
}

inline std::string record(std::string_view bytes)
{
    return record_head(bytes.size()).append(bytes);
}

/// The size of the record that `bytes` begin with, head included; a large number if the head is not
/// complete.
inline std::size_t record_size(std::string_view bytes)
{
    if (bytes.size() < 2)
        return std::numeric_limits<std::size_t>::max();
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    return 2 + std::size_t{byte(0)} * 256 + byte(1);
}

/// Makes a record of each write, and takes in whole records only: what is left of one, and what is
/// behind it, stays inside.
class record_layer : public asynchat::transport_layer {
public:
    static constexpr std::size_t max_size = 65535;

    std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override
    {
        while (!has_input()) {
            char piece[1000];
            const std::size_t size = lower().read_some(asio::buffer(piece), error);
            if (error == asio::error::eof) // without the record that says so
                error = std::make_error_code(std::errc::bad_message);
            if (error)
                return 0;
            received_.append(piece, size);
        }
        error.clear();
        if (open_ == 0)
            begin_record();
        if (ended_) {
            error = asio::error::eof;
            return 0;
        }
        const std::size_t size = std::min(into.size(), open_);
        std::memcpy(into.data(), received_.data(), size);
        received_.erase(0, size);
        open_ -= size;
        return size;
    }

    std::size_t write_some(asynchat::const_buffers from, std::error_code& error) override
    {
        if (bound_ == 0) {
            const std::string data = bytes_of(from, max_size);
            bound_ = data.size();
            sending_ = record(data);
            offered_ = data;
        }
        // Fewer than before when ac_out_buffer_size was made smaller.
        const std::size_t again = std::min(from.size(), bound_);
        if (bytes_of(from, again) != offered_.substr(0, again))
            throw std::logic_error("other bytes than those that have to come again");
        if (!flush(error))
            return 0;
        bound_ -= again;
        offered_.erase(0, again);
        return again;
    }

    std::size_t held_output() const override { return bound_; }
    std::size_t in_flight() override { return transport_layer::in_flight() + sending_.size(); }

    void shutdown_write(std::error_code& error) override
    {
        if (!std::exchange(said_end_, true))
            sending_ += record_head(0);
        if (flush(error))
            transport_layer::shutdown_write(error);
    }

protected:
    bool has_input() override
    {
        return ended_ || open_ > 0 || received_.size() >= record_size(received_);
    }

private:
    void begin_record()
    {
        open_ = record_size(received_) - 2;
        received_.erase(0, 2);
        ended_ = open_ == 0;
    }
    bool flush(std::error_code& error)
    {
        error.clear();
        while (!sending_.empty()) {
            const std::size_t size = lower().write_some(sending_, error);
            if (error)
                return false;
            sending_.erase(0, size);
        }
        return true;
    }

    std::string received_;
    std::size_t open_ = 0; // bytes at the front, of a record that is complete
    bool ended_ = false;
    std::string sending_;
    std::string offered_; // what is to come again
    std::size_t bound_ = 0;
    bool said_end_ = false;
};

/// The other way around: gives each piece that it receives as a record, and sends what is in the
/// records. Under a record_layer it makes that invisible from below.
class unrecord_layer final : public asynchat::transport_layer {
public:
    std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override
    {
        if (made_.empty()) {
            std::string piece(20000, '\0');
            piece.resize(lower().read_some(asio::buffer(piece), error));
            if (error && (error != asio::error::eof || std::exchange(told_end_, true)))
                return 0;
            made_ = record(piece);
        }
        error.clear();
        const std::size_t size = std::min(into.size(), made_.size());
        std::memcpy(into.data(), made_.data(), size);
        made_.erase(0, size);
        return size;
    }

    std::size_t write_some(asynchat::const_buffers from, std::error_code& error) override
    {
        const std::string all = bytes_of(from, 65537);
        std::size_t taken = 0;
        error.clear();
        if (left_ == 0) {
            while (taken < all.size() && head_.size() < 2)
                head_ += all[taken++];
            if (head_.size() == 2)
                left_ = record_size(std::exchange(head_, {})) - 2;
        }
        if (taken > 0 || left_ == 0)
            return taken;
        const std::size_t size = lower().write_some(all.substr(0, left_), error);
        left_ -= size;
        return size;
    }

private:
    bool has_input() override { return !made_.empty(); }

    std::string made_;
    bool told_end_ = false;
    std::string head_;     // of a record that is sent, as far as it is not complete
    std::size_t left_ = 0; // of its bytes
};

} // namespace support

#endif
