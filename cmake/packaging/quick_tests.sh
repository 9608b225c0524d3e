#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Builds and runs the tests that tell most in the least time, in a build directory that was
# configured with ASYNCHAT_BUILD_TESTS. They need no network.
#
# usage: cmake/packaging/quick_tests.sh BUILD [JOBS]
set -eu
build=$1
jobs=${2-1}

set -- odr failures differential simulation
for name in scanner frames number proxy api; do
    set -- "$@" "fuzz_$name"
done
# Where OpenSSL was found.
[ ! -d "$build/tests/tls" ] || set -- "$@" fuzz_tls tls_allocations
[ ! -d "$build/tests/websocket" ] || set -- "$@" fuzz_websocket

# shellcheck disable=SC2046
cmake --build "$build" --parallel "$jobs" --target $(printf 'asynchat_%s ' "$@")
ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$jobs" \
    -R '^(odr|failures\.[a-z]+|differential\.recorded|simulation|fuzz\.[a-z]+|tls\.allocations)$'
