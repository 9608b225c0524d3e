#!/bin/sh
# ./run echo and ./run test on bare machines: for each release of Debian a root with nothing but
# the base system, made by debootstrap from the mirror that apt uses here, and removed at the end.
#
# usage: tests/roots/roots.sh [RELEASE...]        bookworm and trixie when none is named
#
# As root, on Debian. CXX, when set, is the compiler in the roots, for example g++-13 or clang++-19;
# LDFLAGS is passed on. The g++-13 of trixie links nothing with the fmt and Catch2 of trixie, which
# need the C++ library of g++-14, but by
#   LDFLAGS=-Wl,--no-as-needed,/usr/lib/x86_64-linux-gnu/libstdc++.so.6
# Takes half an hour for each release; it is no part of CI. The logs lie in build/roots.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
logs=$here/build/roots
[ $# -gt 0 ] || set -- bookworm trixie

say() {
    printf 'roots: %s\n' "$*" >&2
}

# steps RELEASE: stops at the first one that fails.
steps() {
    say "$1: making the root"
    make_root "$1" root || {
        say "not run: no root of $1 could be made"
        return 1
    }
    copy_tree "$here" "$roots/root" || return 1
    if [ -n "${CXX-}" ]; then
        package=$(printf '%s' "$CXX" | sed 's/^clang++/clang/')
        in_root "$roots/root" apt-get -q -y install --no-install-recommends "$package" || {
            say "not run: $1 has no $package, or it could not be installed"
            return 1
        }
    fi
    for verb in echo test; do
        say "$1: ./run $verb"
        in_root "$roots/root" /root/asynchat/run "$verb" || return 1
    done
}

. "$here/tests/roots/root.sh"
trap remove_roots EXIT
trap 'exit 1' HUP INT TERM

mkdir -p "$logs"
failed=''
for release in "$@"; do
    make_room
    log=$logs/$release${CXX:+-$CXX}.log
    if steps "$release" >"$log" 2>&1; then
        say "$release: passed"
    else
        failed="$failed $release"
        tail -n 60 "$log" >&2
        say "$release: failed, see $log"
    fi
    remove_roots
done
[ -z "$failed" ] || exit 1
