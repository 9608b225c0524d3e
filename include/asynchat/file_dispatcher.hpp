// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_FILE_DISPATCHER_HPP
#define ASYNCHAT_FILE_DISPATCHER_HPP

#include <asynchat/config.hpp>
#include <asynchat/dispatcher.hpp>

namespace asynchat {

/// A channel over a descriptor that is no socket: a pipe, a terminal, a device, a regular file.
///
/// Regular files cannot be waited for and count as always ready. The end of a file, and a pipe
/// without a reader, end the channel as the end of a connection does; SIGPIPE is never raised.
/// Python: Lib/asyncore.py, file_dispatcher and file_wrapper
class file_dispatcher : public dispatcher {
public:
    /// Works on a duplicate of `descriptor`, which stays the caller's. Both become non-blocking, as
    /// that is a property of what they refer to. Throws std::system_error.
    ASYNCHAT_DECL file_dispatcher(loop& owner, int descriptor);

    /// True unless the descriptor can only be written.
    bool readable() override { return is_readable_; }

private:
    bool is_readable_;
};

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/file_dispatcher.ipp>
#endif
#endif
