#!/bin/sh
# The tests that need no threads, signals and other programs, for another processor:
# other_processor.sh PREFIX [EMULATOR]. PREFIX-g++ compiles them; EMULATOR runs them, where this
# processor cannot.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
prefix=$1 emulator=${2-}
jobs=$(nproc)
libraries=/usr/$prefix/lib
loader=$(find "$libraries" -name 'ld*.so.*' | head -n 1)
link="-Wl,--dynamic-linker=$loader,-rpath,$libraries,--disable-new-dtags"
cmake -S "$here" -B "$here/build" -G Ninja \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="${prefix%%-*}" \
    -DCMAKE_CXX_COMPILER="$prefix-g++" \
    -DCMAKE_EXE_LINKER_FLAGS="$link" \
    -DCMAKE_CXX_STANDARD=17 -DCMAKE_CXX_EXTENSIONS=OFF -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_FLAGS_DEBUG=-O1 -DASYNCHAT_DEVELOPER_MODE=ON \
    -DASYNCHAT_TLS=OFF -DASYNCHAT_WEBSOCKET=OFF -DASYNCHAT_BUILD_EXAMPLES=OFF -DASYNCHAT_INSTALL=OFF \
    -DCMAKE_PROJECT_asynchat_INCLUDE="$here/tests/matrix/libraries_as_headers.cmake"
cmake --build "$here/build" --parallel "$jobs" \
    --target asynchat_tests asynchat_simulation asynchat_failures asynchat_websocket_machine

# In 10 minutes: an emulated processor is slow, but not that slow.
# shellcheck disable=SC2016
timeout 600 sh -euc '
    $1 "$2/asynchat_tests" "~[threads]~[slow]~[hostile]~[many]"
    $1 "$2/websocket/asynchat_websocket_machine"
    $1 "$2/failures/asynchat_failures" operations
    $1 "$2/simulation/asynchat_simulation" 1000
    ' sh "$emulator" "$here/build/tests" || {
    status=$?
    [ "$status" -ne 124 ] || echo 'the tests took longer than 10 minutes' >&2
    exit "$status"
}
