// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Preloaded by test_smtp_sink.py: nothing is written to a file, or synced, while there is a file
// with the name in HANGS.

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_for_the_disk(void)
{
    while (access(getenv("HANGS"), F_OK) == 0)
        usleep(10000);
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
