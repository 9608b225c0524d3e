"""http_fetch against each rule of HTTP in the table of docs/http_fetch.md.

    python3 test_http_fetch_rules.py FOLDER-OF-BUILT-EXAMPLES [test_NAME...]
"""

import pathlib
import socket
import tempfile
import threading

import support
from support import check, check_that, wait_until
from test_http_fetch import Server, counted, fetch, reset, url

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EMPTY_CHUNKS = b"0\r\n\r\n"
IN_TIME = "was not there in time"


def come(*answers):
    """Each is good, a page of so many bytes: [(answer, bytes)]. It has to be enough that the
    answer is there: the connection stays until the client ends it."""
    def scene():
        for answer, length in answers:
            with Server({"/": lambda peer, answer=answer: stay(peer, answer)}) as server:
                status, rows, _ = fetch(url(server.address()))
                check(f"{support.shown(answer)}: {rows}", (status, rows[0][1], rows[0][3]),
                      (0, length, None))
    return scene


def stay(peer, answer):
    peer.sendall(answer)
    peer.recv(1)


def fail(*answers):
    """Each is an error, one and the same page: [(answer, words of the error)]."""
    def scene():
        for answer, words in answers:
            with Server({"/": lambda peer, answer=answer: stay(peer, answer)}) as server:
                status, rows, _ = fetch("--timeout", "30", url(server.address()))
                check(f"{support.shown(answer)}: {rows}", (status, len(rows)), (1, 1))
                check_that(f"{support.shown(answer)}: {rows}", words in rows[0][3])
    return scene


def end(*answers, timeout="1"):
    """Each goes on for ever: [(start, piece, seconds between the pieces, words of the error)]. The
    client has to end it."""
    def go_on(peer, over, start, piece, pause):
        peer.sendall(start)
        while not over.wait(pause):
            peer.sendall(piece)

    def scene():
        for start, piece, pause, words in answers:
            over = threading.Event()
            with Server({"/": lambda peer: go_on(peer, over, start, piece, pause)}) as server:
                try:
                    status, rows, _ = fetch("--timeout", timeout, url(server.address()))
                finally:
                    over.set()
                check_that(f"{start + piece}: {rows}", status == 1 and words in rows[0][3])
    return scene


def both(*scenes):
    def scene():
        for one in scenes:
            one()
    return scene


def ask_again(*first, pages=("/1", "/2")):
    """After each of these answers the second page is asked for on another connection."""
    def answer_once(peer, answer, asked):
        peer.sendall(answer)
        if peer.recv(1):
            asked.append("more on the first connection")

    def scene():
        for answer in first:
            answers = {path: counted(b"right" + path.encode()) for path in pages}
            with Server(answers) as server:
                answers["/first"] = lambda peer: answer_once(peer, answer, server.asked)
                paths = ["/first", *pages]
                status, rows, _ = fetch("--connections", "1",
                                        *[url(server.address(), path) for path in paths])
                check(f"{support.shown(answer)}: {rows}",
                      (status, [row[1] for row in rows if row[2][-2] == "/"]),
                      (0, [len("right" + path) for path in pages]))
                check("asked", server.asked, paths)
                check("connections", len(server.threads) - 1, 2)
    return scene


def unasked_in_the_system():
    """As ask_again(), but the page ends just where one receive of the client does."""
    for size in [65536, 65536 * 2]:
        head = len(counted(b"x" * size)) - size
        ask_again(counted(b"x" * (size - head)) + counted(b"not asked for"))()


def close_after_answer(*fields, start=OK):
    """The server ends nothing: the client has to."""
    return ask_again(start + b"".join(field + b"\r\n" for field in fields) +
                     b"Content-Length: 1\r\n\r\nx")


def stream_that_is_reset():
    with tempfile.TemporaryDirectory() as folder:
        def answer(peer):
            peer.sendall(OK + b"\r\nabc")
            wait_until("the body has begun", lambda: list(pathlib.Path(folder).rglob("*.part")))
            reset(peer)

        with Server({"/": answer}) as server:
            status, rows, _ = fetch("--output", folder, url(server.address()))
            check("verdict", (status, rows[0][3]), (1, "reset"))
            check("files", [at for at in pathlib.Path(folder).rglob("*") if at.is_file()], [])


def close(peer, answer=b""):
    peer.sendall(answer)
    peer.shutdown(socket.SHUT_WR)


def stream(answer, length, error):
    """What becomes of an answer behind which the server ends its stream."""
    def scene():
        with Server({"/": lambda peer: close(peer, answer)}) as server:
            status, rows, _ = fetch(url(server.address()))
            check(f"{answer}", (status, rows[0][1], rows[0][3]), (1 if error else 0, length, error))
    return scene


def lost_between_pages():
    """Closed when the second page is asked for: that is asked for again, once."""
    asked = []

    def second(peer):
        asked.append(peer)
        return None if len(asked) < wanted else counted(b"second")

    for wanted, status in [(2, 0), (3, 1)]:
        asked.clear()
        with Server({"/1": counted(b"first"), "/2": second}) as server:
            got, rows, _ = fetch("--connections", "1", url(server.address(), "/1"),
                                 url(server.address(), "/2"))
            check(f"{rows}", (got, server.asked), (status, ["/1", "/2", "/2"]))


ONE_PAGE = counted(b"abc")
RULES = {
    "status line": fail(
        *[(line + b"\r\nContent-Length: 0\r\n\r\n", "no answer of HTTP/1.1") for line in
          [b"HTTP/2.0 200 OK", b"HTTP/1.x 200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK",
           b"HTTP/1.1  200 OK", b"HTTP/1.1 200\tOK", b"http/1.1 200 OK", b"HTTP/1.1 +20 OK",
           b"HTTP/1.1 099 OK", b"HTTP/1.1 000 OK", b"HTTP/1.1 200 O\rK", b"HTTP/1.1 200 O\0K",
           b"HTTP/1.1 200 OK\nX: y", b"\r\nHTTP/1.1 200 OK"]]),
    "header": fail(
        *[(OK + field + b"\r\nContent-Length: 0\r\n\r\n", "malformed answer: line 2") for field in
          [b"X : y", b" X: y", b"X", b"X: a\rb", b"X: a\nb", b"X: a\0b", b"\tfolded"]],
        (OK + b"X: y\r\n" * 101 + b"\r\n", "malformed answer: more than 100 fields"),
        (OK + b"X: " + b"x" * 70000, "frame limit")),
    "time of a head": end(
        (b"", b"x", 0.05, IN_TIME), (OK, b"X: y\r\n", 0.2, IN_TIME), (b"", b"", 0.2, IN_TIME)),
    "interim answers": both(
        come((CONTINUE + ONE_PAGE, 3), (CONTINUE * 8 + ONE_PAGE, 3),
             (b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" + ONE_PAGE, 3)),
        fail((CONTINUE * 9, "more than 8 answers of 1xx")),
        end((b"", CONTINUE, 0.3, "the head " + IN_TIME),
            (b"", CONTINUE, 0, "more than 8 answers of 1xx"),
            (CONTINUE * 8, b"x", 0.05, "the head " + IN_TIME))),
    "other protocols": fail((b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
                             "101, but no other protocol was asked for")),
    "no body": both(
        come((b"HTTP/1.1 204 No Content\r\n\r\n", 0),
             (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 0)),
        ask_again(b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
                  b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
                  b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
                  b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n")),
    "two lengths of a body": fail(
        (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + EMPTY_CHUNKS,
         "Transfer-Encoding with Content-Length"),
        (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + EMPTY_CHUNKS,
         "Transfer-Encoding with Content-Length")),
    "codings of HTTP/1.0": fail((CHUNKED.replace(b"1.1", b"1.0") + EMPTY_CHUNKS, "in HTTP/1.0")),
    "codings": both(
        come(*[(OK + fields + b"\r\n\r\n1\r\nx\r\n" + EMPTY_CHUNKS, 1) for fields in
               [b"Transfer-Encoding: chunked", b"transfer-encoding:\tCHUNKED ",
                b"Transfer-Encoding: , chunked,"]]),
        fail(*[(OK + fields + b"\r\n\r\n" + EMPTY_CHUNKS, "an unknown Transfer-Encoding")
               for fields in
               [b"Transfer-Encoding: chunked, gzip", b"Transfer-Encoding: gzip, chunked",
                b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
                b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
                b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: gzip",
                b"Transfer-Encoding: identity", b"Transfer-Encoding: xchunked",
                b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding:",
                b"Transfer-Encoding: \"chunked\""]])),
    "malformed lengths": fail(
        *[(OK + b"Content-Length:" + length + b"\r\n\r\nabcde", "malformed Content-Length")
          for length in [b"", b" +5", b" -5", b" 0x5", b" 5 5", b" 5,5", b" 5, 5", b" 1e1", b" 5.0",
                         b"5\r\nContent-Length: 5", b"5\r\ncontent-length: 6",
                         b"99999999999999999999999"]]),
    "lengths": both(
        come((counted(b"\r\n" * 1000), 2000), (OK + b"Content-Length:005\r\n\r\nabcde", 5)),
        stream(counted(b"abc")[:-1], 2, "peer finished")),
    "end of the stream": both(
        stream(OK + b"\r\n12345\r\n0\r\n\r\n", 12, None),
        stream(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nx", 1, None),
        stream_that_is_reset),
    "sizes of chunks": both(
        come((CHUNKED + b"00A \r\n0123456789\r\n" + EMPTY_CHUNKS, 10)),
        fail(*[(CHUNKED + size + b"\r\n", "size of a chunk") for size in
               [b"", b" 1", b"+1", b"-1", b"0x1", b"g", b"1 1", b"1,", b"10000000001",
                b"ffffffffffffffff", b"1" * 30]],
             (CHUNKED + b"1\r\nx\r\n10000000000\r\n", "size of a chunk: too large"))),
    "extensions of chunks": both(
        come((CHUNKED + b'1;a;b=c ;d="e; f"\r\nx\r\n0 ; g\r\n\r\n', 1),
             (CHUNKED + b"1;" + b"x" * 4094 + b"\r\nx\r\n" + EMPTY_CHUNKS, 1)),
        fail((CHUNKED + b"1;a\nb\r\n", "size of a chunk: a control character behind it"),
             (CHUNKED + b"1;a\rb\r\n", "size of a chunk: a control character behind it"),
             (CHUNKED + b";a\r\n", "size of a chunk"),
             (CHUNKED + b"1;" + b"x" * 4095, "frame limit")),
        end((CHUNKED + b"5;ext=", b"x", 0.05, "the size of a chunk " + IN_TIME),
            (CHUNKED + b"5\r\nabcde\r\n0", b"0", 0.05, "the size of a chunk " + IN_TIME),
            (CHUNKED + b"5;ext=", b"x" * 100, 0, "frame limit"))),
    "ends of chunks": both(
        fail((CHUNKED + b"1\r\nxy\r\n", "a chunk is longer than its length"),
             (CHUNKED + b"1\r\nx\n0\r\n", "a chunk is longer than its length"),
             (CHUNKED + b"1\r\nx0\r\n", "a chunk is longer than its length")),
        stream(CHUNKED + b"1\r\nx\r\n", 1, "peer finished"),
        stream(CHUNKED + b"1\r\nx\r\n0\r\n", 1, "peer finished"),
        stream(CHUNKED + b"1\r\nx\r\n0\r\nX: y\r\n", 1, "peer finished")),
    "trailers": both(
        come((CHUNKED + b"0\r\nContent-Length: 5\r\nX: y\r\n\r\n", 0),
             (CHUNKED + b"0\r\n" + b"X: y\r\n" * 100 + b"\r\n", 0)),
        fail((CHUNKED + b"0\r\nX\r\n\r\n", "malformed trailer: line 2: no colon"),
             (CHUNKED + b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n", "malformed trailer: more than"),
             (CHUNKED + b"0\r\nX: " + b"x" * 70000, "frame limit")),
        end((CHUNKED + b"0\r\n", b"X: y\r\n", 0.05, "the trailer " + IN_TIME),
            (CHUNKED + b"0\r\n", b"x", 0.05, "the trailer " + IN_TIME),
            (CHUNKED + b"0\r\n", b"X: " + b"y" * 1000 + b"\r\n", 0,
             "the trailer is longer than 65536 bytes"))),
    "bytes behind an answer": both(
        ask_again(ONE_PAGE + counted(b"not asked for"), ONE_PAGE + b"x", ONE_PAGE + b"\r\n",
                  CHUNKED + EMPTY_CHUNKS + counted(b"not asked for"),
                  b"HTTP/1.1 204 No Content\r\n\r\n" + counted(b"not asked for")),
        unasked_in_the_system),
    "ends of connections": both(
        close_after_answer(b"Connection: close"), close_after_answer(b"Connection: x, CLOSE"),
        close_after_answer(b"Connection: keep-alive", b"Connection: close"),
        close_after_answer(start=b"HTTP/1.0 200 OK\r\n")),
    "lost connections": lost_between_pages,
}


def test_rules():
    check("the rules of the page", list(RULES), support.rules_of("http_fetch.md"))
    for name, scene in RULES.items():
        try:
            scene()
        except AssertionError as wrong:
            raise AssertionError(f"{name}: {wrong}") from wrong


def test_connections_are_used_again():
    """What the rules do not forbid: else the tests above would show nothing."""
    answers = {"/1": ONE_PAGE, "/2": CHUNKED + b"1\r\nx\r\n0\r\nX: y\r\n\r\n",
               "/3": CONTINUE + ONE_PAGE, "/4": counted(b""),
               "/5": b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
               "/6": b"HTTP/1.1 204 No Content\r\n\r\n"}
    with Server(answers) as server:
        status, rows, _ = fetch("--connections", "1",
                                *[url(server.address(), path) for path in answers])
        check(f"{rows}", (status, len(rows), len(server.threads) - 1), (0, len(answers), 1))


if __name__ == "__main__":
    support.main(globals())
