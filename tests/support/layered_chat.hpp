// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_LAYERED_CHAT_HPP
#define ASYNCHAT_TESTS_SUPPORT_LAYERED_CHAT_HPP

#include "support/layers.hpp"

#include <asynchat/testing.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Channels over layers.
namespace support {

using strings = std::vector<std::string>;

inline const std::string end_record = record_head(0);

inline std::string changed(std::string_view bytes)
{
    return xor_layer::changed(bytes);
}

/// Lines, through a layer from the start on.
template <class Layer, class Base = asynchat::testing::recorder<>>
class layered : public Base {
public:
    layered(asynchat::loop& owner, asynchat::socket peer) : Base(owner, std::move(peer))
    {
        this->set_terminator("\n");
        this->add_layer(std::make_unique<Layer>());
    }
};

using record_chat = layered<record_layer>;
using xor_chat = layered<xor_layer>;

} // namespace support

#endif
