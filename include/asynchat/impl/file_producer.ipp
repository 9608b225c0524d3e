// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_FILE_PRODUCER_IPP
#define ASYNCHAT_IMPL_FILE_PRODUCER_IPP

#include <asynchat/file_producer.hpp>

#include <asynchat/dispatcher.hpp> // first: its bodies need the next header

#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/error.hpp>
#include <asynchat/escape.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

// Files may be larger than 4 GiB also where a pointer has 32 bits.
static_assert(sizeof(off_t) >= 8, "asynchat: compile with -D_FILE_OFFSET_BITS=64");

// Both constructors delegate, so that the destructor runs when they throw.

ASYNCHAT_RARE file_producer::file_producer(const std::string& path, std::uint64_t offset,
                                           std::optional<std::uint64_t> length)
    : file_producer()
{
    name_ = detail::quoted(path);
    if (path.find('\0') != path.npos)
        fail(ENOENT); // the system would use the part before the NUL
    // Opening a FIFO must not wait for its writer.
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor_ < 0)
        fail(errno);
    set_range(offset, length);
    if (!is_regular_)
        fail(EOPNOTSUPP);
}

ASYNCHAT_RARE file_producer::file_producer(int descriptor, std::uint64_t offset,
                                           std::optional<std::uint64_t> length)
    : file_producer()
{
    name_ = "descriptor " + std::to_string(descriptor);
    descriptor_ = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (descriptor_ < 0)
        fail(errno);
    if ((::fcntl(descriptor_, F_GETFL) & O_ACCMODE) == O_WRONLY)
        fail(EBADF);
    set_range(offset, length);
}

ASYNCHAT_RARE file_producer::~file_producer()
{
    if (descriptor_ >= 0)
        ::close(descriptor_);
}

ASYNCHAT_RARE void file_producer::set_range(std::uint64_t offset,
                                            std::optional<std::uint64_t> length)
{
    struct stat status = {};
    if (::fstat(descriptor_, &status) != 0)
        fail(errno);
    if (S_ISDIR(status.st_mode))
        fail(EISDIR);
    is_regular_ = S_ISREG(status.st_mode);
    if (is_regular_) {
        const auto size = static_cast<std::uint64_t>(status.st_size);
        if (offset > size || length.value_or(0) > size - offset)
            throw std::out_of_range("asynchat: file_producer: " + name_ + " has only " +
                                    std::to_string(size) + " bytes");
        length = length.value_or(size - offset);
    } else if (offset > 0) {
        fail(ESPIPE);
    }
    length_ = length;
    offset_ = offset;
    left_ = length.value_or(std::numeric_limits<std::uint64_t>::max());
    sends_directly_ = is_regular_;
}

ASYNCHAT_RARE void file_producer::fail(int number)
{
    left_ = 0;
    throw std::system_error(number, std::system_category(), "asynchat: file_producer: " + name_);
}

ASYNCHAT_RARE std::string_view file_producer::more()
{
    return read(65536);
}

ASYNCHAT_RARE std::string_view file_producer::read(std::size_t max_bytes)
{
    constexpr std::size_t largest = std::size_t{1} << 20; // memory is reserved for it
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>(left_, std::clamp<std::size_t>(max_bytes, 1, largest)));
    if (size == 0)
        return {};
    if (size > buffer_size_) {
        buffer_.reset(new char[size]);
        buffer_size_ = size;
    }
    ssize_t got;
    do {
        got = is_regular_ ? ::pread(descriptor_, buffer_.get(), size, static_cast<off_t>(offset_))
                          : ::read(descriptor_, buffer_.get(), size);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        fail(errno);
    const std::string_view piece(buffer_.get(), static_cast<std::size_t>(got));
    offset_ += piece.size();
    left_ -= piece.size();
    if (piece.empty()) {
        const std::uint64_t missing = std::exchange(left_, 0);
        if (length_)
            throw std::runtime_error("asynchat: file_producer: " + name_ + " has ended " +
                                     std::to_string(missing) + " bytes too early");
    }
    return piece;
}

ASYNCHAT_RARE std::optional<std::size_t> file_producer::send_to(transport& to,
                                                                std::size_t max_bytes)
{
    if (!sends_directly_ || left_ == 0)
        return std::nullopt;
    std::error_code error;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, max_bytes));
    const std::size_t sent = to.write_file(descriptor_, offset_, count, error);
    if (is_would_block(error))
        return 0;
    if (error || sent == 0) {
        sends_directly_ = false;
        return std::nullopt;
    }
    offset_ += sent;
    left_ -= sent;
    return sent;
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
