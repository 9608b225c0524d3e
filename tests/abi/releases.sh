#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Which release compare.sh compares with, and what it says when that is not here.
set -eu
compare=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)/compare.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/tests/abi" "$tree/docs" "$tree/include/asynchat"
cp "$compare" "$tree/tests/abi"
for part in 'MAJOR 0' 'MINOR 3' 'PATCH 2'; do
    echo "#define ASYNCHAT_VERSION_$part" >>"$tree/include/asynchat/version.hpp"
done
failed=0

# expect STATUS TEXT HEADING...: of the changelog.
expect() {
    status=$1 text=$2
    shift 2
    printf '## %s\n\n- One.\n\n' "$@" >"$tree/docs/changelog.md"
    got=0
    said=$("$tree/tests/abi/compare.sh" 2>&1) || got=$?
    case $got-$said in
        "$status-"*"$text"*) ;;
        *)
            echo "$*: $got, '$said', not $status with '$text'"
            failed=1
            ;;
    esac
}

expect 0 'no release of 0.3' Unreleased 0.3.2 0.3.1
expect 0 'no release of 0.3' '0.3.2 (2026-02-01)' 0.3.1 '0.2.9 (2026-01-01)'
expect 1 'v0.3.2 was released' Unreleased '0.3.2 (2026-02-01)' '0.3.1 (2026-01-01)'
expect 1 'v0.3.10 was released' '0.3.11 (2026-03-01)' '0.3.10 (2026-02-01)' '0.3.9 (2026-01-01)'
exit "$failed"
