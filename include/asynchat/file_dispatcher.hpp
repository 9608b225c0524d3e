// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_FILE_DISPATCHER_HPP
#define ASYNCHAT_FILE_DISPATCHER_HPP

#include <asynchat/config.hpp>
#include <asynchat/dispatcher.hpp>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// A channel over a descriptor that is not a socket: a pipe, a terminal, a device, a regular file.
///
/// The system cannot wait for a regular file, so it counts as always ready. The end of a file, and
/// a pipe without a reader, end the channel like the end of a connection. SIGPIPE is never raised.
/// Python: Lib/asyncore.py, file_dispatcher and file_wrapper
class ASYNCHAT_API file_dispatcher : public dispatcher {
public:
    /// Works on a duplicate of `descriptor`; the caller still owns the original. Both become
    /// non-blocking, because they share one open file. Throws std::system_error.
    ASYNCHAT_DECL file_dispatcher(loop& owner, int descriptor);

    /// False if the descriptor is open for writing only.
    bool readable() override { return is_readable_; }

private:
    bool is_readable_;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/file_dispatcher.ipp>
#endif
#endif
