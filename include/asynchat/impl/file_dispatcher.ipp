// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_FILE_DISPATCHER_IPP
#define ASYNCHAT_IMPL_FILE_DISPATCHER_IPP

#include <asynchat/file_dispatcher.hpp>

#include <asynchat/dispatcher.hpp>
#include <asynchat/detail/io/socket_transport.hpp>

#include <fcntl.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_RARE file_dispatcher::file_dispatcher(loop& owner, int descriptor)
    : dispatcher(owner), is_readable_((::fcntl(descriptor, F_GETFL) & O_ACCMODE) != O_WRONLY)
{
    const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        throw std::system_error(errno, std::system_category(), "asynchat: file_dispatcher");
    detail::channel_access::set_transport(
        *this, std::make_unique<detail::descriptor_transport>(owner.context(), own));
    set_connected(true);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
