#!/bin/sh
# In front of a compiler: the same command, but the source is empty.
set -eu
last=''
for argument in "$@"; do
    shift
    case $argument in
        *.cpp) [ "$last" != -c ] || argument=/dev/null ;;
    esac
    [ "$argument" != /dev/null ] || set -- "$@" -x c++
    set -- "$@" "$argument"
    last=$argument
done
exec "$@"
