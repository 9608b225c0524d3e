// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_TEXT_HPP
#define RESP_TEXT_HPP

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace resp {

// Any bytes. The store, answers on their way and messages to many share them; nobody changes them.
using text = std::shared_ptr<const std::string>;

// Smaller texts are copied, as that costs less than to share them.
constexpr std::size_t smallest_shared = 512; // bytes

inline text make_text(std::string_view bytes)
{
    return std::make_shared<const std::string>(bytes);
}

// A command cannot be executed. The text is the reply: first a word for programs.
class refused : public std::runtime_error {
public:
    using runtime_error::runtime_error;
};

} // namespace resp

#endif
