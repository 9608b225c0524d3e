"""http_server against each rule of HTTP in the table of docs/http_server.md.

    python3 test_http_server_rules.py FOLDER-OF-BUILT-EXAMPLES [test_NAME...]
"""

import socket
import threading

import support
from support import check, check_that, connect, receive_all
from test_http_server import LARGE, LAST, Server, exchange, get, parse_answers, post

FIRST = get("/a%20b.txt")
SMUGGLED = get("/server/smuggled")
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"


def plain(*lines):
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def host(value):
    return plain("GET / HTTP/1.1", "Host:" + value)


def refuse(status, *requests):
    """Each ends the connection with this status, and nothing behind it is read: two programs may
    disagree about where it begins."""
    def scene():
        with Server() as server:
            for request in requests:
                answers = exchange(server, FIRST + request + SMUGGLED)
                check(f"{request}: {answers}", [a.status for a in answers], [200, status])
                check(f"{request}: the connection", answers[-1].header["connection"], "close")
            seen = [row[2] for row in server.state()["log"]]
            check_that(f"nothing behind it ran: {seen}", "/server/smuggled" not in seen)
    return scene


def answer(*cases):
    """[(requests, statuses)]: the connection goes on to the last of them."""
    def scene():
        with Server() as server:
            for requests, statuses in cases:
                answers = exchange(server, requests + LAST)
                check(f"{requests}: {answers}", [a.status for a in answers], [*statuses, 200])
                check("the last one", answers[-1].body, b"1\n2\n3\n")
    return scene


def both(*scenes):
    def scene():
        for one in scenes:
            one()
    return scene


def bodies(*cases):
    """[(request, what comes back of its body)]"""
    def scene():
        with Server() as server:
            for request, body in cases:
                answers = exchange(server, request + LAST)
                check(f"{request}", [(a.status, a.body) for a in answers],
                      [(200, body), (200, b"1\n2\n3\n")])
    return scene


def incomplete():
    """A body that the end of the stream cuts off is not acted upon."""
    with Server() as server:
        for sent in [b"", b"text=hell"]:
            with connect(server.address()) as peer:
                peer.sendall(plain("POST /server/say HTTP/1.1", "Host: x", "Content-Length: 10") +
                             sent)
                peer.shutdown(socket.SHUT_WR)
                check(f"answers to {sent}", parse_answers(receive_all(peer)), [])
        check("said", server.state()["said"], [])


def slow():
    with Server("--timeout", "1") as server:
        head = post("Content-Length: 10")
        for name, data in [("half a line", b"GE"), ("half a head", head[:-2]),
                           ("half a body", head + b"hello"),
                           ("half a second one", FIRST + head[:-2])]:
            check(name, [a.status for a in exchange(server, data)][-1], 408)
        check("silence", exchange(server, b""), [])
        check("silence behind a request", [a.status for a in exchange(server, get("/"))], [200])
        for start, piece in [(b"GET /", b"x"), (get("/")[:-2], b"X: y\r\n"),
                             (post("Content-Length: 1000"), b"x")]:
            check(f"a piece now and then: {piece}", trickle(server, start, piece), [408])


def trickle(server, start, piece):
    stop = threading.Event()

    def go_on(peer):
        try:
            while not stop.wait(0.05):
                peer.sendall(piece)
        except OSError:
            pass

    with connect(server.address()) as peer:
        peer.sendall(start)
        writer = threading.Thread(target=go_on, args=(peer,))
        writer.start()
        try:
            return [a.status for a in parse_answers(receive_all(peer))]
        finally:
            stop.set()
            writer.join()


def expectations():
    """100 comes before the body is sent, and a refusal instead of it."""
    asks = ["Content-Length: 5", "Expect: 100-Continue"]
    with Server() as server:
        with connect(server.address()) as peer:
            peer.sendall(post(*asks, "Connection: close"))
            interim = b"HTTP/1.1 100 Continue\r\n\r\n"
            check("100", support.receive_exactly(peer, len(interim)), interim)
            peer.sendall(b"hello")
            check("the body", parse_answers(receive_all(peer))[0].body, b"hello")
        with connect(server.address()) as peer:  # the client sends no body: it must not wait
            peer.sendall(post("Content-Length: 1048577", "Expect: 100-continue"))
            check("too long", [a.status for a in parse_answers(receive_all(peer))], [413])
        for request, statuses in [
                (post("Content-Length: 0", "Expect: 100-continue"), [200]),
                (plain("POST /server/echo HTTP/1.0", *asks, "Connection: keep-alive") + b"hello",
                 [200]),
                (post(*asks) + b"hello", [100, 200])]:
            answers = exchange(server, request + LAST)
            check(f"{request}", [a.status for a in answers], [*statuses, 200])
    refuse(417, post("Content-Length: 5", "Expect: pizza"),
           post("Content-Length: 5", "Expect: 100-continue, pizza"),
           post("Content-Length: 5", "Expect: 100-continue", "Expect: pizza"))()


def bodies_of_answers():
    with Server() as server:
        for path, status, field in [("/large", 200, ("content-length", str(len(LARGE)))),
                                    ("/nothing", 404, None),
                                    ("/server/count/5", 200, ("transfer-encoding", "chunked"))]:
            head = get(path).replace(b"GET", b"HEAD", 1)
            answers = exchange(server, head + LAST, heads=(0,))
            check(path, [a.status for a in answers], [status, 200])
            check_that(f"{path}: {answers[0]}", not field or field in answers[0].header.items())


def chunks_in_answers():
    with Server() as server:
        new = exchange(server, LAST)[0]
        check("HTTP/1.1", (new.header.get("transfer-encoding"), new.body), ("chunked", b"1\n2\n3\n"))
        old = exchange(server, plain("GET /server/count/3 HTTP/1.0", "Connection: keep-alive"))[0]
        check("HTTP/1.0", (old.header.get("transfer-encoding"), old.header["connection"], old.body),
              (None, "close", b"1\n2\n3\n"))


def pipelining():
    with Server() as server:
        numbers = range(1, 201)
        answers = exchange(server, b"".join(
            get(f"/server/count/{i}") + get("/a%20b.txt") for i in numbers) + LAST)
        check("in order", [a.body for a in answers[:-1:2]],
              [b"".join(b"%d\n" % j for j in range(1, i + 1)) for i in numbers])
        check("files between them", {a.body for a in answers[1::2]}, {b"blank"})


def ends():
    """Behind the answer to the last request nothing is read, and the server ends the connection."""
    old = "GET /a%20b.txt HTTP/1.0"
    with Server() as server:
        for request in [get("/", "Connection: close"), get("/", "Connection: x ,CLOSE"),
                        get("/", "Connection: keep-alive, close"), plain("GET / HTTP/1.0"),
                        get("/", "Connection: keep-alive", "Connection: close")]:
            answers = exchange(server, request + SMUGGLED)
            check(f"{request}", [(a.status, a.header["connection"]) for a in answers],
                  [(200, "close")])
        for request in [FIRST, get("/a%20b.txt", "Connection: x"),
                        plain(old, "Connection: Keep-Alive")]:
            answers = exchange(server, request + LAST)
            check(f"{request}", [a.header["connection"] for a in answers], ["keep-alive", "close"])


def upgrades():
    asked = ["Connection: Upgrade", "Upgrade: echo"]
    with Server("--timeout", "1") as server, connect(server.address()) as peer:
        peer.sendall(get("/server/echo", *asked) + b"at once ")
        pieces = [b"%d " % i for i in range(10)]
        for piece in pieces:  # for longer than a request may take
            threading.Event().wait(0.2)
            peer.sendall(piece)
        peer.shutdown(socket.SHUT_WR)
        answers = parse_answers(receive_all(peer))
        check("101", (answers[0].status, answers[0].header["upgrade"],
                      answers[0].header["connection"]), (101, "echo", "Upgrade"))
        check("all comes back", answers[0].body, b"at once " + b"".join(pieces))
    old = plain("GET /server/echo HTTP/1.0", "Connection: Upgrade, keep-alive", "Upgrade: echo")
    answer((get("/server/echo"), [426]), (get("/server/echo", "Upgrade: echo"), [426]),
           (get("/server/echo", "Connection: upgrade", "Upgrade: x"), [426]),
           (get("/", *asked), [200]), (old, [426]))()


RULES = {
    "empty lines in front": both(
        answer((b"\r\n" + FIRST, [200]), (FIRST + b"\r\n" + FIRST, [200, 200])),
        refuse(400, b"\r\n\r\n", b"\r\n\r\n" + FIRST)),
    "line ends": refuse(
        400, b"GET / HTTP/1.1\nHost: x\n\n", b"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\n", b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\n\rHost: x\n\r\n\r", plain("GET /\rHTTP/1.1 HTTP/1.1", "Host: x"),
        get("/", "X: a\rContent-Length: 5")),
    "request line": refuse(
        400, *[plain(line, "Host: x") for line in
               ["GET  / HTTP/1.1", "GET / x HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1",
                "GET\t/\tHTTP/1.1", "GET /", "G@T / HTTP/1.1", "GET / http/1.1", "GET / HTTP/1.10",
                "GET / HTTP/1", "GET / HTTP/1.x", "GET /\u00e9 HTTP/1.1"]],
        bytes.fromhex("16030100f8010000f40303") + b"\n\x00\x01" * 20),
    "versions": both(refuse(505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                            plain("GET / HTTP/0.9", "Host: x")),
                     answer((plain("GET /a%20b.txt HTTP/1.9", "Host: x"), [200]))),
    "forms of the target": both(
        answer((get("http://y:80/a%20b.txt"), [200]), (get("HTTP://y/a%20b.txt?q"), [200])),
        refuse(400, *[plain(line + " HTTP/1.1", "Host: x") for line in
                      ["GET index.html", "GET /#x", "GET http:///etc", "GET http://:80/",
                       "GET http://u@y/", "GET https://y/", "GET *", "OPTIONS *", "CONNECT x:80"]])),
    "Host": both(
        answer(*[(host(name), [200]) for name in
                 ["x", " x:80", "x:", "", "[::1]", "[::1]:8080", "127.0.0.1:1", "a.b-c_d~%41"]],
               (plain("GET / HTTP/1.0", "Connection: keep-alive"), [200])),
        refuse(400, plain("GET / HTTP/1.1"), plain("GET / HTTP/1.1", "Host: x", "Host: x"),
               *[host(name) for name in
                 ["x/y", "x:y", "x:80:80", "::1", "[::1", "[]", "[::1]x", "[::1]80", "a b", "u@x",
                  "x]", "a[::1]", "x, y"]])),
    "header": both(
        refuse(400, *[get("/", field) for field in
                      ["Content-Length : 5", "Content-Length\t: 5", "X", ": y", "X: a\r\n b",
                       "X: a\r\n\tb", "X: a\0b", "X\0: a", "X(: a", "X: a\x7fb"]],
               plain("GET / HTTP/1.1", " Host: x")),
        refuse(431, get("/", *["X: y"] * 100), get("/", "X: " + "x" * 17000)),
        answer((get("/", *["X: y"] * 99), [200]), (get("/", "X:", "Y:\ta\tb \u00e9"), [200]))),
    "two lengths of a body": refuse(
        400, post("Content-Length: 5", "Transfer-Encoding: chunked") + CHUNKS,
        post("Transfer-Encoding: chunked", "Content-Length: 5") + CHUNKS,
        post("Transfer-Encoding: x", "Content-Length: 0") + CHUNKS),
    "codings of HTTP/1.0": refuse(400, plain("POST /server/echo HTTP/1.0",
                                             "Transfer-Encoding: chunked") + CHUNKS),
    "chunked": refuse(411, *[post(*fields) + CHUNKS for fields in
                             [["Transfer-Encoding: chunked"], ["transfer-encoding:\tCHUNKED"],
                              ["Transfer-Encoding: , chunked,"]]],
                      get("/", "Transfer-Encoding: chunked") + CHUNKS),
    "other codings": both(
        refuse(400, *[post(*fields) + CHUNKS for fields in
                      [["Transfer-Encoding: gzip"], ["Transfer-Encoding: chunked, gzip"],
                       ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
                       ["Transfer-Encoding: chunked, chunked"], ["Transfer-Encoding: xchunked"],
                       ["Transfer-Encoding: chunked;q=1"], ["Transfer-Encoding:"]]]),
        refuse(501, *[post(*fields) + CHUNKS for fields in
                      [["Transfer-Encoding: gzip, chunked"],
                       ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"]]])),
    "malformed lengths": refuse(
        400, *[post("Content-Length:" + length) + b"hello" for length in
               ["", " +5", " -5", " 0x5", " 1 5", " 5,5", " 5, 5", " 5.0", " 1e1",
                " 5\r\nContent-Length: 5", " 5\r\ncontent-length: 6"]]),
    "lengths": both(
        bodies((post("Content-Length: \t 0005 \t") + b"hello", b"hello"),
               (post("Content-Length: 4") + b"\r\n\r\n", b"\r\n\r\n"),
               (post("Content-Length: %d" % len(SMUGGLED)) + SMUGGLED, SMUGGLED),
               (post("Content-Length: 0"), b"")),
        answer((get("/nothing", "Content-Length: %d" % len(SMUGGLED)) + SMUGGLED, [404])),
        refuse(413, post("Content-Length: 1048577"),
               post("Content-Length: 18446744073709551621"))),
    "no length": both(answer((FIRST, [200]), (get("/").replace(b"GET", b"DELETE"), [405])),
                      refuse(411, post())),
    "incomplete bodies": incomplete,
    "time of a request": slow,
    "expectations": expectations,
    "bodies of answers": bodies_of_answers,
    "chunks in answers": chunks_in_answers,
    "pipelining": pipelining,
    "ends of connections": ends,
    "upgrades": upgrades,
}


def test_rules():
    check("the rules of the page", list(RULES), support.rules_of("http_server.md"))
    for name, scene in RULES.items():
        try:
            scene()
        except AssertionError as wrong:
            raise AssertionError(f"{name}: {wrong}") from wrong


if __name__ == "__main__":
    support.main(globals())
