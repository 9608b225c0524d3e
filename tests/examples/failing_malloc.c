// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Preloaded by test_smtp_sink.py: in all threads but the first, each third allocation fails.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

void* malloc(size_t size)
{
    static void* (*next)(size_t);
    static __thread unsigned calls;
    if (!next)
        next = (void* (*)(size_t))dlsym(RTLD_NEXT, "malloc");
    if (syscall(SYS_gettid) != getpid() && ++calls % 3 == 0)
        return NULL;
    return next(size);
}
