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
compiler=${CXX-}
[ $# -gt 0 ] || set -- bookworm trixie

say() {
    printf 'roots: %s\n' "$*" >&2
}

# shielded COMMAND...: what it mounts is seen by nobody else, and goes with it. It is waited for in
# the background, so that a signal is acted on at once.
shielded() {
    unshare --mount --pid --fork --kill-child "$@" </dev/null &
    child=$!
    wait "$child"
}

# in_root COMMAND...: with the root's own /proc, and nothing else of this machine.
in_root() {
    shielded --mount-proc="$root/proc" chroot "$root" /usr/bin/env -i HOME=/root \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive \
        ${compiler:+"CXX=$compiler"} ${LDFLAGS:+"LDFLAGS=$LDFLAGS"} "$@"
}

# steps RELEASE: stops at the first one that fails.
steps() {
    say "$1: making the root"
    shielded debootstrap --variant=minbase "$1" "$root" "$mirror" || return 1
    mkdir "$root/root/asynchat"
    (cd "$here" && tar -cf - --exclude=./build --exclude=./.git .) |
        tar -xf - -C "$root/root/asynchat" || return 1
    if [ -n "$compiler" ]; then
        package=$(printf '%s' "$compiler" | sed 's/^clang++/clang/')
        in_root apt-get -q -y install --no-install-recommends "$package" || return 1
    fi
    for verb in echo test; do
        say "$1: ./run $verb"
        in_root /root/asynchat/run "$verb" || return 1
    done
}

clean_up() {
    [ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true
    [ -z "$root" ] || rm -rf --one-file-system "$root"
    child='' root=''
}
child='' root=''
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(SITE)' \
    'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
if [ -z "$mirror" ]; then
    say 'apt knows no mirror of Debian here (apt-get update)'
    exit 1
fi

mkdir -p "$logs"
failed=''
for release in "$@"; do
    root=$(mktemp -d "${TMPDIR:-/var/tmp}/asynchat-root.XXXXXX")
    chmod 755 "$root"
    log=$logs/$release${compiler:+-$compiler}.log
    if steps "$release" >"$log" 2>&1; then
        say "$release: passed"
    else
        failed="$failed $release"
        tail -n 60 "$log" >&2
        say "$release: failed, see $log"
    fi
    clean_up
done
[ -z "$failed" ] || exit 1
