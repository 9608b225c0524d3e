"""The programs over TLS: openssl s_client, sslscan, curl, and Python's ssl, asyncio and
http.server."""

import asyncio
import contextlib
import http.server
import os
import socket
import ssl
import subprocess
import tempfile
import threading

import support
from certificates import Authority, has_tls, need_tls
from support import (Program, check, check_that, connect, example, need, receive_all,
                     receive_exactly, run)

LINE_ECHO, HTTP_FETCH = example("line_echo"), example("http_fetch")
HTTP_SERVER, CHAT = example("http_server"), example("chat")


@contextlib.contextmanager
def serving(*command):
    """An authority, and a program with a certificate of it."""
    need_tls()
    with Authority() as ca:
        with Program([*command, "--tls", *ca.issue("localhost", "localhost", "127.0.0.1")]) as server:
            yield ca, server
            server.stop()


def secured(ca, address):
    """A blocking connection of Python's ssl, which checks the certificate."""
    context = ssl.create_default_context(cafile=ca.pem)
    return context.wrap_socket(connect(address), server_hostname="localhost")


def test_line_echo_and_s_client():
    openssl = need("openssl")
    with serving(LINE_ECHO) as (ca, server):
        host, port = server.address()
        client = subprocess.Popen(
            [openssl, "s_client", "-connect", f"{host}:{port}", "-CAfile", ca.pem, "-quiet",
             "-verify_return_error", "-verify_hostname", "localhost"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with client:
            timer = threading.Timer(support.DEADLINE, client.kill)
            timer.start()
            for line in b"one\n", b"two\n", b"x" * 8000 + b"\n":
                client.stdin.write(line)
                client.stdin.flush()
                check("the echo", client.stdout.readline(), line)
            timer.cancel()
            client.kill()


def test_line_echo_and_asyncio():
    data = os.urandom(4 << 20)

    async def talk(ca, address):
        context = ssl.create_default_context(cafile=ca.pem)
        reader, writer = await asyncio.open_connection(
            *address, ssl=context, server_hostname="localhost")
        writer.write(data)
        echo = await reader.readexactly(len(data))
        writer.close()
        await writer.wait_closed()
        return echo

    with serving(LINE_ECHO) as (ca, server):
        echo = asyncio.run(asyncio.wait_for(talk(ca, server.address()), support.DEADLINE))
        check_that("4 MiB come back", echo == data)


def test_line_echo_ends_with_close_notify():
    with serving(LINE_ECHO, "--simple") as (ca, server):
        with secured(ca, server.address()) as peer:
            peer.sendall(b"abc")
            check("the echo", receive_exactly(peer, 8), b"echo:abc")
            peer.unwrap()  # sends close_notify; an error unless the server answers with its own


def test_line_echo_refuses_what_is_no_tls():
    with serving(LINE_ECHO) as (ca, server):
        with connect(server.address()) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
            check_that("no answer in the clear", b"HTTP" not in receive_all(peer))
        server.wait_for("spoke plain HTTP")
        try:
            ssl.create_default_context().wrap_socket(
                connect(server.address()), server_hostname="localhost")
        except ssl.SSLCertVerificationError:
            pass
        else:
            raise AssertionError("a client that does not know the authority is content")
        server.wait_for("the peer refused: unknown CA")
        with secured(ca, server.address()) as peer:  # others are served
            peer.sendall(b"x")
            check("the echo", receive_exactly(peer, 1), b"x")


def test_line_echo_and_sslscan():
    with serving(LINE_ECHO) as (_, server):
        done = run([need("sslscan"), "--no-colour", "--sni-name=localhost",
                    "%s:%d" % server.address()])
        output = done.stdout.decode()
        for wrong in ("SSLv2     enabled", "SSLv3     enabled", "TLSv1.0   enabled",
                      "TLSv1.1   enabled", "vulnerable to", "Compression enabled", "insecure",
                      " CBC", "-SHA ", "RC4", "3DES", "NULL", "EXPORT"):
            found = [line for line in output.splitlines()
                     if wrong in line and "not vulnerable" not in line]
            check(f"lines with '{wrong}'", found, [])
        for right in "TLSv1.2   enabled", "TLSv1.3   enabled", "Preferred TLSv1.3":
            check_that(f"no '{right}' in\n{output}", right in output)


def test_http_server_and_curl():
    curl = need("curl")
    large = os.urandom(3000000)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("large", large), ("index.html", b"<p>home")):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        with serving(HTTP_SERVER, "--root", folder) as (ca, server):
            there = "https://localhost:%d" % server.address()[1]
            check_that("it says https", "https://" in server.output())
            ask = [curl, "-sS", "--ipv4", "--cacert", ca.pem, "--max-time", support.DEADLINE]
            check("a page", run([*ask, there + "/"]).stdout, b"<p>home")
            check_that("a file", run([*ask, there + "/large"]).stdout == large)
            check("a part of it", run([*ask, "-r", "10-19", there + "/large"]).stdout,
                  large[10:20])
            check("a body", run([*ask, "--data-binary", "@-", there + "/server/echo"],
                                input=large[:100000]).stdout, large[:100000])
            two = run([*ask, "-w", "%{num_connects}.", there + "/", there + "/"])
            check("one connection for two", two.stdout, b"<p>home1.<p>home0.")
            failed = run([curl, "-sS", "--ipv4", there + "/"])
            check("exit status without --cacert", failed.returncode, 60)


class Pages(http.server.BaseHTTPRequestHandler):
    """Pages and redirects by path, from the dictionary that the server has."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body, to = self.server.pages.get(self.path, (b"", None))
        self.send_response(302 if to else 200)
        if to:
            self.send_header("Location", to)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):  # handshakes that fail are what some tests want
        pass


@contextlib.contextmanager
def python_server(pages, files=None):
    """Python's web server, over TLS if there are files of a certificate; its address."""
    server = QuietServer(("127.0.0.1", 0), Pages)
    server.pages = pages
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield "%s://127.0.0.1:%d" % ("https" if files else "http", server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fetched(*arguments):
    """Exit status, and the lines without their times."""
    done = run([HTTP_FETCH, *arguments])
    return done.returncode, done.stdout.decode().splitlines()


def test_http_fetch_and_redirects():
    need_tls()
    pages, plain = {"/end": (b"the end", None)}, {}
    with Authority() as ca, python_server(plain) as clear, \
            python_server(pages, ca.issue("127.0.0.1")) as secure:
        plain.update({"/a": (b"", f"{secure}/b"), "/c": (b"", f"{secure}/end")})
        pages.update({"/b": (b"", f"{clear}/c")})
        status, lines = fetched("--ca", ca.pem, f"{clear}/a")
        check_that(f"all is fetched: {lines}", status == 0 and len(lines) == 5)
        check_that(f"https at the end: {lines}", lines[-2].endswith(f"{secure}/end"))
        pages["/page"] = (f'<a href="{clear}/c">x</a><a href="//{secure[8:]}/end">y</a>'.encode(),
                          None)
        status, lines = fetched("--ca", ca.pem, "--recursive", f"{secure}/page")
        check_that(f"--recursive stays on https: {lines}", status == 0 and len(lines) == 3)


def test_http_fetch_and_https_that_is_not_there():
    """Without OpenSSL it does not go there."""
    with python_server({"/": (b"", "https://127.0.0.1:1/")}) as clear:
        status, lines = fetched(f"{clear}/")
        error = "Connection refused" if has_tls() else "leads to https, without OpenSSL"
        check_that(f"{lines}", status == 1 and error in "".join(lines))


def test_http_fetch_checks_the_server():
    need_tls()
    with Authority() as ca, Authority("another") as other:
        for files, trusted, words in [
                (ca.issue("127.0.0.1"), other.pem, "unknown authority"),
                (ca.issue("other.example"), ca.pem, "127.0.0.1"),
                (ca.issue("127.0.0.1", days=-1), ca.pem, "expired")]:
            with python_server({}, files) as secure:
                status, lines = fetched("--ca", trusted, f"{secure}/")
                check_that(f"{words}: {lines}", status == 1 and words in lines[0])
        with python_server({}) as clear:
            status, lines = fetched("--ca", ca.pem, clear.replace("http", "https"))
            check_that(f"no TLS there: {lines}", status == 1 and "0 fetched" in lines[-1])


def test_http_fetch_of_http_server():
    with serving(HTTP_SERVER) as (ca, server):
        there = "https://127.0.0.1:%d/server" % server.address()[1]
        with tempfile.TemporaryDirectory() as folder:
            status, lines = fetched("--ca", ca.pem, "--output", folder,
                                    *[f"{there}/count/{i}" for i in range(1, 50)])
            check_that(f"{lines}", status == 0 and len(lines) == 50)


def test_a_page_that_is_cut_off():
    """Without a length the page goes up to the end of the stream: only close_notify is one."""
    need_tls()
    with Authority() as ca, socket.create_server(("127.0.0.1", 0)) as listener:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*ca.issue("127.0.0.1"))
        listener.settimeout(support.DEADLINE)
        for orderly, wanted in (True, 0), (False, 1):
            with Program([HTTP_FETCH, "--ca", ca.pem,
                          "https://127.0.0.1:%d/" % listener.getsockname()[1]]) as client:
                peer = context.wrap_socket(listener.accept()[0], server_side=True)
                peer.recv(65536)
                peer.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it?")
                if orderly:
                    with contextlib.suppress(ssl.SSLError):  # http_fetch does not answer it
                        peer.unwrap()  # sends close_notify
                peer.close()
                check(f"exit status, orderly: {orderly}", client.wait(), wanted)


def test_chat():
    with serving(CHAT) as (ca, server):
        with secured(ca, server.address()) as ann, secured(ca, server.address()) as bob:
            for peer, name in (ann, b"ann"), (bob, b"bob"):
                peer.sendall(b"/nick %s\n/join\n" % name)
                heard = b""
                while b"* %s is here" % name not in heard:
                    heard += receive_exactly(peer, 1)
            bob.sendall(b"hello\n")
            heard = b""
            while not heard.endswith(b"<bob> hello\n"):
                heard += receive_exactly(ann, 1)


def test_wrong_use():
    for program in LINE_ECHO, HTTP_SERVER, CHAT:
        done = run([program, "--tls", "cert.pem"])
        check_that(f"{done}", done.returncode == 2 and b"--tls: two values" in done.stderr)
        done = run([program, "--tls", "not/there.pem", "not/there.key"])
        if has_tls():
            check_that(f"{done}", done.returncode == 1 and b"not/there.pem" in done.stderr)
        else:
            check_that(f"{done}", done.returncode == 2 and b"without OpenSSL" in done.stderr)
    done = run([HTTP_FETCH, "--ca", "not/there.pem", "https://localhost/"])
    wanted = (1, b"not/there.pem") if has_tls() else (2, b"without OpenSSL")
    check_that(f"{done}", done.returncode == wanted[0] and wanted[1] in done.stderr)


support.main(globals())
