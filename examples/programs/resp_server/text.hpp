// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_TEXT_HPP
#define RESP_TEXT_HPP

#include <asynchat/number.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace resp {

// Any bytes. The store, answers on their way and messages to many share them; nobody changes them.
using text = std::shared_ptr<const std::string>;

// Smaller texts are copied, as that costs less than to share them.
constexpr std::size_t smallest_shared = 512; // bytes

inline text make_text(std::string_view bytes)
{
    return std::make_shared<const std::string>(bytes);
}

inline text as_text(std::string_view bytes)
{
    return make_text(bytes);
}
inline text as_text(const text& bytes)
{
    return bytes;
}

// A command cannot be executed. The text is the reply: first a word for programs.
class refused : public std::runtime_error {
public:
    using runtime_error::runtime_error;
};

// The same, after much work.
class too_large : public refused {
public:
    too_large() : refused("ERR the answer is too large, ask for less") {}
};

// As Redis writes it: no zero in front, and no -0. INCR changes nothing that only looks like it.
inline std::int64_t integer(std::string_view word)
{
    const auto parsed = asynchat::parse_integer(word);
    const std::string_view digits = word.substr(word.substr(0, 1) == "-" ? 1 : 0);
    if (!parsed || (digits.front() == '0' && word.size() > 1))
        throw refused("ERR value is not an integer or out of range");
    return *parsed;
}

// The values of one reply. An unread reply keeps them also when the store has dropped them, so
// their memory has a limit of its own.
class many_texts {
public:
    // Before the value is added. Throws too_large.
    void count(std::size_t size)
    {
        bytes_ += size + 80; // the headers of a text and of the allocator
        if (bytes_ > most_bytes)
            throw too_large();
    }
    void add(text value) { all_.push_back(std::move(value)); } // null: there is none

    const std::vector<text>& all() const noexcept { return all_; }

private:
    static constexpr std::size_t most_bytes = 8 << 20;

    std::vector<text> all_;
    std::size_t bytes_ = 0;
};

} // namespace resp

#endif
