"""http_fetch against nginx, http_server, wget, curl, and servers that misbehave.

    python3 test_http_fetch.py FOLDER-OF-BUILT-EXAMPLES [test_NAME...]
"""

import os
import pty
import re
import select
import socket
import subprocess
import tempfile
import threading
import time

import support
from support import DEADLINE, Program, check, check_that, example, need, run, wait_until

PAGES = 500


def write_site(folder):
    """Pages in folders that are linked in many ways; returns the paths that can be reached."""
    files = {}
    for i in range(PAGES):
        files[i] = f"part{i % 7}/page {i}.html" if i % 5 == 0 else f"page{i}.html"
    files[0] = "index.html"
    pages = {}
    for i, name in files.items():
        depth = name.count("/")
        up = "../" * depth
        targets = [2 * i + 1, 2 * i + 2, (i * 31) % PAGES]
        links = []
        for turn, target in enumerate(target for target in targets if target < PAGES):
            to = files[target].replace(" ", "%20")
            links.append([f'<a href="{up}{to}">', f"<A class=x HREF='/{to}#part'>",
                          f'<a\n href = "{up}./x/../{to}">'][turn])
        pages[name] = (f"<!DOCTYPE html><title>{i}</title>\n"
                       f"<!-- <a href='/commented{i}.html'> -->\n" +
                       "\n".join(links) + f'\n<img src="/pictures/{i % 20}.png">' +
                       '<link rel=stylesheet href=/style.css>' +
                       '<a href="https://example.invalid/">x</a>' +
                       '<a href="mailto:x@example.invalid">y</a>' +
                       "<script>if (1 < 2) href = '/scripted.html';</script>" +
                       "é" * (i * 13 % 3000)).encode()
    for i in range(20):
        pages[f"pictures/{i}.png"] = bytes((i * k) % 256 for k in range(10000 * i))
    pages["style.css"] = b"body { color: black }\n"
    for name, content in {**pages, "not linked.html": b"no"}.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    return pages


class Site:
    """The folder with the pages, and where copies go."""

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = self.temporary.name
        os.chmod(self.folder, 0o755)  # for nginx, which gives up being root
        self.root = os.path.join(self.folder, "root")
        self.pages = write_site(self.root)
        return self

    def __exit__(self, *_):
        self.temporary.cleanup()

    def copy(self, name, address):
        """What a crawler has written: path -> bytes."""
        top = os.path.join(self.folder, name, "%s:%d" % address)
        found = {}
        for folder, _, files in os.walk(top):
            for file in files:
                path = os.path.join(folder, file)
                with open(path, "rb") as content:
                    found[os.path.relpath(path, top)] = content.read()
        return found


class Nginx(Program):
    def __init__(self, site):
        self.port = support.free_port()
        configuration = os.path.join(site.folder, "nginx.conf")
        with open(configuration, "w", encoding="ascii") as file:
            file.write(f"""
                daemon off; master_process off; pid {site.folder}/nginx.pid; error_log stderr;
                events {{ worker_connections 256; }}
                http {{
                    access_log off;
                    client_body_temp_path {site.folder}/t1; proxy_temp_path {site.folder}/t2;
                    fastcgi_temp_path {site.folder}/t3; uwsgi_temp_path {site.folder}/t4;
                    scgi_temp_path {site.folder}/t5;
                    types {{ text/html html; text/css css; image/png png; }}
                    keepalive_requests 50;
                    server {{
                        listen 127.0.0.1:{self.port};
                        root {site.root};
                        location /chunked/ {{ alias {site.root}/; ssi on; }}
                        location /old/ {{ return 301 /style.css; }}
                    }}
                }}
            """)
        super().__init__([need("nginx"), "-c", configuration, "-e", "stderr"])
        self.serves = None

    def address(self):
        def is_there():
            check_that(f"nginx runs: {self.output()}", self.process.poll() is None)
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        if not self.serves:
            self.serves = wait_until("nginx listens", is_there)
        return "127.0.0.1", self.port


def start_nginx(site):
    for _ in range(5):  # another program may take the port in between
        nginx = Nginx(site)
        try:
            nginx.address()
            return nginx
        except AssertionError:
            nginx.kill()
            if "in use" not in nginx.output():
                raise
    raise AssertionError("no port for nginx")


def url(address, path="/"):
    return "http://%s:%d%s" % (*address, path)


def fetch(*arguments, deadline=DEADLINE):
    """Exit status, [(status, bytes, url, error)] in order of the addresses, last line."""
    done = run([example("http_fetch"), *arguments], deadline=deadline)
    *lines, last = done.stdout.decode().splitlines() or [""]
    rows = []
    for line in lines:
        match = re.fullmatch(r" *(\d+|-) +(\d+) +\d+ (\S+?)(?:: (.*))?", line)
        check_that(f"a line: {line!r}", match)
        rows.append((match[1], int(match[2]), match[3], match[4]))
    check("standard error", done.stderr, b"")
    return done.returncode, sorted(rows, key=lambda row: row[2]), last


def compare_copies(site, server):
    """Our copy against wget's, and both against the site."""
    address = server.address()
    status, rows, last = fetch("--recursive", "--output", os.path.join(site.folder, "ours"),
                               url(address))
    # "/" and "/index.html" are two addresses of the same page.
    total = sum(map(len, site.pages.values())) + len(site.pages["index.html"])
    check("exit status", status, 0)
    check("statuses", {row[0] for row in rows}, {"200"})
    check("each once", (len(rows), len({row[2] for row in rows})), (len(site.pages) + 1,) * 2)
    check("last line", re.sub(r"\d+ ms", "", last),
          f"{len(rows)} fetched, 0 failed, {total} bytes, ")
    ours = site.copy("ours", address)
    check("pages", sorted(ours), sorted(site.pages))
    check("wrong content", [name for name in ours if ours[name] != site.pages[name]], [])
    done = run([need("wget"), "-q", "-r", "-l", "inf", "-e", "robots=off", "--no-proxy", "-P",
                os.path.join(site.folder, "wget"), url(address)], deadline=120)
    check(f"wget: {done.stderr}", done.returncode, 0)
    theirs = site.copy("wget", address)
    check("the pages of wget", sorted(theirs), sorted(ours))
    check("other bytes than wget", [name for name in ours if ours[name] != theirs[name]], [])
    names = sorted(ours)
    done = run([need("curl"), "-s", *[url(address, "/" + name.replace(" ", "%20"))
                                      for name in names]])
    check_that("the bytes of curl", done.stdout == b"".join(ours[name] for name in names))


def test_whole_site_of_nginx():
    need("nginx")
    with Site() as site, start_nginx(site) as nginx:
        compare_copies(site, nginx)


def test_whole_site_of_http_server():
    with Site() as site, Program([example("http_server"), "--root", site.root]) as server:
        compare_copies(site, server)
        server.stop()


def test_pages_of_nginx():
    """Chunks, redirects and errors of a server that others wrote."""
    need("nginx")
    with Site() as site, start_nginx(site) as nginx:
        address = nginx.address()
        size = len(site.pages["page1.html"])
        status, rows, _ = fetch(*[url(address, path) for path in
                                  ["/chunked/page1.html", "/old/x", "/nothing", "/pictures"]])
        check("exit status", status, 1)
        check("pages", [(row[0], row[1] if row[0] == "200" else None, row[2]) for row in rows], [
            ("200", size, url(address, "/chunked/page1.html")),
            ("404", None, url(address, "/nothing")),
            ("301", None, url(address, "/old/x")),
            ("301", None, url(address, "/pictures")),
            ("403", None, url(address, "/pictures/")),
            ("200", len(site.pages["style.css"]), url(address, "/style.css"))])


class Server:
    """A server of our own for answers that a good one does not give: `answer` maps each path to
    bytes, or to a function that is given the connection. One thread for each connection."""

    def __init__(self, answers, pieces=None):
        self.answers, self.pieces = answers, pieces
        self.asked = []
        self.open = self.most_open = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.threads = [threading.Thread(target=self.accept, daemon=True)]

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(DEADLINE)

    def address(self):
        return self.listener.getsockname()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self.serve, args=(peer,), daemon=True))
            self.threads[-1].start()

    def serve(self, peer):
        with self.lock:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        peer.settimeout(DEADLINE)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with peer:
                self.converse(peer)
        except OSError:
            pass
        with self.lock:
            self.open -= 1

    def converse(self, peer):
        received = b""
        while True:
            while b"\r\n\r\n" not in received:
                piece = peer.recv(65536)
                if not piece:
                    return
                received += piece
            head, _, received = received.partition(b"\r\n\r\n")
            path = head.split()[1].decode()
            with self.lock:
                self.asked.append(path)
            answer = self.answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            if callable(answer):
                answer = answer(peer)
                if answer is None:
                    return
            for at in range(0, len(answer), self.pieces or len(answer)):
                peer.sendall(answer[at:at + (self.pieces or len(answer))])
            if b"Content-Length" not in answer and b"chunked" not in answer:
                return


def counted(body, *fields):
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


BODIES = {
    "/counted": counted(b"x" * 1000),
    "/nothing": counted(b""),
    "/blank": counted(b"\r\n\r\n0\r\n\r\n"),
    "/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"3\r\nabc\r\n0A;x=y\r\n\r\n01234567\r\n0\r\n\r\n",
    "/trailer": b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n"
                b"1\r\nx\r\n000\r\nX: y\r\nZ: 0\r\n\r\n",
    "/no-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "/until-close": b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 777,
    "/until-close-1.0": b"HTTP/1.0 200 OK\r\n\r\n",
    "/no-content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/continue": b"HTTP/1.1 100 Continue\r\n\r\n"
                 b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + counted(b"abc"),
    "/no-reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nab",
}
LENGTHS = {"/counted": 1000, "/nothing": 0, "/blank": 9, "/chunks": 13, "/trailer": 1,
           "/no-chunk": 0, "/until-close": 777, "/until-close-1.0": 0, "/no-content": 0,
           "/continue": 3, "/no-reason": 2}


def test_bodies():
    for pieces in [None, 1, 7]:
        for connections in ["1", "100"]:
            with Server(BODIES, pieces) as server:
                status, rows, _ = fetch("--connections", connections,
                                        *[url(server.address(), path) for path in BODIES])
                check("bytes", {row[2].rpartition("/")[2]: row[1] for row in rows},
                      {path[1:]: length for path, length in LENGTHS.items()})
                check("errors", (status, [row for row in rows if row[3]]), (0, []))


BROKEN = {
    "/short": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nabc",
               "peer finished"),
    "/short-chunk": (b"HTTP/1.1 200 OK\r\nX: chunke\r\nTransfer-Encoding: CHUNKED\r\n\r\nA\r\nabc",
                     "peer finished"),
    "/no-last-chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n",
                       "peer finished"),
    "/bad-chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                   "size of a chunk: not a digit at byte 0"),
    "/huge-chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
                    "size of a chunk: too large at byte 10"),
    "/long-chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
                    "a chunk is longer than its length"),
    "/bad-length": (b"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\nabc",
                    "malformed Content-Length"),
    "/two-lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
                     "malformed Content-Length"),
    "/packed": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
                "an unknown Transfer-Encoding"),
    "/ssh": (b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", "no answer of HTTP/1.1: SSH-2.0-OpenSSH_9.2p1"),
    "/escape": (b"\x1b[31mred\r\n\r\n", "no answer of HTTP/1.1: \\x1b[31mred"),
    "/folded": (b"HTTP/1.1 200 OK\r\n x\r\n\r\n", "malformed answer: line 2: is folded"),
    "/huge-header": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100000, "frame limit"),
    "/end": (b"", "peer finished"),
}


def test_broken_answers():
    def broken(path):
        return lambda peer: peer.sendall(BROKEN[path][0])  # and that was all

    with Server({path: broken(path) for path in BROKEN}) as server:
        for path, (_, error) in BROKEN.items():
            status, rows, last = fetch(url(server.address(), path))
            check(path, (status, [row[2:] for row in rows]),
                  (1, [(url(server.address(), path), rows[0][3])]))
            check_that(f"{path}: {rows[0][3]}", error in rows[0][3])
            check_that(last, last.startswith("0 fetched, 1 failed, "))


def redirect(to, status=302):
    return f"HTTP/1.1 {status} Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def test_redirects():
    answers = {f"/{i}": redirect(f"/{i + 1}") for i in range(20)}
    answers.update({"/a": redirect("b?x=1#y"), "/b?x=1": redirect("/c/../d", 301),
                    "/d": counted(b"end"),
                    "/loop": redirect("/loop"), "/out": redirect("ftp://example.invalid/")})
    with Server(answers) as server:
        status, rows, _ = fetch(url(server.address(), "/a"))
        check("followed", (status, [row[0] for row in rows]), (0, ["302", "301", "200"]))
        answers["/away"] = redirect(url(server.address(), "/d"))
        with Server(answers) as other:
            status, rows, _ = fetch(url(other.address(), "/away"))
            check("to another host", (status, sorted(row[0] for row in rows)), (0, ["200", "302"]))
            status, rows, _ = fetch("--recursive", url(other.address(), "/away"))
            check("not off the site", (status, [row[0] for row in rows]), (0, ["302"]))
        status, rows, _ = fetch(url(server.address(), "/0"))
        check("too many", (status, len(rows), [row[3] for row in rows if row[3]]),
              (1, 11, ["too many redirects"]))
        check("a loop", len(fetch(url(server.address(), "/loop"))[1]), 1)
        status, rows, _ = fetch(url(server.address(), "/out"))
        check("no HTTP", (status, rows[0][3]), (1, "leads out of HTTP"))


def test_limit_for_each_host():
    """No more connections than asked for, each used for many pages."""
    ready = threading.Barrier(3)

    def answer(_):
        try:
            ready.wait(0.2)  # several at once, if they come
        except threading.BrokenBarrierError:
            pass
        return counted(b"x")

    with Server({f"/{i}": answer for i in range(60)}) as server:
        status, rows, _ = fetch("--connections", "3",
                                *[url(server.address(), f"/{i}") for i in range(60)])
        check("all came", (status, len(rows)), (0, 60))
        check("connections at once", server.most_open, 3)
        check("connections in all", len(server.threads) - 1, 3)


def test_connection_that_ends_between_two_pages():
    """A server that closes after each answer without saying so."""
    def answer(peer):
        peer.sendall(counted(b"x"))

    with Server({f"/{i}": answer for i in range(30)}) as server:
        status, rows, _ = fetch("--connections", "2",
                                *[url(server.address(), f"/{i}") for i in range(30)])
        check("all came", (status, len(rows), {row[0] for row in rows}), (0, 30, {"200"}))


def test_servers_that_do_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent, Server({
            "/trickle": lambda peer: trickle(peer, server.over),
            "/stuck": lambda peer: stick(peer, server.over),
            "/reset": reset}) as server:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            refused = closed.getsockname()
        start = time.monotonic()
        urls = [url(silent.getsockname()), url(refused), url(server.address(), "/trickle"),
                url(server.address(), "/stuck"), url(server.address(), "/reset"),
                "http://nowhere.invalid/x"]
        status, rows, last = fetch("--timeout", "1", *urls)
        errors = {row[2]: row[3] for row in rows}
        for wanted, error in zip(urls, ["the head was not there in time", "Connection refused",
                                        "the head was not there in time", "idle timeout", "reset",
                                        "look-up of nowhere.invalid"]):
            check_that(f"{wanted}: {errors}", error in errors[wanted])
        check("exit status", (status, last[:20]), (1, "0 fetched, 6 failed, "[:20]))
        check_that("bounded in time", time.monotonic() - start < 30)


def trickle(peer, over):
    while not over.wait(0.05):
        peer.sendall(b"x")


def stick(peer, over):
    peer.sendall(counted(b"x" * 10)[:-1])
    over.wait(DEADLINE)


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()


def test_nothing_is_left_of_what_did_not_come():
    answers = {"/good": counted(b"x"), "/half": counted(b"x" * 9)[:-1],
               "/%2e%2e/up": counted(b"y"), "/..%2fup": counted(b"z")}
    with Server(answers) as server, tempfile.TemporaryDirectory() as folder:
        fetch("--output", folder + "/copy", "--timeout", "1",
              *[url(server.address(), path) for path in answers])
        found = sorted(os.path.relpath(os.path.join(top, file), folder)
                       for top, _, files in os.walk(folder) for file in files)
        top = "copy/%s:%d/" % server.address()
        check("files", found, [top + "%2e%2e/up", top + "..%2fup", top + "good"])


def test_output_that_cannot_be_written():
    with Server({"/x": counted(b"x")}) as server:
        status, rows, _ = fetch("--output", "/dev/null", url(server.address(), "/x"))
        check_that(f"{rows}", status == 1 and "/dev/null" in rows[0][3])


def test_usage():
    for arguments, words in [
            ([], b"URL: none is given"), (["x"], b"URL: 'x' is not http://host"),
            (["ftp://x/"], b"URL: 'ftp://x/'"), (["http://x:65536/"], b"is not http://host"),
            (["http://u@x/"], b"is not http://host"), (["-r", "http://x"], b"there is no -r"),
            (["--timeout"], b"--timeout: the value is missing"),
            (["--timeout", "1s", "http://x"], b"--timeout: not a digit at byte 1 of '1s'"),
            (["--connections", "0", "http://x"], b"--connections: 0 is too little")]:
        done = run([example("http_fetch"), *arguments])
        check_that(f"{arguments}: {done}", done.returncode == 2 and words in done.stderr)
    done = run([example("http_fetch"), "--help"])
    check("--help", (done.returncode, done.stdout[:17], done.stderr),
          (0, b"usage: http_fetch", b""))


def test_sigint():
    with socket.create_server(("127.0.0.1", 0)) as silent, Server({"/": counted(b"x")}) as server:
        urls = [url(server.address()), url(silent.getsockname())]
        with Program([example("http_fetch"), *urls]) as client:
            client.wait_for("200 ")
            check("exit status", client.interrupt(), 1)
            check_that(client.output(),
                       "1 fetched, 0 failed, interrupted, 1 bytes" in client.output())


def test_progress_on_a_terminal():
    main, end = pty.openpty()
    try:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            done = subprocess.Popen(
                [example("http_fetch"), "--timeout", "1", url(silent.getsockname())],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=end)
            output, _ = done.communicate(timeout=DEADLINE)
        shown = b""
        while select.select([main], [], [], 0)[0]:
            shown += os.read(main, 65536)
    finally:
        os.close(main)
        os.close(end)
    check_that(f"progress: {shown}",
               b"0 fetched, 0 failed, 0 waiting, 1 connections, 0 bytes" in shown)
    check_that(f"no progress in the output: {output}", b"waiting" not in output)


if __name__ == "__main__":
    support.main(globals())
