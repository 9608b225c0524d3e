// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Preloaded by test_smtp_sink.py: nothing is synced while there is a file with the name in HANGS.

#include <stdlib.h>
#include <unistd.h>

int fsync(int descriptor)
{
    (void)descriptor;
    while (access(getenv("HANGS"), F_OK) == 0)
        usleep(10000);
    return 0;
}
