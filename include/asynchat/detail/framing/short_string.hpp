// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_SHORT_STRING_HPP
#define ASYNCHAT_DETAIL_FRAMING_SHORT_STRING_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// A string that is smaller than a std::string: up to 8 bytes lie in it, more are on the heap.
///
/// A class that derives from it has its first members in the last bytes of it.
class short_string {
public:
    static constexpr std::size_t max_near = 8;

    short_string() noexcept {}
    explicit short_string(std::string_view bytes) { assign(bytes); }
    short_string(const short_string& other) : short_string(other.view()) {}
    short_string(short_string&& other) noexcept
        : place_(std::exchange(other.place_, {})), near_size_(std::exchange(other.near_size_, 0))
    {
    }
    short_string& operator=(short_string other) noexcept
    {
        std::swap(place_, other.place_);
        std::swap(near_size_, other.near_size_);
        return *this;
    }
    ~short_string()
    {
        if (is_far())
            delete place_.far;
    }

    std::string_view view() const noexcept
    {
        return near_size_ > 0 ? std::string_view(place_.near, near_size_) : far_view();
    }

    bool empty() const noexcept { return near_size_ == 0 && !place_.far; }

    /// The same for a string of 1 to 8 bytes; for others near_size() is 0.
    const char* near() const noexcept { return place_.near; }
    std::size_t near_size() const noexcept { return near_size_; }

    void assign(std::string_view bytes)
    {
        if (is_far() && bytes.size() > max_near) {
            place_.far->assign(bytes); // in the old memory, if it is enough
            return;
        }
        short_string next;
        if (bytes.size() > max_near)
            next.place_.far = new std::string(bytes);
        else if (!bytes.empty())
            std::memcpy(next.place_.near, bytes.data(), bytes.size());
        next.near_size_ = bytes.size() > max_near ? 0 : static_cast<unsigned char>(bytes.size());
        *this = std::move(next);
    }

private:
    // Not inlined, because nearly every string is short.
    [[gnu::noinline]] std::string_view far_view() const noexcept
    {
        return place_.far ? std::string_view(*place_.far) : std::string_view();
    }
    bool is_far() const noexcept { return near_size_ == 0 && place_.far; }

    union {
        std::string* far = nullptr; // if near_size_ is 0; null: empty
        char near[max_near];
    } place_;
    unsigned char near_size_ = 0;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
