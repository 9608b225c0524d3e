// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Preloaded by test_resp_server_abuse.py: there is no memory for LEAST to MOST bytes.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

void* malloc(size_t size)
{
    static void* (*next)(size_t);
    if (!next)
        next = (void* (*)(size_t))dlsym(RTLD_NEXT, "malloc");
    return size < LEAST || size > MOST ? next(size) : NULL;
}
