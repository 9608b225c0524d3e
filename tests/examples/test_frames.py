"""The frames programs against each other, and each against a peer of sockets and struct."""

import os
import socket
import struct
import threading

import support
from support import Program, check, check_that, connect, example, receive_all, run

SERVER = example("frames_server")
CLIENT = example("frames_client")
SIZES = [1, 2, 3, 5, 7, 64, 1000, 1 << 20]  # bytes of the pieces in which the peer sends


def marked(message):
    return message + b"###"


def prefixed(message):
    return struct.pack(">I", len(message)) + message


def talk(address, data, size):
    """What the server answers to data that is sent in pieces of one size, up to its end."""
    answer = []
    with connect(address) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = threading.Thread(target=lambda: answer.append(receive_all(peer)), daemon=True)
        reader.start()  # who only sends is not read from when answers wait
        for at in range(0, len(data), size):
            peer.sendall(data[at:at + size])
        peer.shutdown(socket.SHUT_WR)
        reader.join(support.DEADLINE)
    check("answers up to the end", len(answer), 1)
    return answer[0]


def in_pieces_of_every_size(protocol, data, wanted):
    with Program([SERVER, protocol]) as server:
        address = server.address()
        for size in SIZES:
            check(f"{protocol} in pieces of {size}", talk(address, data, size), wanted)
        server.stop()


def test_messages_ended_by_marks():
    messages = [b"", b"#", b"##", b"one", b"a#b##c", b"\x00\r\n\xff", b"x" * 3000, b"last"]
    data = b"".join(map(marked, messages))
    # The first three marks in a row are an end, so that a message of marks comes back as others.
    found = data.split(b"###")[:-1]
    in_pieces_of_every_size("marks", data + b"no end", b"".join(map(marked, found)))


def test_integers_in_both_byte_orders():
    numbers = [0, 1, 255, 256, 0x01020304, 0x80000000, 0xffffffff, 0x0a0d2323] * 50
    sums = [sum(numbers[:n + 1]) & 0xffffffff for n in range(len(numbers))]
    for protocol, order in ("big", ">"), ("little", "<"):
        in_pieces_of_every_size(protocol, struct.pack(f"{order}{len(numbers)}I", *numbers) + b"\x01",
                                struct.pack(f"{order}{len(sums)}I", *sums))


def test_blobs_behind_their_length():
    blobs = [os.urandom(size) for size in (0, 1, 4, 0, 255, 256, 5000)]
    in_pieces_of_every_size("blobs", b"".join(map(prefixed, blobs)) + b"\x00\x00",
                            b"".join(map(prefixed, blobs)))
    large = [os.urandom(1 << 20)] * 3
    with Program([SERVER, "blobs"]) as server:
        data = b"".join(map(prefixed, large))
        check_that("1 MiB, the largest", talk(server.address(), data, 1000) == data)
        server.stop()


def test_a_length_over_the_limit_ends_the_connection():
    with Program([SERVER, "blobs"]) as server:
        for length in (1 << 20) + 1, 0xffffffff:
            check("answer", talk(server.address(), struct.pack(">I", length), 4), b"")
            server.wait_for("frame")
        check("an honest peer", talk(server.address(), prefixed(b"x"), 1), prefixed(b"x"))
        server.stop()


def record(name, numbers, blob, text):
    return (b"%s %d\n" % (name, len(numbers)) + struct.pack(f">{len(numbers)}I", *numbers) +
            prefixed(blob) + marked(text))


def test_framing_changes_three_times_in_each_record():
    records = [(b"first", [1, 2, 3], b"\n###\n", b"text"), (b"none", [], b"", b""),
               (b"tricky", [0x23232323, 0x0a0a0a0a], struct.pack(">I", 7) * 9, b"#\n##."),
               (b"many", [0xffffffff] * 4096, bytes(3000), b"z" * 3000)]
    data = b"".join(record(*r) for r in records)
    answers = b"".join(
        b"%s: sum %d, %d bytes, '%s'\n" % (name, sum(numbers), len(blob), text.replace(b"\n", b"\\n"))
        for name, numbers, blob, text in records)
    in_pieces_of_every_size("record", data, answers)


def test_malformed_records_are_answered_with_the_byte_to_blame():
    with Program([SERVER, "record"]) as server:
        for line, wanted in ((b"name", b"no blank between NAME and COUNT at byte 4"),
                             (b"name ", b"no digits at byte 5"),
                             (b"name 1x", b"not a digit at byte 6"),
                             (b"name 4097", b"too large at byte 8"),
                             (b"name -1", b"not a digit at byte 5")):
            check("answer", talk(server.address(), line + b"\n" + record(b"x", [], b"", b""), 1 << 20),
                  b"ERROR " + wanted + b" of the line\n")
        server.stop()


def test_own_client():
    for protocol, messages, wanted in (
        ("marks", ["one", "", "two words"], ["one", "", "two words"]),
        ("big", ["1", "2", "4294967295"], ["1", "3", "2"]),
        ("little", ["256", "1"], ["256", "257"]),
        ("blobs", ["", "a", "x" * 70000], ["", "a", "x" * 70000]),
        ("record", ["name", "blob", "text", "7", "8"], ["name: sum 15, 4 bytes, 'text'"]),
        ("record", ["name", "", ""], ["name: sum 0, 0 bytes, ''"]),
    ):
        with Program([SERVER, protocol, "::1"]) as server:
            done = run([CLIENT, protocol, *server.address(), *messages])
            check(f"answers in {protocol}", done.stdout.decode().split("\n"), [*wanted, ""])
            check("exit status", (done.returncode, done.stderr), (0, b""))
            server.stop()


def test_own_client_against_pieces_of_one_byte():
    cases = (("marks", ["ab", "c"], b"ab###c###", b"x###y###", b"x\ny\n"),
             ("big", ["258", "3"], struct.pack(">2I", 258, 3), struct.pack(">2I", 9, 0x01020304),
              b"9\n16909060\n"),
             ("little", ["258"], struct.pack("<I", 258), struct.pack("<I", 258), b"258\n"),
             ("blobs", ["abc"], prefixed(b"abc"), prefixed(b"\n"), b"\\n\n"),
             ("record", ["n", "b", "t", "5"], record(b"n", [5], b"b", b"t"), b"fine\n", b"fine\n"))
    for protocol, messages, request, answer, printed in cases:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(support.DEADLINE)
            with Program([CLIENT, protocol, *listener.getsockname(), *messages]) as client:
                peer, _ = listener.accept()
                with peer:
                    peer.settimeout(support.DEADLINE)
                    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    check(f"request in {protocol}", support.receive_exactly(peer, len(request)),
                          request)
                    for at in range(len(answer)):
                        peer.sendall(answer[at:at + 1])
                    check("exit status", client.wait(), 0)
                check("printed", client.output().encode(), printed)


def test_missing_answers_are_reported():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(support.DEADLINE)
        with Program([CLIENT, "marks", *listener.getsockname(), "a", "b"]) as client:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"a###b##")
                support.receive_exactly(peer, 8)
            client.wait_for("1 answers are missing: peer finished")
            check("exit status", client.wait(), 1)


def test_client_does_not_wait_for_ever():
    status, output = support.trickle_to(lambda address: [CLIENT, "marks", *address, "a"])
    log, line = output.splitlines()
    check("status and output", (status, line),
          (1, "frames_client: 1 answers are missing: frame timeout"))
    check_that(f"the log tells the limit ({log})", "the limit of frame_timeout()" in log)


def test_wrong_use():
    for command, status, wanted in (
        ([SERVER, "--help"], 0, b""),
        ([SERVER], 2, b"usage: "),
        ([SERVER, "middle"], 2, b"usage: "),
        ([SERVER, "big", "127.0.0.1", "1 "], 2, b"PORT: not a digit at byte 1 of '1 '"),
        ([SERVER, "big", "nowhere"], 1, b"nowhere"),
        ([CLIENT, "marks", "127.0.0.1", "1"], 2, b"usage: "),
        ([CLIENT, "marks", "127.0.0.1", "99999", "x"], 2, b"PORT: too large at byte 4 of '99999'"),
        ([CLIENT, "big", "127.0.0.1", "1", "7", "4294967296"], 2, b"NUMBER: too large at byte 9"),
        ([CLIENT, "record", "127.0.0.1", "1", "name", "blob"], 2, b"usage: "),
    ):
        done = run(command)
        check(f"exit status of {command}", done.returncode, status)
        check_that(f"{done.stderr!r} has {wanted!r}", wanted in done.stderr)


if __name__ == "__main__":
    support.main(globals())
