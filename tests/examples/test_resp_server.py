"""resp_server and the clients of Redis, and plain sockets for what these never send."""

import os
import re
import socket
import sys
import tempfile

import support
from support import (Program, check, check_that, connect, example, need, receive_all,
                     receive_exactly, run, wait_until)

SERVER = example("resp_server")
HERE = os.path.dirname(os.path.abspath(__file__))
LOOPS = (1, 3)
HELLO_3 = (b"%3\r\n$6\r\nserver\r\n$8\r\nasynchat\r\n$5\r\nproto\r\n:3\r\n$4\r\nmode\r\n"
           b"$10\r\nstandalone\r\n")


def request(*words):
    """As clients send it."""
    bulks = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(bulks) + b"".join(b"$%d\r\n%s\r\n" % (len(b), b) for b in bulks)


def ask(peer, sent, wanted):
    peer.sendall(sent)
    check(f"the reply to {support.shown(sent)}", receive_exactly(peer, len(wanted)), wanted)


def served(*options):
    return Program([SERVER, *options])


def test_redis_cli():
    cli = need("redis-cli")
    for loops in LOOPS:
        with served("--loops", loops) as server:
            port = server.address()[1]

            def said(*words):
                return run([cli, "-p", port, *words]).stdout.decode().rstrip("\n")

            check("SET", said("set", "greeting", "hello world"), "OK")
            check("GET", said("get", "greeting"), "hello world")
            check("HELLO 3", said("-3", "get", "nothing"), "")
            check("an error", said("incr", "greeting"),
                  "ERR value is not an integer or out of range")
            check("no command", said("flushall"), "ERR unknown command 'flushall'")
            check("PUBLISH", said("publish", "news", "x"), "0")
            check_that("INFO", f"loops:{loops}\r\n" in said("info"))
            many = "".join(f"lpush many {i}\n" for i in range(1000)).encode()
            done = run([cli, "-p", port, "--pipe"], many)
            check_that("a pipe", b"errors: 0, replies: 1000" in done.stdout)
            check("LRANGE", said("lrange", "many", "0", "2"), "999\n998\n997")
            server.stop()


def test_redis_py():
    pythons = [python for python in (sys.executable, "/usr/bin/python3")
               if run([python, "-c", "import redis"]).returncode == 0]
    if not pythons:
        support.skip("redis-py is not installed")
    for loops in LOOPS:
        with served("--loops", loops) as server:
            done = run([pythons[0], os.path.join(HERE, "redis_py_client.py"), server.address()[1]])
            check("redis-py", (done.returncode, done.stderr.decode()), (0, ""))
            server.stop()


def test_hiredis():
    compiler, config = need("cc"), need("pkg-config")
    flags = run([config, "--cflags", "--libs", "hiredis"])
    if flags.returncode != 0:
        support.skip("hiredis is not installed")
    with tempfile.TemporaryDirectory() as folder:
        client = os.path.join(folder, "client")
        source = os.path.join(HERE, "hiredis_client.c")
        done = run([compiler, "-o", client, source, *flags.stdout.decode().split()])
        check("cc", (done.returncode, done.stderr), (0, b""))
        for loops in LOOPS:
            with served("--loops", loops) as server:
                done = run([client, server.address()[1]])
                check("hiredis", (done.returncode, done.stdout), (0, b""))
                server.stop()


def test_redis_benchmark():
    benchmark = need("redis-benchmark")
    tests = "ping,set,get,incr,lpush,lrange_100"
    for loops in LOOPS:
        with served("--loops", loops) as server:
            done = run([benchmark, "-p", server.address()[1], "-t", tests, "-n", "3000", "-P", "16",
                        "-d", "700", "-r", "100", "-q"])
            check("its status", done.returncode, 0)
            rates = re.findall(rb"([A-Z_0-9]+)[^\n\r]*: [\d.]+ requests per second", done.stdout)
            check("what it did", sorted(set(rates)),
                  [b"GET", b"INCR", b"LPUSH", b"LRANGE_100", b"PING_INLINE", b"PING_MBULK", b"SET"])
            server.stop()


def test_requests_in_pieces():
    sent = (request("SET", "a\r\n", b"\0\r\n$") + request("GET", "a\r\n") + b"PING\r\n\r\nping\n"
            + request("lpush", "l", "", "x") + request("LRANGE", "l", 0, -1) + b"*0\r\n*-1\r\n"
            + request("MGET", "a\r\n", "none", "l") + b" echo \t hello \r\n" + request("DEL", "l"))
    wanted = (b"+OK\r\n$4\r\n\0\r\n$\r\n+PONG\r\n+PONG\r\n:2\r\n*2\r\n$1\r\nx\r\n$0\r\n\r\n"
              b"*3\r\n$4\r\n\0\r\n$\r\n$-1\r\n$-1\r\n$5\r\nhello\r\n:1\r\n")
    with served() as server:
        for size in (1, 2, 3, 5, 7, 64, 1000):
            with connect(server.address()) as peer:
                for at in range(0, len(sent), size):
                    peer.sendall(sent[at:at + size])
                check(f"replies to pieces of {size}", receive_exactly(peer, len(wanted)), wanted)
        server.stop()


def test_malformed_requests():
    with served() as server:
        for sent, why in (
                (b"*x\r\n", b"invalid multibulk length"),
                (b"*4097\r\n", b"invalid multibulk length"),
                (b"*-2\r\n", b"invalid multibulk length"),
                (b"*1\r\nPING\r\n", b"expected '$'"),
                (b"*1\r\n$-1\r\n", b"invalid bulk length"),
                (b"*1\r\n$1048577\r\n", b"invalid bulk length"),
                (b"*2\r\n$3\r\nGET\r\n$1048574\r\n", b"invalid bulk length"),
                (b"*1\r\n$4\r\nPING\n\n", b"no line end behind a word"),
                (b"x" * 1048579, b"too big inline request"),
                (b"x " * 4097 + b"\n", b"too many words in a line")):
            with connect(server.address()) as peer:
                peer.sendall(request("PING") + sent + request("SET", "not", "any more"))
                peer.shutdown(socket.SHUT_WR)
                check(f"replies to {support.shown(sent)}", receive_all(peer),
                      b"+PONG\r\n-ERR Protocol error: " + why + b"\r\n")
        with connect(server.address()) as peer:
            ask(peer, request("GET", "not"), b"$-1\r\n")
        server.stop()


def test_web_pages():
    """They may send any text to any port of their machine, behind the header of a request."""
    body = b"Accept: */*\r\n\r\nSET from page\r\n" + request("SET", "from", "page")
    with served() as server:
        for sent, unknown in ((b"POST / HTTP/1.1\r\nHost: a\r\n", b""), (b" \tpost /\r\n", b""),
                              (b"GET /x HTTP/1.1\r\nHost: a\r\n", b"GET"),
                              (b"PUT /x HTTP/1.1\r\nhost: a\r\n", b"PUT")):
            with connect(server.address()) as peer:
                peer.sendall(sent + body)
                replies = receive_all(peer)
                check_that(replies, replies.endswith(b"-ERR Protocol error: this is not HTTP\r\n"))
                check(f"lines for {sent}", replies.count(b"\n"), 2 if unknown else 1)
        with connect(server.address()) as peer:
            ask(peer, b"ECHO POST\r\nECHO host:\r\nGET from\r\n",
                b"$4\r\nPOST\r\n$5\r\nhost:\r\n$-1\r\n")
        server.stop()


def test_wrong_commands_do_not_end_the_connection():
    with served() as server, connect(server.address()) as peer:
        ask(peer, request("SET", "large", b"x" * 1000000), b"+OK\r\n")
        for sent, wanted in (
                (("GET",), b"ERR wrong number of arguments for 'GET' command"),
                (("NO\r\nSUCH",), b"ERR unknown command 'NO\\r\\nSUCH'"),
                (("HELLO", "4"), b"NOPROTO this server speaks 2 and 3"),
                (("LRANGE", "x", "a", "1"), b"ERR value is not an integer or out of range"),
                (("SUBSCRIBE", "x" * 1025), b"ERR the name of the channel is too long"),
                (["MGET"] + ["large"] * 9, b"ERR the answer is too large, ask for less"),
                (("EXPIRE", "x", "1.5"), b"ERR value is not an integer or out of range"),
                (("EXPIRE", "large", 2**63 - 1), b"ERR invalid expire time in 'expire' command"),
                (("EXPIRE", "large", -2**63), b"ERR invalid expire time in 'expire' command"),
                (("HELLO", 3, "SETNAME", "x"), b"ERR wrong number of arguments for 'HELLO' command")):
            ask(peer, request(*sent), b"-" + wanted + b"\r\n")
        ask(peer, request("EXPIRE", "large", 2**53), b":1\r\n")
        for text in ("", "-", "007", "-0", "-01", "+1", " 1", "1 ", "1.0", "0x1", 2**63, "9" * 600):
            stored = str(text).encode()
            ask(peer, request("SET", "n", text) + request("INCR", "n") + request("INCRBY", "i", text)
                + request("GET", "n"), b"+OK\r\n-ERR value is not an integer or out of range\r\n"
                b"-ERR value is not an integer or out of range\r\n"
                b"$%d\r\n%s\r\n" % (len(stored), stored))
        ask(peer, b"x " * 4096 + b"\n", b"-ERR unknown command 'x'\r\n")
        ask(peer, request("SET", "n", 2**63 - 1), b"+OK\r\n")
        ask(peer, request("INCR", "n"), b"-ERR increment or decrement would overflow\r\n")
        ask(peer, request("SET", "n", -1) + request("INCR", "n"), b"+OK\r\n:0\r\n")
        ask(peer, request("LPUSH", "n", "x"), b"-WRONGTYPE Operation against a key holding the "
            b"wrong kind of value\r\n")
        server.stop()


def test_keys_expire():
    with served() as server, connect(server.address()) as peer:
        ask(peer, request("SET", "a", "x") + request("EXPIRE", "a", 1), b"+OK\r\n:1\r\n")
        ask(peer, request("SET", "kept", "x") + request("EXPIRE", "kept", 1), b"+OK\r\n:1\r\n")
        ask(peer, request("SET", "kept", "y"), b"+OK\r\n")  # which ends its time

        replies = peer.makefile("rb")

        def is_gone():
            peer.sendall(request("GET", "a"))
            return replies.readline() == b"$-1\r\n" or replies.readline() != b"x\r\n"

        wait_until("the key is gone", is_gone)
        ask(peer, request("GET", "kept"), b"$1\r\ny\r\n")
        server.stop()


def test_messages_reach_all_loops():
    for loops in LOOPS:
        with served("--loops", loops) as server, connect(server.address()) as publisher:
            subscribers = [connect(server.address()) for _ in range(20)]
            for number, peer in enumerate(subscribers):
                speaks3 = number % 2
                if speaks3:
                    ask(peer, request("HELLO", 3), HELLO_3)
                mark = b">" if speaks3 else b"*"
                ask(peer, request("SUBSCRIBE", "news"), mark + b"3\r\n$9\r\nsubscribe\r\n$4\r\nnews"
                    b"\r\n:1\r\n")
            publisher.sendall(b"".join(request("PUBLISH", "news", i) for i in range(100, 200)))
            check("heard", receive_exactly(publisher, 500), b":20\r\n" * 100)
            for number, peer in enumerate(subscribers):
                mark = b">" if number % 2 else b"*"
                wanted = b"".join(mark + b"3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\n%d\r\n" % i
                                  for i in range(100, 200))
                check("messages in order", receive_exactly(peer, len(wanted)), wanted)
            ask(subscribers[0], request("GET", "x"),
                b"-ERR only SUBSCRIBE, UNSUBSCRIBE and PING here, or HELLO 3 first\r\n")
            ask(subscribers[0], request("PING"), b"*2\r\n$4\r\npong\r\n$0\r\n\r\n")
            ask(subscribers[1], request("GET", "x") + request("PING"), b"_\r\n+PONG\r\n")
            for peer in subscribers:
                peer.close()
            wait_until("nobody listens", lambda: not heard(publisher))
            server.stop()


def test_many_keys_due_at_once():
    """Their time is over for all of them, but no request waits until all are dropped."""
    count = 3000
    for loops in LOOPS:
        with served("--loops", loops) as server, connect(server.address()) as peer:
            for name, word, reply in ("SET", "x", b"+OK\r\n"), ("EXPIRE", 2, b":1\r\n"):
                ask(peer, b"".join(request(name, i, word) for i in range(count)), reply * count)

            def last_is_over():
                peer.sendall(request("GET", count - 1))
                return peer_line(peer) == b"$-1" or peer_line(peer) != b"x"

            wait_until("the time of the last one is over", last_is_over)
            check_that("few are dropped", int(info(peer, "expires")) > count // 2)
            for words, reply in ((["MGET", 2000, 2001], b"*2\r\n$-1\r\n$-1\r\n"),
                                 (["EXPIRE", 2002, 9], b":0\r\n"), (["DEL", 2003], b":0\r\n"),
                                 (["LRANGE", 2004, 0, -1], b"*0\r\n"),
                                 (["INCR", 2005], b":1\r\n"), (["LPUSH", 2006, "y"], b":1\r\n"),
                                 (["SET", 2007, "y"], b"+OK\r\n"), (["GET", 2007], b"$1\r\ny\r\n"),
                                 (["DEL", 2005, 2006, 2007], b":3\r\n")):
                ask(peer, request(*words), reply)
            ask(peer, b"".join(request("GET", i) for i in range(count)), b"$-1\r\n" * count)
            check("what is left", [info(peer, name) for name in ("keys", "expires", "used_memory")],
                  ["0", "0", "0"])
            peer.close()
            server.stop()


def peer_line(peer):
    """The next line, without its end."""
    line = b""
    while not line.endswith(b"\r\n"):
        line += receive_exactly(peer, 1)
    return line[:-2]


def info(peer, name):
    """One figure of INFO."""
    peer.sendall(request("INFO"))
    text = receive_exactly(peer, int(peer_line(peer)[1:]) + 2).decode()
    return re.search(rf"\b{name}[:=](\d+)", text)[1]


def heard(publisher):
    """How many have heard a message."""
    publisher.sendall(request("PUBLISH", "news", "x"))
    return int(publisher.makefile("rb").readline()[1:])


def test_the_command_line():
    for wrong, text in ((["--loops", "x"], b"--loops: not a digit at byte 0 of 'x'"),
                        (["--loops", 0], b"--loops: one is the least"),
                        (["--no"], b"there is no --no"),
                        (["127.0.0.1", "70000"], b"PORT: too large at byte 4 of '70000'")):
        done = run([SERVER, *wrong])
        check_that(f"the message about {wrong}", text in done.stderr)
        check("the status", done.returncode, 2)
    check("--help", (run([SERVER, "--help"]).returncode, run([SERVER, "--help"]).stderr), (0, b""))


if __name__ == "__main__":
    support.main(globals())
