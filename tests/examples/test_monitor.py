"""monitor: the figures against promtool and Prometheus, the page in Chromium, and who may look.

    python3 test_monitor.py FOLDER-OF-BUILT-EXAMPLES [test_NAME...]
"""

import base64
import contextlib
import http.client
import importlib.util
import itertools
import json
import os
import re
import smtplib
import socket
import struct
import tempfile
import urllib.request

import support
from support import (Program, check, check_that, connect, example, free_port, need, receive_all,
                     receive_exactly, run, unpacked, wait_until)

MONITOR = example("monitor")


class Monitored(Program):
    """The program, with two addresses."""

    def __init__(self, *options):
        super().__init__([MONITOR, *options])

    def watch(self):
        return int(self.wait_for(r"monitor on http://127\.0\.0\.1:(\d+)/")[1])

    def get(self, path, method="GET", body=None, **header):
        """(status, header, body) of a request."""
        client = http.client.HTTPConnection("127.0.0.1", self.watch(), timeout=support.DEADLINE)
        client.request(method, path, body, header)
        answer = client.getresponse()
        result = answer.status, answer.headers, answer.read()
        client.close()
        return result

    def metrics(self):
        """name{labels} -> value."""
        status, _, body = self.get("/metrics")
        check("status", status, 200)
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in body.decode().splitlines() if not line.startswith("#")}

    def raw(self):
        return connect(("127.0.0.1", self.watch()))


def say(peer, line):
    peer.sendall(line + b"\n")
    check("the echo", receive_exactly(peer, len(line) + 1), line + b"\n")


def total(metrics, name, more=""):
    return sum(value for key, value in metrics.items()
               if key.startswith(f"asynchat_{name}{{") and more in key)


def test_figures():
    promtool = unpacked("prometheus", "usr/bin/promtool")
    with Monitored("--loops", "2") as server:
        peers = [connect(server.address()) for _ in range(5)]
        for peer in peers:
            for _ in range(10):
                say(peer, b"hello")
        peers[0].close()
        peers[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peers[1].close()
        wait_until("both are gone", lambda: total(server.metrics(), "connections_open") == 3)
        done = run([promtool, "check", "metrics"], server.get("/metrics")[2])
        check("promtool", (done.returncode, done.stdout + done.stderr), (0, b""))
        now = server.metrics()
        for name, value in [("connections_accepted_total", 5), ("connections_refused_total", 0),
                            ("frames_total", 50), ("received_bytes_total", 300),
                            ("sent_bytes_total", 300), ("connections_closed_total", 2),
                            ("loop_channels", 5), ("loop_unread_bytes", 0)]:
            check(name, total(now, name), value)
        for reason in "peer finished", "reset":
            check(reason, total(now, "connections_closed_total", f'reason="{reason}"'), 1)
        with open(f"/proc/{server.pid}/statm", encoding="ascii") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        check_that("memory", abs(now["process_resident_memory_bytes"] - resident) < 4 << 20)
        for peer in peers[2:]:
            peer.close()
        server.stop()


def test_turn_times():
    with Monitored() as server, connect(server.address()) as peer:
        say(peer, b"busy 70")
        say(peer, b"short")
        now = server.metrics()
        name = 'asynchat_turn_duration_seconds_%s{loop="0"%s}'
        check_that("the sum", 0.07 <= now[name % ("sum", "")] < support.DEADLINE)
        buckets = [(float(re.search(r'le="(.*?)"', key)[1]), value) for key, value in now.items()
                   if "_bucket{" in key]
        check("in order", buckets, sorted(buckets))
        check("cumulative", [value for _, value in buckets], sorted(value for _, value in buckets))
        check("all", buckets[-1], (float("inf"), now[name % ("count", "")]))
        below = max(value for bound, value in buckets if bound < 0.07)
        check_that("the long turn is among the long ones", below < buckets[-1][1])
        check_that("the short ones are not", below >= 1)


def test_a_busy_loop_is_told_from_others():
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Monitored("--loops", "2"))

        def figure(name, loop):
            return server.metrics()[f'asynchat_{name}{{loop="{loop}"}}']

        peers = {}  # one of each loop
        while len(peers) < 2:
            before = [figure("frames_total", loop) for loop in (0, 1)]
            peer = stack.enter_context(connect(server.address()))
            say(peer, b"here")
            peers.setdefault(wait_until("it is counted", lambda: [
                loop for loop in (0, 1) if figure("frames_total", loop) > before[loop]])[0], peer)
        older = figure("frames_total", 0)
        peers[0].sendall(b"busy 8000\n")
        wait_until("it is late", lambda: figure("loop_late", 0) == 1)
        frames = figure("frames_total", 1)
        say(peers[1], b"still here")
        wait_until("the other is not held up", lambda: figure("frames_total", 1) == frames + 1)
        check("older figures stay", figure("frames_total", 0), older)
        check("afterwards", receive_exactly(peers[0], 10), b"busy 8000\n")
        wait_until("it is back", lambda: figure("loop_late", 0) == 0)


def test_a_loop_that_is_busy_from_the_start():
    """Nothing is known of it but that."""
    with Monitored() as server, connect(server.address()) as peer:
        peer.sendall(b"busy 5000\n")
        done = wait_until("it is late", lambda: server.metrics().get('asynchat_loop_late{loop="0"}'))
        check("late", done, 1)
        check("the echo", receive_exactly(peer, 10), b"busy 5000\n")
        wait_until("it is back", lambda: server.metrics()['asynchat_loop_late{loop="0"}'] == 0)
        check("accepted", total(server.metrics(), "connections_accepted_total"), 1)


def test_a_single_server():
    """smtp_sink has its monitor by one line."""
    with tempfile.TemporaryDirectory() as folder:
        watch = free_port()
        with Program([example("smtp_sink"), "--maildir", folder, "--monitor", watch]) as server:
            with smtplib.SMTP(*server.address(), timeout=support.DEADLINE) as client:
                client.sendmail("a@b", ["c@d"], "Subject: x\r\n\r\n")
                with urllib.request.urlopen(f"http://127.0.0.1:{watch}/metrics") as answer:
                    text = answer.read().decode()
            check_that(text, 'asynchat_connections_open{loop="0"} 1\n' in text)
            with urllib.request.urlopen(f"http://127.0.0.1:{watch}/state") as answer:
                rows = json.load(answer)["loops"][0]["rows"]
            check_that(rows, any(re.match(r"smtp::session \w+ 127\.0\.0\.1:\d+$", row[1]) for row in rows))
            server.stop()


def test_prometheus():
    """It scrapes with a token, in both ways that it knows."""
    program = unpacked("prometheus", "usr/bin/prometheus")
    with tempfile.TemporaryDirectory() as folder:
        token = os.path.join(folder, "token")
        with open(token, "w", encoding="ascii") as file:
            file.write("s3cret\n")
        with Monitored("--token", token) as server:
            targets = f"static_configs: [{{targets: ['127.0.0.1:{server.watch()}']}}]"
            with open(os.path.join(folder, "prometheus.yml"), "w", encoding="ascii") as file:
                file.write("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
                           f"- {{job_name: bearer, {targets}, authorization: {{credentials: s3cret}}}}\n"
                           f"- {{job_name: basic, {targets}, basic_auth: "
                           "{username: monitor, password: s3cret}}\n"
                           f"- {{job_name: nobody, {targets}}}\n")
            port = free_port()
            with Program([program, f"--config.file={folder}/prometheus.yml",
                          f"--storage.tsdb.path={folder}/data",
                          f"--web.listen-address=127.0.0.1:{port}"]):
                def answer(query):
                    try:
                        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query="
                                                    + urllib.request.quote(query)) as found:
                            return {each["metric"]["job"]: each["value"][1]
                                    for each in json.load(found)["data"]["result"]}
                    except OSError:
                        return {}

                wait_until("all are scraped", lambda: len(answer("up")) == 3)
                wait_until("up", lambda: answer("up") == {"bearer": "1", "basic": "1", "nobody": "0"})
                turns = answer("histogram_quantile(0.99, asynchat_turn_duration_seconds_bucket)")
                check("p99", sorted(turns), ["basic", "bearer"])
            server.stop()


def test_who_may_look():
    with tempfile.TemporaryDirectory() as folder:
        token = os.path.join(folder, "token")
        with open(token, "w", encoding="ascii") as file:
            file.write("s3cret\n")
        basic = "Basic " + base64.b64encode(b"monitor:s3cret").decode()
        with Monitored("--token", token) as server:
            for said, status in [(None, 401), ("Bearer s3cret", 200), (basic, 200), ("Bearer ", 401),
                                 ("Bearer s3cre", 401), ("Bearer s3cretx", 401), ("s3cret", 401),
                                 ("bearer s3cret", 200), ("BEARER  s3cret", 200), ("Bearer S3cret", 401),
                                 (basic.replace("Basic", "bASIC"), 200), ("Digest s3cret", 401),
                                 ("Basic " + base64.b64encode(b"other:s3cret").decode(), 401)]:
                header = {"Authorization": said} if said else {}
                for path in "/", "/metrics", "/state", "/none":
                    got, more, _ = server.get(path, **header)
                    check(f"{said} {path}", got, 404 if status == 200 and path == "/none" else status)
                    check("a browser asks", "WWW-Authenticate" in more, status == 401)
        with open(token, "wb") as file:
            file.write(b"s3cret\r\nmore\r\n")
        with Monitored("--token", token) as server:
            check("a file with CR LF", server.get("/state", Authorization="Bearer s3cret")[0], 200)
        with open(token, "wb") as file:
            file.write(b"\r\nmore\r\n")
        done = run([MONITOR, "--token", token])
        check("an empty line", (done.returncode, b"no line in" in done.stderr), (2, True))
    with Monitored() as server:
        for host, status in [("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:80", 200),
                             ("evil.example", 403), ("127.0.0.1.evil.example", 403),
                             ("localhost.evil.example:1", 403)]:
            check(host, server.get("/state", Host=host)[0], status)
    for where in "0.0.0.0", "::", "192.0.2.1":
        done = run([MONITOR, "--watch", where, "0"])
        check(f"status on {where}", done.returncode, 1)
        check_that(done.stderr, b"it needs a token" in done.stderr)


def test_requests():
    with Monitored() as server:
        check("HEAD", server.get("/", "HEAD")[::2], (200, b""))
        check("length", server.get("/", "HEAD")[1]["Content-Length"], str(len(server.get("/")[2])))
        for method, path, body, status in [("GET", "/x", None, 404), ("PUT", "/", None, 405),
                                           ("POST", "/", b"x", 413)]:
            check(f"{method} {path}", server.get(path, method, body)[0], status)
        for text, status in [(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9000, 431),
                             (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
                             (b"GET /\r\n\r\n", 400), (b"\x16\x03\x01\r\n\r\n", 400)]:
            with server.raw() as peer:
                peer.sendall(text)
                check_that(f"{text[:30]}", receive_all(peer).startswith(b"HTTP/1.1 %d " % status))
        for lines, status in [(b"HEAD /x HTTP/1.1\r\nHost: localhost\r\nConnection: close", 404),
                              (b"HEAD / HTTP/1.1\r\nHost: evil.example", 403),
                              (b"HEAD / HTTP/2.0", 505)]:
            with server.raw() as peer:
                peer.sendall(lines + b"\r\n\r\n")
                head, end, body = receive_all(peer).partition(b"\r\n\r\n")
                check_that(head, head.startswith(b"HTTP/1.1 %d " % status))
                check("no body", (end, body), (b"\r\n\r\n", b""))
        with server.raw() as peer:
            ask = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
            peer.sendall((ask + b"\r\n") * 50 + ask + b"Connection: close\r\n\r\n")
            check("pipelined", receive_all(peer).count(b"HTTP/1.1 200 OK\r\n"), 51)


def test_hostile_peers():
    """They cost little memory, and the echo server does not notice them."""
    with Monitored() as server, connect(server.address()) as peer_of_echo:
        server.get("/state")
        before = peak(server.pid)
        floods = []
        for _ in range(31):
            flood = server.raw()
            flood.setblocking(False)
            floods.append(flood)
            request = b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100
            sent = 0
            try:
                while sent < 100000000:
                    sent += flood.send(request)
            except BlockingIOError:
                pass
            check_that("it is stopped", sent < 100000000)
            say(peer_of_echo, b"still here")
        check("others may look", server.get("/metrics")[0], 200)
        for flood in floods:
            flood.close()
        for cut in range(1, 40):
            with server.raw() as peer:
                peer.sendall(b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n"[:cut])
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        say(peer_of_echo, b"after the resets")
        half, trickle = server.raw(), server.raw()
        with half, trickle:
            half.sendall(b"GET / HTTP/1.1\r\n")
            check_that("bytes help nobody", answer_while_sending(trickle).startswith(LATE))
            check_that("half a request", receive_all(half).startswith(LATE))
        grown = peak(server.pid) - before
        check_that(f"it has grown by {grown} bytes", grown < 32 << 20)
        server.stop()


LATE = b"HTTP/1.1 408 "


def answer_while_sending(peer):
    """To a header that grows by a byte now and then."""
    peer.settimeout(0.3)
    for byte in itertools.chain(b"GET / HTTP/1.1\r\nX: ", itertools.repeat(ord("x"), 200)):
        peer.sendall(bytes([byte]))
        with contextlib.suppress(socket.timeout):
            return peer.recv(65536)
    raise AssertionError("it may go on")


def peak(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) * 1024


def browser_of_docs():
    """The driver of Chromium that checks the website."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "docs", "site.py")
    spec = importlib.util.spec_from_file_location("docs_site", path)
    module = importlib.util.module_from_spec(spec)
    with support.imports_from(os.path.dirname(path)):
        spec.loader.exec_module(module)
    return module.Browser


def test_page():
    need("chromium")
    need("chromedriver")
    watch, port = free_port(), free_port()
    command = ["--watch", "127.0.0.1", str(watch), "127.0.0.1", str(port)]
    status = "return document.getElementById('status').textContent"
    figures = "return document.getElementById('figures').textContent"
    with tempfile.TemporaryDirectory() as folder:
        browser = browser_of_docs()(folder)
        try:
            with Monitored(*command) as server, connect(server.address()) as peer:
                server.watch()
                browser.open(f"http://127.0.0.1:{watch}/")
                say(peer, b"hello")
                check_that("live", browser.wait_for(f"{status} === 'live'"))
                check("figures", browser.run(figures),
                      "1 loops, 0 of them busy for more than a second; 1 connections")
                check("one text is announced", browser.run(
                    "return document.querySelectorAll('[role=status], [aria-live]').length"), 1)
                check("plots", browser.wait_for(
                    "return [...document.querySelectorAll('figcaption')].map(f => f.textContent)"),
                    ["connections", "frames", "bytes", "closes", "turn time", "memory"])
                check_that("lines", browser.wait_for(
                    "return [...document.querySelectorAll('polyline')].length >= 8"))
                check_that("the legend has the dashes", browser.run(
                    "return document.querySelectorAll('dt line').length >= 8"))
                reasons = [key for key in server.metrics() if "connections_closed_total" in key]
                check("each reason has a look of its own", browser.run(
                    f"return new Set([...Array({len(reasons)}).keys()].map("
                    "i => JSON.stringify(look(i)))).size"), len(reasons))
                text = browser.run("return document.getElementById('rows').innerText")
                check_that(text, re.search(r"demo::echo connected 127\.0\.0\.1:\d+", text))
                for width in 400, 1400:
                    browser.width(width)
                    check_that("no wider than the screen", browser.run(
                        "return document.documentElement.scrollWidth") <= width)
                check("console", browser.log("browser"), [])
                for line in browser.log("performance"):
                    message = json.loads(line["message"])["message"]
                    if message["method"] == "Network.requestWillBeSent":
                        address = message["params"]["request"]["url"]
                        check_that(address, address.startswith((f"http://127.0.0.1:{watch}/", "data:")))
                server.stop()
            check_that("offline", browser.wait_for(f"{status}.startsWith('offline')"))
            with Monitored(*command) as server:
                check_that("live again", browser.wait_for(f"{status} === 'live'"))
        finally:
            browser.close()


if __name__ == "__main__":
    support.main(globals())
