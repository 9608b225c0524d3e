// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_FAILURE_IPP
#define ASYNCHAT_IMPL_FAILURE_IPP

#include <asynchat/detail/failure.hpp>

#include <asynchat/escape.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <memory>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_RARE std::string type_name(const std::type_info& type)
{
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
    std::string text = name ? name.get() : type.name();
    // Users do not write the inline namespace.
    const std::string_view hidden = ASYNCHAT_ABI_TEXT "::";
    for (auto at = text.find(hidden); at != text.npos; at = text.find(hidden, at))
        text.erase(at, hidden.size());
    return text;
}

ASYNCHAT_RARE failure failure::current() noexcept
{
    if (!std::current_exception())
        return {};
    try {
        throw;
    } catch (const io_error& e) {
        return {e.reason, e.code(), e.source};
    } catch (...) {
        return {};
    }
}

ASYNCHAT_RARE bool failure::is_of_the_system() noexcept
{
    if (!std::current_exception())
        return false;
    try {
        throw;
    } catch (const io_error&) {
        return true;
    } catch (...) {
        return false;
    }
}

ASYNCHAT_RARE std::string failure::text()
{
    if (!std::current_exception())
        return "no exception";
    try {
        throw;
    } catch (const io_error& e) {
        return escaped(e.text(), longest_text);
    } catch (const std::exception& e) {
        return type_name(typeid(e)) + ": " + escaped(e.what(), longest_text);
    } catch (...) {
        return "an exception of unknown type";
    }
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
