// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_REQUEST_HPP
#define RESP_REQUEST_HPP

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace resp {

// What a client may make the server keep for one request.
constexpr std::size_t most_words = 4096;
constexpr std::size_t most_bytes = 1 << 20; // of all words together

// Whether a word is this one, which is in upper case.
inline bool is_word(std::string_view word, std::string_view upper)
{
    return std::equal(word.begin(), word.end(), upper.begin(), upper.end(), [](char a, char b) {
        return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b;
    });
}

// A request: the name of a command, and what it is about. Words that arrive before the last one are
// copied, and the strings for them are used again for the next request. The last word is executed
// where it was received: so the key of a GET is never copied, and the value of a SET only once.
class request {
public:
    std::size_t size() const noexcept { return kept_ + 1; }
    std::string_view operator[](std::size_t at) const noexcept
    {
        return at < kept_ ? std::string_view(words_[at]) : last_;
    }
    std::string_view name() const noexcept { return (*this)[0]; }

    // How many bytes the next word may have.
    std::size_t room() const noexcept { return most_bytes - bytes_; }

    void keep(std::string_view word)
    {
        if (kept_ == words_.size())
            words_.emplace_back();
        words_[kept_].assign(word);
        ++kept_;
        bytes_ += word.size();
    }

    // `word` lives until the request was executed.
    void end_with(std::string_view word) noexcept { last_ = word; }

    // For the next request. A large one leaves no memory behind, as many connections are idle.
    void clear() noexcept
    {
        if (bytes_ > 1024 || kept_ > 16)
            words_ = std::vector<std::string>();
        kept_ = bytes_ = 0;
        last_ = {};
    }

private:
    std::vector<std::string> words_; // the first `kept_` of them are of this request
    std::size_t kept_ = 0;
    std::size_t bytes_ = 0;
    std::string_view last_;
};

} // namespace resp

#endif
