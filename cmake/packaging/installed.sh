#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# In a bare root: installs the packages, runs the tests that go with them, and purges them; nothing
# may be left. deb.sh calls it.
#
# usage: installed.sh DIRECTORY        with the packages and their source
set -eu
cd "$1"

apt-get -q -y install --no-install-recommends autopkgtest
apt-get -q -y install --no-install-recommends ./*.deb
packages=$(for file in *.deb; do dpkg-deb -f "$file" Package; done)
# shellcheck disable=SC2086
dpkg -L $packages | grep -v '^/\.$' | sort -u >list
[ "$(wc -l <list)" -gt 100 ]

autopkgtest --no-built-binaries ./*.dsc -- null

# shellcheck disable=SC2086
apt-get -q -y purge $packages
left=''
while read -r path; do
    # Other packages have some of the directories too.
    if [ -e "$path" ] && ! dpkg -S "$path" >/dev/null 2>&1; then
        left="$left $path"
    fi
done <list
if [ -n "$left" ]; then
    echo "left after the purge:$left" >&2
    exit 1
fi
echo "nothing is left of $(wc -l <list) files and directories"
