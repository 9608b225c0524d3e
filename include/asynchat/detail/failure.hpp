// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FAILURE_HPP
#define ASYNCHAT_DETAIL_FAILURE_HPP

#include <asynchat/config.hpp>
#include <asynchat/error.hpp>

#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The operation that failed: it decides what the connection can still do.
enum class error_source : unsigned char { other, input, output };

/// An error of the system for handle_error(), with the close_reason that belongs to it.
class io_error : public std::system_error {
public:
    [[gnu::cold]] io_error(asynchat::close_reason why, const std::error_code& error,
                           const std::string& what, error_source from = error_source::other)
        : std::system_error(to_std(error), std::string(prefix) + what), reason(why), source(from)
    {
    }

    /// With a text that says more than error.message().
    [[gnu::cold]] io_error(asynchat::close_reason why, const std::error_code& error,
                           const std::string& what, const std::string& details)
        : std::system_error(to_std(error)), reason(why), source(error_source::other),
          what_(std::string(prefix) + what + ": " + details)
    {
    }

    const char* what() const noexcept override
    {
        return what_.empty() ? std::system_error::what() : what_.c_str();
    }

    /// what() without the prefix "asynchat: ".
    std::string text() const { return what() + prefix.size(); }

    const asynchat::close_reason reason;
    const error_source source;

private:
    static constexpr std::string_view prefix = "asynchat: ";

    std::string what_; // instead of that of the base
};

/// The name of a type as it is written in C++.
ASYNCHAT_DECL std::string type_name(const std::type_info& type);

/// Why a channel closes when the current exception ends it.
struct failure {
    asynchat::close_reason reason = asynchat::close_reason::callback_error;
    std::error_code error;
    error_source source = error_source::other;

    /// The failure of the exception being handled.
    ASYNCHAT_DECL static failure current() noexcept;

    /// Whether the exception being handled is an io_error.
    ASYNCHAT_DECL static bool is_of_the_system() noexcept;

    /// The exception being handled as "type: text"; for an io_error only the text.
    ASYNCHAT_DECL static std::string text();
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/failure.ipp>
#endif
#endif
