#!/bin/sh
# What ./run says to arguments that it does not know: nothing is set up for them.
set -eu
run=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)/run
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# expect STATUS STREAM PATTERN ARGUMENT...: the other stream stays empty.
expect() {
    status=$1 stream=$2 pattern=$3
    shift 3
    got=0
    "$run" "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null || got=$?
    other=stdout
    [ "$stream" = stderr ] || other=stderr
    if [ "$got" -ne "$status" ] || ! grep -q -e "$pattern" "$scratch/$stream" ||
        [ -s "$scratch/$other" ]; then
        echo "run $*: status $got, not $status with '$pattern' on $stream alone, but"
        head -n 5 "$scratch/stdout" "$scratch/stderr"
        failed=1
    fi
}

expect 0 stdout '^usage: run VERB' help
expect 0 stdout '^usage: run VERB' --help
expect 0 stdout '^usage: run VERB' -h
expect 2 stderr '^usage: run VERB'
expect 2 stderr "no verb 'ecko'" ecko
expect 2 stderr "no verb ''" ''
expect 2 stderr "no argument 'twice'" echo twice
expect 2 stderr "no argument 'all'" coverage all
expect 2 stderr "no argument 'now'" release-check now
expect 2 stderr "not '--all'" deb --all
expect 2 stderr "not 'sid 12'" deb sid 12
expect 2 stderr "not '--fox'" format --fox
expect 2 stderr "not '--fix now'" format --fix now
expect 2 stderr "seconds, not '1m'" fuzz 1m
expect 2 stderr "seconds, not '1 2'" fuzz 1 2
expect 2 stderr "a seed, not '1 x'" soak 1 x
expect 2 stderr "a seed, not '1 2 3'" soak 1 2 3

# What goes to CMake gets there in one piece. Nothing is installed or configured for that.
mkdir "$scratch/bin" "$scratch/tree"
cat >"$scratch/bin/cmake" <<'STUB'
#!/bin/sh
[ "$1" != --version ] || { echo 'cmake version 3.25.1' && exit; }
printf '<%s>' "$@"
exit 1
STUB
printf '#!/bin/sh\nexit 1\n' | tee "$scratch/bin/ninja" >"$scratch/bin/apt-get"
chmod 755 "$scratch/bin"/*
cp "$run" "$scratch/tree"
PATH="$scratch/bin:$PATH" "$scratch/tree/run" echo '-DA=b  *' -DC=d >"$scratch/stdout" 2>&1 || true
if ! grep -qF '<-DA=b  *><-DC=d>' "$scratch/stdout"; then
    echo 'run does not hand its -D... to CMake as they are, but'
    cat "$scratch/stdout"
    failed=1
fi

# A place where dpkg cannot build the same packages twice, before it builds any.
mkdir -p "$scratch/a b/cmake/packaging/debian"
cp "$(dirname "$run")/cmake/packaging/deb.sh" "$scratch/a b/cmake/packaging"
touch "$scratch/a b/cmake/packaging/debian/control"
if "$scratch/a b/cmake/packaging/deb.sh" >"$scratch/stdout" 2>&1 ||
    ! grep -q 'no blanks' "$scratch/stdout"; then
    echo 'deb.sh says nothing of a blank in the path, but'
    head -n 5 "$scratch/stdout"
    failed=1
fi
exit "$failed"
