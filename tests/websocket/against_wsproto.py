# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""The frames of python3-wsproto make the same of the cases: against_wsproto.py PRINT_CASES

Exits with 77 where wsproto is not installed.
"""

import subprocess
import sys

try:
    from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed
except ImportError:
    print("python3-wsproto is not installed")
    sys.exit(77)

# The machine's limit; wsproto itself has none.
MAX_MESSAGE = 65536
KINDS = {Opcode.TEXT: "text", Opcode.BINARY: "binary", Opcode.PING: "ping", Opcode.PONG: "pong"}
RANDOM = 3000


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


def main(print_cases):
    printed = subprocess.run([print_cases, str(RANDOM)], check=True, stdout=subprocess.PIPE,
                             text=True).stdout
    same = known = 0
    newer = [b"close 1014 "]  # registered after that release of wsproto
    faults = []
    for line in printed.splitlines():
        data, *ours = map(bytes.fromhex, line.split(" "))
        theirs = outcome_of(data)
        if theirs == ours or (ours == newer and theirs == [b"fault 1002"]):
            same += 1
        elif is_known(ours, theirs):
            known += 1
        else:
            faults.append(f"{data[:60]!r}: {ours} here, {theirs} there")
    print(f"{same} the same, {known} with a fault found earlier, {len(faults)} others")
    print("\n".join(faults[:40]))
    return 1 if faults or same < 1000 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
