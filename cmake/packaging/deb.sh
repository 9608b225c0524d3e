#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Makes the Debian packages, and tests them; ./run deb calls it.
#
# usage: cmake/packaging/deb.sh              builds and examines them here
#        cmake/packaging/deb.sh RELEASE...   does so in a bare root of each release, and installs,
#                                            uses and purges them in another one; as root
#
# The packages lie in build/deb, those of a release in build/deb/RELEASE.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
output=$here/build/deb
maintainer=$(sed -n 's/^Maintainer: //p' "$here/cmake/packaging/debian/control")

say() {
    printf 'deb: %s\n' "$*" >&2
}

# quietly LOG COMMAND...: the output is shown only when the command fails.
quietly() {
    log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null && return 0
    tail -n 60 "$log" >&2
    say "failed: $*; see $log"
    return 1
}

# number NAME: a part of the version.
number() {
    sed -n "s/^#define ASYNCHAT_VERSION_$1 //p" "$here/include/asynchat/version.hpp"
}

# ---- Here ---------------------------------------------------------------------------------------

# copy_source DIRECTORY: the tree as it is now, without what git ignores.
copy_source() {
    mkdir -p "$1"
    tar -C "$here" -cf - --exclude=./build --exclude=./.git --exclude=./.cache \
        --exclude=./compile_commands.json --exclude=./CMakeUserPresets.json \
        --exclude=__pycache__ . | tar -C "$1" -xf -
}

# copy_debian DIRECTORY: the packaging files; the version is written into their names and text.
copy_debian() {
    cp -R "$here/cmake/packaging/debian" "$1/debian"
    find "$1/debian" -type f -exec sed -i "s/@SOVERSION@/$soversion/g" {} +
    for file in "$1"/debian/*@SOVERSION@*; do
        mv "$file" "${file%%@*}$soversion${file##*@}"
    done
    cat >"$1/debian/changelog" <<CHANGELOG
asynchat ($version-0local1) unstable; urgency=medium

  * The changes are in docs/changelog.md.

 -- $maintainer  $(date -u -R -d "@$changed")
CHANGELOG
}

# build DIRECTORY
build() {
    source=$1/asynchat-$version
    copy_source "$source"
    tar -C "$1" --sort=name --mtime="@$changed" --owner=0 --group=0 --numeric-owner \
        -cJf "$1/asynchat_$version.orig.tar.xz" "asynchat-$version"
    copy_debian "$source"
    (cd "$source" && quietly "$1/build.log" dpkg-buildpackage --no-sign)
}

# sums DIRECTORY: of its packages.
sums() {
    (cd "$1" && sha256sum -- *.deb)
}

build_here() {
    # Of other paths dpkg leaves traces in what it builds.
    case $here in
        *[!-+:.0-9a-zA-Z~/_]*)
            say "packages are built only where the path has no blanks or signs, not in '$here'"
            return 1
            ;;
    esac
    soversion=$(number MAJOR).$(number MINOR)
    version=$soversion.$(number PATCH)
    # When the tree was changed last, so that each build of it gets the same date.
    changed=$(git -C "$here" log -1 --format=%ct 2>/dev/null ||
        date -r "$here/docs/changelog.md" +%s)
    DEB_BUILD_OPTIONS="parallel=$(nproc) ${DEB_BUILD_OPTIONS-}"
    export DEB_BUILD_OPTIONS
    rm -rf "$output"
    mkdir -p "$output"

    say "building version $version"
    build "$output"

    # The newest policy is another one in each release.
    say 'looking for faults with lintian'
    lintian --allow-root -EvIL +pedantic --suppress-tags out-of-date-standards-version \
        --fail-on error,warning,info,pedantic,experimental "$output"/*.changes \
        >"$output/lintian.log" 2>&1 || {
        cat "$output/lintian.log" >&2
        say 'lintian has something to say'
        return 1
    }

    say 'building them again, elsewhere and without the tests'
    DEB_BUILD_OPTIONS="$DEB_BUILD_OPTIONS nocheck" TZ=UTC+11 build "$output/again"
    if [ "$(sums "$output")" != "$(sums "$output/again")" ]; then
        sums "$output"
        sums "$output/again"
        say 'the second build is not the same as the first'
        return 1
    fi
    rm -rf "$output/again" "$output/asynchat-$version"
    sums "$output"
    say "the second build has the same sums; the packages lie in $output"
}

# ---- In roots -----------------------------------------------------------------------------------

# steps RELEASE: stops at the first one that fails. What a build needs is installed in the root of
# the build only, so that a dependency that a package forgets is missing in the other root.
steps() {
    make_root "$1" bare || return 1
    cp -a "$roots/bare" "$roots/build"
    copy_tree "$here" "$roots/build"
    say "$1: ./run deb"
    in_root "$roots/build" /root/asynchat/run deb || return 1
    cp "$roots/build/root/asynchat/build/deb"/*.* "$output/$1"

    say "$1: installing, using and purging the packages"
    mkdir "$roots/bare/root/packages"
    cp "$output/$1"/*.deb "$output/$1"/*.dsc "$output/$1"/*.tar.* "$roots/bare/root/packages"
    cp "$here/cmake/packaging/installed.sh" "$roots/bare/root"
    in_root "$roots/bare" /root/installed.sh /root/packages
}

build_in_roots() {
    if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
        say 'the packages are installed in a bare root only as root, with debootstrap'
        return 1
    fi
    # shellcheck source=tests/roots/root.sh
    . "$here/tests/roots/root.sh"
    trap remove_roots EXIT
    trap 'exit 1' HUP INT TERM
    status=0
    for release in "$@"; do
        make_room
        rm -rf "${output:?}/$release"
        mkdir -p "$output/$release"
        say "$release: making a root"
        log=$output/$release/root.log
        if steps "$release" >"$log" 2>&1; then
            say "$release: passed"
        else
            status=1
            tail -n 60 "$log" >&2
            say "$release: failed, see $log"
        fi
        remove_roots
    done
    return "$status"
}

if [ $# -eq 0 ]; then
    build_here
else
    build_in_roots "$@"
fi
