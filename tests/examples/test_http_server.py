"""http_server against curl, ab, Chromium, and a plain socket with bad intentions.

    python3 test_http_server.py FOLDER-OF-BUILT-EXAMPLES [test_NAME...]
"""

import json
import os
import re
import socket
import struct
import tempfile
import threading
import zlib

import support
from support import Program, check, check_that, connect, example, need, receive_all, run

PAGE = b"<!DOCTYPE html>\n<title>root</title>\n<p>the page of the root\n"
LARGE = bytes(i * 7 % 251 for i in range(3000000))


class Server(Program):
    """The server with a folder of its own."""

    def __init__(self, *arguments, **more):
        self.folder = tempfile.TemporaryDirectory()
        self.root = os.path.join(self.folder.name, "root")
        os.makedirs(os.path.join(self.root, "sub"))
        os.makedirs(os.path.join(self.root, ".git"))
        self.write("root/index.html", PAGE)
        self.write("root/sub/index.html", b"sub")
        self.write("root/a b.txt", b"blank")
        self.write("root/large", LARGE)
        self.write("root/empty.css", b"")
        self.write("root/.git/config", b"secret")
        self.write("secret.txt", b"secret")
        os.symlink("../secret.txt", os.path.join(self.root, "out.txt"))
        os.symlink("/", os.path.join(self.root, "out"))
        os.symlink("a b.txt", os.path.join(self.root, "in.txt"))
        os.mkfifo(os.path.join(self.root, "fifo"))
        super().__init__([example("http_server"), "--root", self.root, *arguments], **more)

    def write(self, name, content):
        with open(os.path.join(self.folder.name, name), "wb") as file:
            file.write(content)

    def __exit__(self, *more):
        super().__exit__(*more)
        self.folder.cleanup()

    def url(self, path):
        return "http://%s:%d%s" % (*self.address(), path)

    def state(self):
        return json.loads(exchange(self, get("/server/state", "Connection: close"))[0].body)


class Answer:
    def __init__(self, status, header, body):
        self.status, self.header, self.body = status, header, body

    def __repr__(self):
        return f"{self.status} {self.header} {support.shown(self.body)}"


def parse_answers(stream, heads=()):
    """All the answers in the bytes of a connection; those whose index is in `heads` are to HEAD.
    Nothing may be left over."""
    answers = []
    while stream:
        head, found, stream = stream.partition(b"\r\n\r\n")
        check_that(f"an answer has a head: {support.shown(head)}", found)
        lines = head.decode("latin-1").split("\r\n")
        check_that(f"status line {lines[0]!r}", re.fullmatch(r"HTTP/1\.1 \d{3} [A-Z].*", lines[0]))
        status = int(lines[0].split()[1])
        fields = (line.split(": ", 1) for line in lines[1:])
        header = {name.lower(): value for name, value in fields}
        body = b""
        if status == 101:
            body, stream = stream, b""
        elif len(answers) in heads or status == 100:
            pass
        elif "content-length" in header:
            length = int(header["content-length"])
            body, stream = stream[:length], stream[length:]
            check("length of the body", len(body), length)
        elif header.get("transfer-encoding") == "chunked":
            while True:
                size, _, stream = stream.partition(b"\r\n")
                size = int(size, 16)
                body += stream[:size]
                check("end of a chunk", stream[size:size + 2], b"\r\n")
                stream = stream[size + 2:]
                if size == 0:
                    break
        else:
            body, stream = stream, b""
        answers.append(Answer(status, header, body))
    return answers


def exchange(server, data, heads=()):
    """Sends all, in one piece, and returns the answers up to the end of the stream. The server has
    to end it: we do not."""
    with connect(server.address()) as peer:
        peer.sendall(data)
        return parse_answers(receive_all(peer), heads)


def get(path, *more):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *more, "", ""]).encode("latin-1")


def post(*more):
    return get("/server/echo", *more).replace(b"GET", b"POST", 1)


LAST = get("/server/count/3", "Connection: close")


def curl(server, path, *options):
    """The status and the body that curl sees."""
    done = run([need("curl"), "-s", "-S", "--max-time", "30", "-w", "\n%{http_code}",
                *options, server.url(path)])
    check(f"curl {path} {options}: {done.stderr}", done.returncode, 0)
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status), body


def test_curl_reads_files():
    with Server() as server:
        check("index", curl(server, "/"), (200, PAGE))
        check("folder", curl(server, "/sub/"), (200, b"sub"))
        check("folder without a slash", curl(server, "/sub", "-L"), (200, b"sub"))
        check("decoded name", curl(server, "/a%20b.txt"), (200, b"blank"))
        check("link inside", curl(server, "/in.txt"), (200, b"blank"))
        check("query", curl(server, "/a%20b.txt?x=%zz"), (200, b"blank"))
        check("large", curl(server, "/large"), (200, LARGE))
        check("empty", curl(server, "/empty.css"), (200, b""))
        check("HTTP/1.0", curl(server, "/large", "-0"), (200, LARGE))
        for path, wanted in [("/", b"text/html; charset=utf-8"),
                             ("/empty.css", b"text/css; charset=utf-8"),
                             ("/large", b"application/octet-stream")]:
            status, head = curl(server, path, "-I")
            check(f"type of {path}", (status, re.search(rb"Content-Type: (.*)\r", head)[1]),
                  (200, wanted))
        status, head = curl(server, "/large", "-I")
        check("length of a HEAD", re.search(rb"(?i)content-length: (.*)\r", head)[1], b"3000000")
        server.stop()


def test_curl_reads_many_over_one_connection():
    with Server() as server:
        names = ["/", "/large", "/nothing", "/sub/", "/server/count/100000"]
        options = [item for name in names * 10 for item in ("-o", "/dev/null", server.url(name))]
        done = run([need("curl"), "-s", "-w", "%{http_code} %{num_connects}\n", *options])
        check("status, connections made", done.stdout.decode().split("\n")[:-1],
              ["200 1", "200 0", "404 0", "200 0", "200 0"] +
              ["200 0", "200 0", "404 0", "200 0", "200 0"] * 9)


def test_curl_reads_ranges():
    with Server() as server:
        size = len(LARGE)
        for asked, first, last in [("0-0", 0, 0), ("10-19", 10, 19),
                                   ("2999999-", size - 1, size - 1),
                                   ("2000000-", 2000000, size - 1), ("-5", size - 5, size - 1),
                                   ("-9999999", 0, size - 1), ("5-99999999", 5, size - 1)]:
            with tempfile.NamedTemporaryFile() as head:
                check(asked, curl(server, "/large", "-r", asked, "-D", head.name),
                      (206, LARGE[first:last + 1]))
                field = f"Content-Range: bytes {first}-{last}/{size}\r\n".encode()
                check_that(f"Content-Range of {asked}", field in head.read())
        for asked in ["3000000-", "-0", "3000000-3000001"]:
            check(asked, curl(server, "/large", "-r", asked)[0], 416)
        # All that is not a single range of bytes may be answered with the whole.
        for asked in ["bytes=5-4", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", "bytes=", "bytes=-",
                      "bytes=99999999999999999999-"]:
            check(asked, curl(server, "/large", "-H", f"Range: {asked}"), (200, LARGE))
        check("If-Range", curl(server, "/large", "-r", "0-1", "-H", 'If-Range: "x"'), (200, LARGE))
        check("HEAD has no range", curl(server, "/large", "-I", "-r", "0-1")[0], 200)
        check("empty file", curl(server, "/empty.css", "-r", "0-1")[0], 416)


def test_curl_resumes():
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "part")
        with open(name, "wb") as file:
            file.write(LARGE[:1234567])
        check("status", curl(server, "/large", "-C", "-", "-o", name)[0], 206)
        with open(name, "rb") as file:
            check_that("resumed", file.read() == LARGE)


def test_curl_reads_chunks():
    with Server() as server:
        lines = b"".join(b"%d\n" % i for i in range(1, 200001))
        for last, wanted in [(0, b""), (1, b"1\n"), (200000, lines)]:
            for option in ["--http1.1", "-0"]:
                check(f"{last} lines, {option}", curl(server, f"/server/count/{last}", option),
                      (200, wanted))
        status, head = curl(server, "/server/count/9", "-I")
        check_that("HEAD of chunks", status == 200 and b"Transfer-Encoding: chunked" in head)
        status, text = curl(server, "/server/count/1x")
        check("wrong number", (status, text),
              (400, b"400 Bad Request: count: not a digit at byte 1\n"))


def test_curl_posts():
    with Server() as server, tempfile.NamedTemporaryFile() as body:
        for size in [0, 1, 1000, 1048576]:
            body.truncate(0)
            body.seek(0)
            body.write(LARGE[:size])
            body.flush()
            for option in ["-0", "--http1.1"]:
                check(f"echo of {size}", curl(server, "/server/echo", option, "--data-binary",
                                              f"@{body.name}"), (200, LARGE[:size]))
        check("Expect", curl(server, "/server/echo", "-H", "Expect: 100-continue",
                             "--expect100-timeout", "30", "-d", "abc"), (200, b"abc"))
        check("form", curl(server, "/server/say", "--data-urlencode", "text=a&b+c \u00e9\"<")[0],
              303)
        status, page = curl(server, "/server/say", "-L", "--data-urlencode", "text=two words")
        check("redirected to the page", (status, page[:15]), (200, b"<!DOCTYPE html>"))
        check("said", server.state()["said"], ["two words", "a&b+c \u00e9\"<"])
        check("log", server.state()["log"][0][1:], ["GET", "/server", "200"])
        for form in ["", "text=", "other=1", "text=%zz", "text=" + "x" * 401]:
            check(f"form {form[:20]}", curl(server, "/server/say", "-d", form)[0], 400)
        for i in range(30):
            curl(server, "/server/say", "-d", f"text={i}")
        check("bounded", server.state()["said"], [str(i) for i in range(29, 19, -1)])


def test_curl_sees_errors():
    with Server() as server:
        for path in ["/nothing", "/a%20b.txt/", "/sub/nothing", "/fifo", "/out.txt",
                     "/out/etc/passwd",
                     "/.git/config", "/sub/../index.html", "/../secret.txt", "/%2e%2e/secret.txt",
                     "/..%2fsecret.txt", "/sub/%2e%2e/%2e%2e/secret.txt", "//etc/passwd",
                     "/sub//index.html"]:
            check(path, curl(server, path, "--path-as-is")[0], 404)
        for path in ["/%00", "/%", "/%1", "/%zz", "/a%20b.txt%00.html"]:
            check(path, curl(server, path)[0], 400)
        for options in [["-X", "DELETE"], ["-X", "PUT", "-d", "x"], ["-d", "x"], ["-X", "BREW"]]:
            status, head = curl(server, "/", "-i", *options)
            check_that(f"{options}: {head}", status == 405 and b"\r\nAllow: GET, HEAD\r\n" in head)
        check("GET of the form", curl(server, "/server/say")[0], 405)
        check("no length", curl(server, "/server/echo", "-X", "POST")[0], 411)
        check("chunks", curl(server, "/server/echo", "-H", "Transfer-Encoding: chunked",
                             "-d", "x")[0], 411)
        check("expectation", curl(server, "/", "-H", "Expect: pizza")[0], 417)
        check("long target", curl(server, "/" + "x" * 8192)[0], 414)
        check("longer target", curl(server, "/" + "x" * 60000)[0], 414)
        check("long header", curl(server, "/", "-H", "X: " + "x" * 60000)[0], 431)
        many = [word for i in range(200) for word in ("-H", f"X{i}: y")]
        check("many fields", curl(server, "/", *many)[0], 431)
        check("no upgrade", curl(server, "/server/echo")[0], 426)
        with tempfile.NamedTemporaryFile() as body:
            body.write(bytes(1048577))
            body.flush()
            for option in ["-0", "--http1.1"]:
                check("large body", curl(server, "/server/echo", option, "--data-binary",
                                         f"@{body.name}")[0], 413)
        check("still there", curl(server, "/"), (200, PAGE))


def test_without_a_root():
    with Program([example("http_server"), "::1", "0"]) as server:
        host, port = server.address()
        for path, status in [("/", b"302"), ("/server", b"200"), ("/etc/passwd", b"404")]:
            done = run([need("curl"), "-s", "-o", "/dev/null", "-w", "%{http_code}",
                        f"http://[{host}]:{port}{path}"])
            check(path, done.stdout, status)
        server.stop()


def test_usage():
    server = example("http_server")
    done = run([server, "--help"])
    check("--help", (done.returncode, done.stdout[:18], done.stderr),
          (0, b"usage: http_server", b""))
    for arguments, words in [
            (["--port", "1"], b"there is no --port"),
            (["--root"], b"--root: the value is missing"),
            (["--timeout", "3s"], b"--timeout: not a digit at byte 1 of '3s'"),
            (["127.0.0.1", "65536"], b"PORT: too large at byte 4 of '65536'"),
            (["127.0.0.1", "80", "81"], b"one argument too many: '81'")]:
        done = run([server, *arguments])
        check_that(f"{arguments}: {done}",
                   done.returncode == 2 and words in done.stderr and not done.stdout)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for arguments, words in [(["127.0.0.1", str(taken.getsockname()[1])], b"in use"),
                                 (["nowhere"], b"'nowhere'"),
                                 (["--root", "/no/such"], b"/no/such"),
                                 (["--root", "/etc/passwd"], b"--root: /etc/passwd is no folder")]:
            done = run([server, *arguments])
            check_that(f"{arguments}: {done}",
                       done.returncode == 1 and words in done.stderr and not done.stdout)


def test_requests_cut_at_each_byte():
    body = b"abc\r\n\r\nGET / HTTP/1.1\r\n\r\n\n\n"
    stream = (get("/a%20b.txt") + b"POST /server/echo HTTP/1.1\r\nhOST:x\r\n"
              b"content-length:%d\r\n\r\n" % len(body) + body + b"\r\n" +
              b"HEAD /large HTTP/1.1\r\nHost: x\r\n\r\n" + get("/server/count/3") +
              get("http://y:80/sub/?q") + post("Content-Length: 0") +
              get("/nothing", "Content-Length: 5") + b"hello" + LAST)

    def verdict(answers):
        return [(answer.status, answer.body) for answer in answers]

    with Server() as server:
        wanted = verdict(exchange(server, stream, heads=(2,)))
        check("in one piece", wanted, [
            (200, b"blank"), (200, body), (200, b""), (200, b"1\n2\n3\n"), (200, b"sub"),
            (200, b""), (404, b"404 Not Found: there is no such file\n"), (200, b"1\n2\n3\n")])
        for cut in range(1, len(stream)):
            with connect(server.address()) as peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer.sendall(stream[:cut])
                peer.sendall(stream[cut:])
                check(f"cut at {cut}", verdict(parse_answers(receive_all(peer), (2,))), wanted)
        with connect(server.address()) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(len(stream)):
                peer.sendall(stream[at:at + 1])
            check("byte by byte", verdict(parse_answers(receive_all(peer), (2,))), wanted)
        server.stop()


def test_pipelining():
    with Server() as server:
        answers = exchange(server, get("/server/echo") * 1000 + LAST)
        check("short answers", [answer.status for answer in answers], [426] * 1000 + [200])
        answers = exchange(server, (get("/a%20b.txt") + get("/server/count/2")) * 500 + LAST)
        check("files and chunks", [answer.body for answer in answers],
              [b"blank", b"1\n2\n"] * 500 + [b"1\n2\n3\n"])


def memory_of(pid):
    """The most that it ever had, in bytes; 0 with a sanitizer, which keeps what was freed."""
    with open(f"/proc/{pid}/maps", "rb") as file:
        if b"libasan" in file.read():
            return 0
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s*(\d+) kB", file.read())[1]) * 1024


def test_who_does_not_read_costs_little():
    with Server() as server:
        before = memory_of(server.pid)
        with connect(server.address()) as greedy, connect(server.address()) as counter:
            greedy.settimeout(2)
            counter.sendall(get("/server/count/1000000000"))
            sent = 0
            try:
                while sent < 100000000:
                    sent += greedy.send(get("/large") * 1000)
            except socket.timeout:
                pass
            check_that("it is not read from any more", sent < 100000000)
            descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))
            check_that(f"{descriptors} descriptors", descriptors < 20)
            check("others are served", exchange(server, LAST)[0].status, 200)
        used = memory_of(server.pid) - before
        check_that(f"{used} bytes", used < 8000000)
        server.stop()


def test_tunnel():
    """After an upgrade there are no frames: every byte comes back."""
    with Server() as server, connect(server.address()) as peer:
        peer.sendall(get("/server/echo", "Connection: Upgrade", "Upgrade: echo") + b"first")
        sent = LARGE + b"GET / HTTP/1.1\r\n\r\n"

        def write():
            peer.sendall(sent)
            peer.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=write)
        writer.start()
        answers = parse_answers(receive_all(peer))
        writer.join()
        check("status", [answer.status for answer in answers], [101])
        check_that("the same bytes", answers[0].body == b"first" + sent)


def test_huge_heads():
    """Refused as soon as they are too long, however they come, and without keeping them."""
    def send(server, size):
        for start, status in [(b"GET /", 414), (b"GET / HTTP/1.1\r\nX: ", 431)]:
            with connect(server.address()) as peer:
                peer.settimeout(10)
                peer.sendall(start)
                try:
                    for _ in range(size // 10000):
                        peer.sendall(b"x" * 10000)
                except OSError:
                    pass  # it has lingered long enough
                answers = parse_answers(receive_all(peer))
                check("status", [answer.status for answer in answers], [status])

    with Server() as server:
        send(server, 100000)  # brings in what the program needs for it
        before = memory_of(server.pid)
        send(server, 10000000)
        used = memory_of(server.pid) - before
        check_that(f"{used} bytes", used < 1000000)


def test_sigint_lets_answers_finish():
    with Server() as server, connect(server.address()) as peer, connect(server.address()) as idle:
        peer.sendall(get("/large"))
        first = peer.recv(1000)
        server.process.send_signal(2)
        check("an idle connection ends", receive_all(idle), b"")
        answers = parse_answers(first + receive_all(peer))
        check_that("the answer is whole", answers[0].body == LARGE)
        check("exit status", server.wait(), 0)


def test_ab():
    ab = need("ab")
    with Server() as server:
        for options in [["-k", "-n", "20000", "-c", "50"], ["-n", "3000", "-c", "20"]]:
            for path in ["/server", "/a%20b.txt", "/server/count/100"]:
                done = run([ab, "-q", *options, server.url(path)], deadline=240)
                output = done.stdout.decode()
                check(f"{options} {path}: {output} {done.stderr}", done.returncode, 0)
                total, failed = (re.search(rf"{name}:\s+(\d+)", output)[1]
                                 for name in ("Complete requests", "Failed requests"))
                check("complete, failed", (total, failed), (options[-3], "0"))
                check_that(output, "Non-2xx" not in output and "Write errors" not in output)
        server.stop()


FORM_TEST = b"""<!DOCTYPE html>
<title>test</title>
<p id="result">nothing yet</p>
<iframe id="frame" src="/server"></iframe>
<script>
let loads = 0;
frame.onload = () => {
  ++loads;
  const page = frame.contentDocument;
  if (loads === 1) {
    page.querySelector("input").value = "from a browser & \\u20ac";
    page.querySelector("button").click();
  } else {
    setTimeout(() => {
      result.textContent = "loads " + loads + ", said: " + page.querySelector("li").textContent +
          ", log: " + [...page.querySelectorAll("td")].map(cell => cell.textContent).join(" ");
    }, 500);
  }
};
</script>
"""


def test_chromium():
    browser = need("chromium", "chromium-browser", "google-chrome")
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        server.write("root/form.html", FORM_TEST)

        def browse(*options):
            return run([browser, "--headless", "--no-sandbox", "--disable-gpu",
                        "--disable-dev-shm-usage", f"--user-data-dir={folder}/profile",
                        "--virtual-time-budget=5000", *options], deadline=120)

        done = browse("--dump-dom", server.url("/form.html"))
        page = done.stdout.decode()
        check_that(f"the form was posted: {page} {done.stderr[-2000:]}",
                   "loads 2, said: from a browser &amp; \u20ac" in page and
                   "POST /server/say 303" in page)
        check("the server has it", server.state()["said"], ["from a browser & \u20ac"])
        picture = os.path.join(folder, "page.png")
        done = browse(f"--screenshot={picture}", "--window-size=800,600", server.url("/server"))
        check_that(f"a picture: {done.stderr[-2000:]}", os.path.exists(picture))
        with open(picture, "rb") as file:
            rows = rows_of(file.read())
        check_that(f"{rows} different rows of pixels", rows > 30)
        server.stop()


def rows_of(png):
    """How many different lines of pixels a picture has; a blank one has one."""
    check("a PNG", png[:8], b"\x89PNG\r\n\x1a\n")
    at, data, width, depth = 8, b"", 0, 0
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        if kind == b"IHDR":
            width, _, bits, colour = struct.unpack(">IIBB", png[at + 8:at + 18])
            depth = {2: 3, 6: 4}[colour] * bits // 8
        elif kind == b"IDAT":
            data += png[at + 8:at + 8 + size]
        at += size + 12
    data = zlib.decompress(data)
    line = width * depth + 1
    return len({data[i:i + line] for i in range(0, len(data), line)})


if __name__ == "__main__":
    support.main(globals())
