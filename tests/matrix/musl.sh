#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Whether the sources mean something to the headers of musl and of libc++. Debian has no C++ library
# for musl, so nothing is linked or run, and TLS is left out.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
headers=$here/build/musl
mkdir -p "$headers"
# By links, so that nothing else of /usr/include is seen: of Linux, Asio and fmt.
for name in linux asm-generic x86_64-linux-gnu/asm asio asio.hpp fmt; do
    ln -sfn "/usr/include/$name" "$headers/${name##*/}"
done
count=0
for source in src/asynchat.cpp examples/echo.cpp examples/proxy.cpp; do
    clang++-16 --target=x86_64-linux-musl -std=c++17 -fsyntax-only \
        -nostdinc++ -nostdlibinc -D_LIBCPP_HAS_MUSL_LIBC \
        -isystem /usr/lib/llvm-16/include/c++/v1 -isystem /usr/include/x86_64-linux-musl \
        -isystem "$headers" -I "$here/include" \
        -DASYNCHAT_COMPILED_LIB -DASIO_STANDALONE -DFMT_HEADER_ONLY "$here/$source"
    count=$((count + 1))
done
echo "$count files compiled"
