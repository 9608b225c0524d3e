// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Preloaded by test_smtp_sink.py: nothing is written to a file, or synced, while the test holds the
// lock of the file that HANGS names.

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_for_the_disk(void)
{
    const int lock = open(getenv("HANGS"), O_RDONLY | O_CLOEXEC);
    if (lock < 0)
        abort();
    while (flock(lock, LOCK_SH) != 0) {
        if (errno != EINTR)
            abort();
    }
    close(lock);
}

int fsync(int descriptor)
{
    (void)descriptor;
    wait_for_the_disk();
    return 0;
}

ssize_t write(int descriptor, const void* data, size_t size)
{
    struct stat what;
    if (fstat(descriptor, &what) == 0 && S_ISREG(what.st_mode))
        wait_for_the_disk();
    return syscall(SYS_write, descriptor, data, size);
}
