#!/bin/sh
# Compares the shared libraries with those of the last release of the same minor version: compare.sh
# [TAG]. Both are built with debug information, and abidiff (package abigail-tools) looks at what
# users see of them. Fails when a program that was linked to the release may not run with this one.
# The changelog says what was released: those with a date, but for the one that this tree is. A clone
# without the tags must not pass because it knows of none.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
work=$here/build/abi
version() {
    sed -n "s/^#define ASYNCHAT_VERSION_$1 //p" "$here/include/asynchat/version.hpp"
}
minor=$(version MAJOR).$(version MINOR)
release=${1-$(sed -n 's/^## //p' "$here/docs/changelog.md" |
    sed -n "1{/^[0-9]/d}; s/^\($minor\.[0-9]*\) (.*/v\1/p" | head -n 1)}
if [ -z "$release" ]; then
    printf 'abi: there is no release of %s to compare with\n' "$minor"
    exit 0
fi
if ! git -C "$here" rev-parse --quiet --verify "$release^{commit}" >/dev/null; then
    printf 'abi: %s was released, but its tag is not here (git fetch --tags)\n' "$release" >&2
    exit 1
fi

# build SOURCES NAME: its libraries and headers in $work/NAME.
build() {
    cmake -S "$1" -B "$work/$2-build" -G Ninja -DBUILD_SHARED_LIBS=ON \
        -DCMAKE_CXX_FLAGS='-g -Og' -DCMAKE_INSTALL_PREFIX="$work/$2" \
        -DCMAKE_INSTALL_LIBDIR=lib
    cmake --build "$work/$2-build"
    cmake --install "$work/$2-build"
}

mkdir -p "$work"
rm -rf "$work/release-sources" "$work/release" "$work/now"
mkdir "$work/release-sources"
git -C "$here" archive "$release" | tar -xf - -C "$work/release-sources"
build "$work/release-sources" release >"$work/build.log"
build "$here" now >>"$work/build.log"

for library in "$work/release/lib"/libasynchat*.so; do
    name=${library##*/}
    printf 'abi: %s of %s and of now\n' "$name" "$release"
    abidiff --headers-dir1 "$work/release/include" --headers-dir2 "$work/now/include" \
        --no-added-syms "$library" "$work/now/lib/$name"
done
