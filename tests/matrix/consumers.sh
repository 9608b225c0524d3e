#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# The library as g++ compiled and installed it, shared and static, and its headers alone: used by
# CMake, pkg-config and meson, with each COMPILER of a program and each standard.
#
# usage: consumers.sh COMPILER...
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
work=$here/build/consumers
source=$here/tests/consumer/source
programs=0

for kind in shared static; do
    shared=OFF
    [ "$kind" = static ] || shared=ON
    cmake -S "$here" -B "$work/$kind" -G Ninja -DCMAKE_CXX_COMPILER=g++ -DCMAKE_CXX_STANDARD=17 \
        -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=$shared -DASYNCHAT_TLS=OFF \
        -DASYNCHAT_WEBSOCKET=OFF -DASYNCHAT_BUILD_TESTS=OFF -DASYNCHAT_BUILD_EXAMPLES=OFF \
        -DCMAKE_INSTALL_LIBDIR=lib "-DCMAKE_INSTALL_PREFIX=$work/$kind-prefix"
    cmake --build "$work/$kind" --parallel "$(nproc)" --target install
done

# ran KIND PROGRAM: it runs to its end, with that library.
ran() {
    "$2"
    found=other
    ! ldd "$2" | grep -q 'libasynchat\.so\.' || found=shared
    case $1 in
        shared) [ $found = shared ] ;;
        *) [ $found = other ] ;;
    esac || {
        echo "$2: not with the $1 library" >&2
        exit 1
    }
    programs=$((programs + 1))
}

# by_cmake KIND COMPILER STANDARD
by_cmake() {
    cmake -S "$here/tests/consumer/find_package" -B "$build/cmake" -G Ninja \
        "-DCMAKE_PREFIX_PATH=$prefix" "-DCMAKE_CXX_COMPILER=$2" "-DCMAKE_CXX_STANDARD=$3"
    cmake --build "$build/cmake" --target compiled
    ran "$1" "$build/cmake/compiled"
    if [ "$1" = static ]; then
        cmake --build "$build/cmake" --parallel "$(nproc)" --target header_only
        ran header_only "$build/cmake/header_only"
    fi
}

# by_compiler KIND COMPILER STANDARD: with nothing but pkg-config.
by_compiler() {
    # shellcheck disable=SC2046
    "$2" "-std=c++$3" "$source/main.cpp" "$source/line.cpp" "-Wl,-rpath,$prefix/lib" \
        -o "$build/compiled" $(pkg-config --cflags --libs asynchat)
    ran "$1" "$build/compiled"
    if [ "$1" = static ]; then
        # shellcheck disable=SC2046
        "$2" "-std=c++$3" -DASIO_STANDALONE -I "$(pkg-config --variable=includedir asynchat)" \
            "$source/main.cpp" "$source/line.cpp" $(pkg-config --cflags --libs fmt) -pthread \
            -o "$build/header_only"
        ran header_only "$build/header_only"
    fi
}

# by_meson KIND COMPILER STANDARD
by_meson() {
    mkdir "$build/project"
    cp "$source/main.cpp" "$source/line.cpp" "$source/line.hpp" "$build/project"
    cat >"$build/project/meson.build" <<MESON
project('consumer', 'cpp')
add_project_arguments('-std=c++$3', language: 'cpp') # not every meson knows the newest
library = dependency('asynchat', static: $([ "$1" = static ] && echo true || echo false))
executable('compiled', 'main.cpp', 'line.cpp', dependencies: library)
headers = library.get_variable(pkgconfig: 'includedir')
executable('header_only', 'main.cpp', 'line.cpp', build_by_default: false,
    cpp_args: ['-DASIO_STANDALONE', '-I' + headers],
    dependencies: [dependency('fmt'), dependency('threads')])
MESON
    CXX=$2 meson setup "$build/meson" "$build/project"
    ninja -C "$build/meson"
    ran "$1" "$build/meson/compiled"
    if [ "$1" = static ]; then
        ninja -C "$build/meson" header_only
        ran header_only "$build/meson/header_only"
    fi
}

for kind in shared static; do
    prefix=$work/$kind-prefix
    export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
    for compiler in "$@"; do
        for standard in 17 20 23; do
            build=$work/$kind-$compiler-$standard
            mkdir "$build"
            by_cmake "$kind" "$compiler" "$standard"
            # As the older of these compilers write it.
            [ "$standard" != 23 ] || standard=2b
            by_compiler "$kind" "$compiler" "$standard"
            by_meson "$kind" "$compiler" "$standard"
        done
    done
done
echo "$programs programs ran"
