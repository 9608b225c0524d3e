// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_CUTS_HPP
#define ASYNCHAT_TESTS_SUPPORT_CUTS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>

// An input in pieces: of a fixed size, of drawn sizes, or cut in every way there is, or in two.
namespace support {

/// Hands `input` out in pieces of the sizes that next_size() gives, in order.
template <class NextSize, class Deliver>
void in_pieces(std::string_view input, NextSize next_size, Deliver deliver)
{
    while (!input.empty()) {
        const std::size_t size = std::min<std::size_t>(input.size(), next_size());
        deliver(input.substr(0, size));
        input.remove_prefix(size);
    }
}

/// The sizes of pieces that are all alike, but for the last one.
inline auto of_size(std::size_t bytes)
{
    return [bytes] { return bytes; };
}

/// The sizes of the pieces of one cut. A copy begins at the first piece.
class cut {
public:
    /// Bit i of `places`: a new piece begins behind byte i.
    explicit cut(std::uint32_t places) : places_(places) {}

    std::size_t operator()()
    {
        std::size_t size = 1;
        while (at_ < 32 && ((places_ >> at_++) & 1U) == 0)
            ++size;
        return size;
    }
    std::uint32_t places() const { return places_; }

private:
    std::uint32_t places_;
    std::size_t at_ = 0;
};

/// Calls test(cut) for each of the 2^(size - 1) ways to cut `size` bytes.
template <class Test>
void for_each_cut(std::size_t size, Test test)
{
    if (size == 0 || size > 16)
        throw std::invalid_argument("not to be cut in every way");
    for (std::uint32_t places = 0; places < 1U << (size - 1); ++places)
        test(cut(places));
}

/// Calls test(first, rest) for each cut into two pieces, of which one may be empty.
template <class Test>
void for_each_place(std::string_view input, Test test)
{
    for (std::size_t at = 0; at <= input.size(); ++at)
        test(input.substr(0, at), input.substr(at));
}

} // namespace support

#endif
