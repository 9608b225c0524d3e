# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""python3-wsproto makes the same of the cases and of upgrade requests: against_wsproto.py PRINT_CASES

Exits with 77 where wsproto is not installed.
"""

import collections
import subprocess
import sys

try:
    from wsproto import ConnectionType, WSConnection
    from wsproto.events import Request
    from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed
    from wsproto.utilities import RemoteProtocolError
except ImportError:
    print("python3-wsproto is not installed")
    sys.exit(77)

# The machine's limit; wsproto itself has none.
MAX_MESSAGE = 65536
KINDS = {Opcode.TEXT: "text", Opcode.BINARY: "binary", Opcode.PING: "ping", Opcode.PONG: "pong"}
RANDOM = 3000
UPGRADES = 5000
# wsproto, and h11 in it, let pass what two programs may understand differently, and what RFC 6455
# forbids. These are our words for it.
ONLY_HERE = {"Host is no host", "Host is not the host of the target", "WebSocket needs HTTP/1.1",
             "a control character in a field", "a field without a name", "a request with a body",
             "no version of HTTP", "one Sec-WebSocket-Key of 16 bytes is needed",
             "one Sec-WebSocket-Version is needed", "only HTTP/1.1 is spoken here",
             "the name of a sub-protocol", "the target is no path"}


def outcome_of(data):
    """What wsproto makes of the bytes of a client, in the words of the cases."""
    protocol = FrameProtocol(client=False, extensions=[])
    told, message, kind = [], b"", None
    try:
        protocol.receive_bytes(data)
        for frame in protocol.received_frames():
            payload = frame.payload
            if frame.opcode is Opcode.CLOSE:
                code, reason = payload
                told.append(f"close {int(code)} ".encode() + (reason or "").encode())
                break
            payload = payload.encode() if isinstance(payload, str) else bytes(payload)
            if frame.opcode in (Opcode.PING, Opcode.PONG):
                told.append(KINDS[frame.opcode].encode() + b" " + payload)
                continue
            kind = kind or KINDS[frame.opcode].encode()
            message += payload
            if len(message) > MAX_MESSAGE:
                told.append(b"fault 1009")
                break
            if frame.message_finished:
                told.append(kind + b" " + message)
                message, kind = b"", None
    except ParseFailed as error:
        told.append(f"fault {int(error.code)}".encode())
    return told


def is_known(ours, theirs):
    """The one difference: wsproto finds a fault later, when a frame or the text of all fragments is
    complete; before that it may report a ping, wait for more, or find another fault of the frame.
    It completes no message meanwhile.
    """
    before, last = ours[:-1], ours[-1:]
    return last and last[0].startswith(b"fault") and theirs[:len(before)] == before and \
        all(line.split(b" ")[0] in (b"ping", b"pong", b"fault") for line in theirs[len(before):])


def accepts(request):
    """Whether wsproto takes the request for one of a WebSocket."""
    connection = WSConnection(ConnectionType.SERVER)
    try:
        connection.receive_data(request)
    except (RemoteProtocolError, UnicodeError):  # of a host that is no text
        return False
    return any(isinstance(event, Request) for event in connection.events())


def is_taken_only_here(request):
    """wsproto knows the last field Connection only, and wants nothing beside WebSocket in Upgrade.
    RFC 9110 has one list in all fields of a name, and RFC 6455 wants its word among others.
    """
    fields = [line.partition(b":") for line in request.split(b"\r\n")[1:]]

    def values(name):
        return [value.strip().lower() for key, _, value in fields if key.lower() == name]

    return b"upgrade" not in values(b"connection")[-1].replace(b",", b" ").split() or \
        values(b"upgrade")[-1] != b"websocket"


def judge_upgrade(request, verdict):
    """Both take it, both refuse it, or a known difference; None for another one."""
    _, status, problem = verdict.decode().split(" ", 2)
    here, there = status == "101", accepts(request)
    if here == there:
        return "taken" if here else "refused"
    if here:
        return "known" if is_taken_only_here(request) else None
    return "known" if problem in ONLY_HERE else None


def compare_upgrades(lines):
    """The number of faults."""
    counted = collections.Counter()
    for request, verdict in lines:
        result = judge_upgrade(request, verdict)
        counted[result] += 1
        if result is None:
            print(f"{request!r}: {verdict.decode()} here, the opposite there")
    print(f"upgrades: {dict(counted)}")
    return counted[None] + (counted["taken"] < 1000) + (counted["refused"] < 1000)


def main(print_cases):
    printed = subprocess.run([print_cases, str(RANDOM), str(UPGRADES)], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    same = known = 0
    newer = [b"close 1014 "]  # registered after that release of wsproto
    faults, upgrades = [], []
    for line in printed.splitlines():
        data, *ours = map(bytes.fromhex, line.split(" "))
        if ours and ours[0].startswith(b"upgrade "):
            upgrades.append((data, ours[0]))
            continue
        theirs = outcome_of(data)
        if theirs == ours or (ours == newer and theirs == [b"fault 1002"]):
            same += 1
        elif is_known(ours, theirs):
            known += 1
        else:
            faults.append(f"{data[:60]!r}: {ours} here, {theirs} there")
    print(f"{same} the same, {known} with a fault found earlier, {len(faults)} others")
    print("\n".join(faults[:40]))
    return 1 if compare_upgrades(upgrades) or faults or same < 1000 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
