// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_UPGRADE_REQUEST_HPP
#define ASYNCHAT_UPGRADE_REQUEST_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// The HTTP request that begins a connection of a websocket_chat: for a WebSocket, or for a page.
///
///     GET /chat?room=blue HTTP/1.1      path() "/chat", query() "room=blue"
///     Host: chat.example                host() "chat.example"
///     Origin: https://chat.example      origin() "https://chat.example"
///     Upgrade: websocket                wants_websocket()
///
/// What two programs may understand differently is refused: a field that is folded or has a control
/// character, a blank before a colon, two fields where one is allowed, two hosts, a body.
/// The views point into the request.
class ASYNCHAT_API upgrade_request {
public:
    /// Reads a request up to its empty line, without that. Throws std::bad_alloc.
    ASYNCHAT_DECL explicit upgrade_request(std::string head);
    upgrade_request(const upgrade_request&) = delete;
    upgrade_request& operator=(const upgrade_request&) = delete;

    /// 101 for a correct request for a WebSocket, 200 for one without that wish; otherwise the
    /// status of the refusal: 400, 405, 426 or 505.
    [[nodiscard]] int status() const noexcept { return status_; }

    /// What is wrong, in words; empty when nothing is.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

    /// Whether the field Upgrade asks for a WebSocket.
    [[nodiscard]] bool wants_websocket() const noexcept { return wants_websocket_; }

    /// The target as it came, with its query, without a host. Not decoded; begins with a slash.
    [[nodiscard]] std::string_view target() const noexcept { return target_; }
    [[nodiscard]] std::string_view path() const noexcept
    {
        return target_.substr(0, target_.find('?'));
    }

    /// The part of the target behind the first question mark.
    [[nodiscard]] ASYNCHAT_DECL std::string_view query() const noexcept;

    /// The field Host, with its port if it has one.
    [[nodiscard]] std::string_view host() const noexcept { return header("Host").value_or(""); }

    /// The site whose page made the request; empty if there was none, as programs are no pages.
    [[nodiscard]] std::string_view origin() const noexcept { return header("Origin").value_or(""); }

    /// The value of the first field of that name, in any case, without blanks around it.
    [[nodiscard]] ASYNCHAT_DECL std::optional<std::string_view>
    header(std::string_view name) const noexcept;

    /// The value of the first cookie of that name.
    [[nodiscard]] ASYNCHAT_DECL std::optional<std::string_view>
    cookie(std::string_view name) const noexcept;

    /// The sub-protocols that the client offers, the one that it likes most first.
    [[nodiscard]] std::vector<std::string_view> protocols() const
    {
        return list("Sec-WebSocket-Protocol");
    }

    /// The items of all fields of that name, which are separated by commas.
    [[nodiscard]] ASYNCHAT_DECL std::vector<std::string_view> list(std::string_view name) const;

private:
    using field = std::pair<std::string_view, std::string_view>;

    ASYNCHAT_PRIVATE void parse();
    ASYNCHAT_PRIVATE bool parse_first_line(std::string_view line);
    ASYNCHAT_PRIVATE bool parse_target(std::string_view target);
    ASYNCHAT_PRIVATE bool parse_field(std::string_view line);
    ASYNCHAT_PRIVATE bool check_fields();
    ASYNCHAT_PRIVATE bool check_upgrade();
    ASYNCHAT_PRIVATE bool refuse(int status, std::string_view problem);
    ASYNCHAT_PRIVATE std::size_t count(std::string_view name) const noexcept;
    ASYNCHAT_PRIVATE bool lists(std::string_view name, std::string_view item) const;

    std::string head_;
    std::string_view target_;
    std::string_view authority_; // of a target with a scheme
    std::vector<field> fields_;
    std::string problem_;
    int status_ = 200;
    bool is_1_0_ = false;
    bool wants_websocket_ = false;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/websocket/upgrade_request.ipp>
#endif
#endif
