#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# What has to hold before a release beside .ci/run; ./run release-check calls it. It makes no tag.
# The tarball is build/release-check/asynchat-VERSION.tar.gz.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
output=$here/build/release-check
export PYTHONDONTWRITEBYTECODE=1
cd "$here"

say() {
    printf 'release-check: %s\n' "$*" >&2
}

# check WHAT COMMAND...: the output is shown only when the command fails.
check() {
    what=$1
    shift
    say "$what"
    "$@" >"$output/log" 2>&1 </dev/null && return 0
    tail -n 60 "$output/log" >&2
    say "failed: $what"
    exit 1
}

# Without a network where that is allowed: quick_tests.sh has tests that use sockets, but no
# addresses.
offline='' how='without a network'
if unshare --map-root-user --net true 2>/dev/null; then
    offline='unshare --map-root-user --net'
else
    how='WITH THE NETWORK of this machine'
fi

build_tarball() {
    $offline cmake -S "$output/$name" -B "$output/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DASYNCHAT_BUILD_TESTS=ON -DASYNCHAT_FETCH_DEPS=OFF -DFETCHCONTENT_FULLY_DISCONNECTED=ON &&
        $offline "$output/$name/cmake/packaging/quick_tests.sh" "$output/build" "$(nproc)"
}

rm -rf "$output"
mkdir -p "$output"

check 'the versions, and the changelog' python3 tests/packaging/versions.py
state=$(cat "$output/log")
check 'the pages' python3 tests/docs/docs.py check
check 'the pages against the headers' python3 tests/docs/complete.py
check 'which header includes which' python3 tests/headers/rooms.py
check 'the libraries against those of the last release' tests/abi/compare.sh
say "$(sed -n 's/^abi: //p' "$output/log")"

# The sources of a tarball may lie inside of a clone of something else.
if [ "$(git rev-parse --show-toplevel 2>/dev/null)" != "$here" ]; then
    say 'this is no clone of the repository: there is no tarball to make'
    exit 1
fi
[ -z "$(git status --porcelain)" ] ||
    say 'there are changes that are not committed: they are not in the tarball'
version=$(printf '%s' "$state" | sed 's/version \([0-9.]*\).*/\1/')
name=asynchat-$version
git archive --prefix="$name/" -o "$output/$name.tar.gz" HEAD
tar -xzf "$output/$name.tar.gz" -C "$output"
check "the tarball builds and passes the quick tests, $how" build_tarball

[ -n "$offline" ] || say "NOT CHECKED: that the tarball needs no network: unshare is refused here"
say "$state"
(cd "$output" && sha512sum "$name.tar.gz")
