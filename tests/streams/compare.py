# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Compares random reads of a stream with Python's asyncio: compare.py PROGRAM [SCRIPTS [SEED]]

The same script goes through asyncio.StreamReader and through PROGRAM, which is built of scripts.cpp.
What the reads return, what they raise and what stays in the buffer must be equal, but for four
differences, which docs/streams.md tells:

- Python finds a separator of several bytes missing later: up to that many bytes less one.
- After a line that is too long Python drops what has arrived; here it is the rest of the line.
- If two separators end at the same byte, Python takes the one that is named first, here it is the
  longest: no separator of a script ends with another one.
- The `consumed` of a read that is too long is the limit. In Python it is more: how much more depends
  on how the bytes arrived.

A script ends before the first two can show.
"""

import asyncio
import random
import subprocess
import sys

SEVERAL = sys.version_info >= (3, 13)  # readuntil() takes a tuple
ALPHABET = b"ab\r\n;"
SEPARATORS = (b"\n", b"\r\n", b";", b"ab", b"aab", b"\r\n\r\n", b";;")


def ends_with_another(separator, all_of_them):
    return any(separator != other and separator.endswith(other) for other in all_of_them)


def random_script(pick):
    """The limit, the reads and the pieces."""
    data = bytes(pick.choices(ALPHABET, weights=(5, 3, 1, 2, 1), k=pick.randrange(40)))
    pieces = []
    while data:
        size = pick.choice((1, 2, 3, 5, 40))
        pieces.append(data[:size])
        data = data[size:]
    reads = []
    for _ in range(pick.randrange(1, 9)):
        kind = pick.choice("LLLUUUXRA" if len(reads) > 3 else "LLLUUUXR")
        if kind == "U":
            some = pick.sample(SEPARATORS, pick.randrange(1, 4) if SEVERAL else 1)
            reads.append((kind, tuple(each for each in some if not ends_with_another(each, some))))
        else:
            reads.append((kind, pick.randrange(12)))
    return pick.choice((1, 2, 4, 8, 64)), reads, pieces


def begin(reader, kind, argument):
    if kind == "L":
        return reader.readline()
    if kind == "X":
        return reader.readexactly(argument)
    if kind == "R":
        return reader.read(argument)
    if kind == "A":
        return reader.read()
    return reader.readuntil(argument if SEVERAL else argument[0])


def one_read(reader, pieces, kind, argument):
    """The result as scripts.cpp tells it, and whether the script may go on."""
    work = begin(reader, kind, argument)
    try:
        while True:
            work.send(None)  # it waits
            if pieces:
                reader.feed_data(pieces.pop(0))
            else:
                reader.feed_eof()
    except StopIteration as done:
        return "ok:" + done.value.hex(), True
    except asyncio.IncompleteReadError as error:
        return "inc:" + error.partial.hex(), kind != "U" or len(error.partial) <= reader._limit
    except asyncio.LimitOverrunError as error:
        told = f"long:{min(error.consumed - 1, reader._limit)}"
        return told, True if max(map(len, argument)) == 1 else None
    except ValueError:
        return f"long:{reader._limit}", None


def by_python(loop, script):
    """How many reads can be compared, their results, and what is left."""
    limit, reads, pieces = script
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    pieces = list(pieces)
    results = []
    for count, (kind, argument) in enumerate(reads):
        result, goes_on = one_read(reader, pieces, kind, argument)
        if goes_on is False:
            return count, results, None
        results.append(result)
        if goes_on is None:
            return count + 1, results, None
    return len(reads), results, bytes(reader._buffer) + b"".join(pieces)


def line_of(script, count):
    limit, reads, pieces = script
    words = [kind + ("+".join(s.hex() for s in argument) if kind == "U" else
                     "" if kind in "LA" else str(argument)) for kind, argument in reads[:count]]
    return f"{limit} {','.join(words)} {','.join(piece.hex() for piece in pieces)}"


def main():
    program, count, seed = sys.argv[1], 100000, 1
    if len(sys.argv) > 2:
        count = int(sys.argv[2])
    if len(sys.argv) > 3:
        seed = int(sys.argv[3])
    pick = random.Random(seed)
    loop = asyncio.new_event_loop()
    lines, expected = [], []
    for _ in range(count):
        script = random_script(pick)
        comparable, results, left = by_python(loop, script)
        if comparable:
            lines.append(line_of(script, comparable))
            expected.append((results, left))
    loop.close()
    answers = subprocess.run([program], input="\n".join(lines) + "\n", text=True, check=True,
                             stdout=subprocess.PIPE).stdout.splitlines()
    if len(answers) != len(lines):
        sys.exit(f"{len(lines)} scripts, but {len(answers)} answers")
    wrong = 0
    for line, (results, left), answer in zip(lines, expected, answers):
        *ours, ours_left = answer.split()
        if ours != results or (left is not None and ours_left != "left:" + left.hex()):
            wrong += 1
            if wrong <= 10:
                print(f"{line}\n  Python: {' '.join(results)} left:"
                      f"{'?' if left is None else left.hex()}\n  here:   {answer}")
    reads = sum(len(results) for results, _ in expected)
    print(f"{len(lines)} scripts with {reads} reads, {wrong} differ (seed {seed})")
    sys.exit(1 if wrong or not reads else 0)


if __name__ == "__main__":
    main()
