# shellcheck shell=sh
# SPDX-License-Identifier: BSL-1.0
# Bare roots of Debian, made by debootstrap from the mirror that apt uses here, and removed at the
# end. roots.sh and cmake/packaging/deb.sh read this file. It needs root.

child='' roots=''

# shielded COMMAND...: what it mounts is seen by nobody else, and goes with it. It is waited for in
# the background, so that a signal is acted on at once.
shielded() {
    unshare --mount --pid --fork --kill-child "$@" </dev/null &
    child=$!
    wait "$child"
}

# in_root ROOT COMMAND...: with the root's own /proc, and nothing else of this machine.
in_root() {
    root=$1
    shift
    shielded --mount-proc="$root/proc" chroot "$root" /usr/bin/env -i HOME=/root \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive \
        ${CXX:+"CXX=$CXX"} ${LDFLAGS:+"LDFLAGS=$LDFLAGS"} "$@"
}

# make_root RELEASE NAME: with nothing but the base system, in the directory NAME of $roots.
make_root() {
    mkdir "$roots/$2"
    shielded debootstrap --variant=minbase "$1" "$roots/$2" "$mirror"
}

make_room() {
    roots=$(mktemp -d "${TMPDIR:-/var/tmp}/asynchat-roots.XXXXXX")
    chmod 755 "$roots"
}

remove_roots() {
    [ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true
    [ -z "$roots" ] || rm -rf --one-file-system "$roots"
    child='' roots=''
}

# copy_tree TREE ROOT: to /root/asynchat.
copy_tree() {
    mkdir "$2/root/asynchat"
    tar -C "$1" -cf - --exclude=./build --exclude=./.git . | tar -C "$2/root/asynchat" -xf -
}

# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(SITE)' \
    'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
if [ -z "$mirror" ]; then
    echo 'apt knows no mirror of Debian here (apt-get update)' >&2
    exit 1
fi
