"""The library's client at servers of others: openssl, gnutls-serv, Python's ssl and asyncio, Go.

    interop_servers.py PATH-OF-asynchat_tls_peer [test_NAME...]
"""

import asyncio
import contextlib
import os
import socket
import ssl
import tempfile
import threading

import interop_support
from interop_support import PEER, VERSIONS, Talker, client, files, path, python_context
from support import DEADLINE, Program, check, check_that, free_port, need, run, wait_until


def s_server(*options):
    certificate, key = files("ecdsa")
    return Talker([need("openssl"), "s_server", "-accept", "127.0.0.1:0", "-cert", certificate,
                   "-key", key, *options])


def port_of(peer):
    return int(peer.wait_for(r"ACCEPT .*:(\d+)$").group(1))


def has(output, *lines):
    """Whether these lines are in an output, in this order."""
    at = 0
    for line in lines:
        found = ("\n" + output).find("\n" + line, at)
        check_that(f"no '{line}' in\n{output}", found >= 0)
        at = found + 1


def test_s_server():
    for version in VERSIONS:
        with s_server("-rev", "-tls" + version.replace(".", "_")) as peer:
            output = client(port_of(peer), "hello", "x" * 5000, "third")
            has(output, f"handshake TLSv{version} ", "line: olleh", "line: xxx", "line: driht",
                "closed: local")


def test_s_server_half_close():
    """It answers what came before the end of the client's stream, and then ends its own."""
    for version in VERSIONS:
        with s_server("-rev", "-tls" + version.replace(".", "_")) as peer:
            has(client(port_of(peer), "first", "x" * 5000, "third", options=("--ca", "--half")),
                f"handshake TLSv{version} ", "line: tsrif", "line: xxx", "line: driht",
                "closed: peer finished")


def test_s_server_small_records():
    with s_server("-rev", "-max_send_frag", "512") as peer:
        has(client(port_of(peer), "x" * 9999 + "y"), "line: yxxx", "closed: local")


def test_s_server_resumes():
    for version in VERSIONS:
        with s_server("-rev", "-tls" + version.replace(".", "_")) as peer:
            output = client(port_of(peer), "hello", options=("--ca", "--twice"))
            has(output, "handshake", "line: olleh", "handshake", "line: olleh")
            check_that(output, "reused=false" in output and "reused=true" in output)


def test_s_server_key_update():
    """What s_server is told is a line for the client, but k changes its key, and K both. Lines that
    it reads together with a command are lost, so the line is said again and again."""
    for command in "kK":
        with s_server("-tls1_3") as peer:
            with Program([PEER, "client", "--ca", path("ca.pem"), "localhost", port_of(peer),
                          "first", *["more"] * 5000]) as ours:
                peer.wait_for("first$")
                peer.say(command)
                wait_until("a line", lambda: peer.say("one") or "line: one" in ours.output())
                peer.process.stdin.close()
                wait_until("the end", lambda: "closed: " in ours.output())
            check("exit status", peer.wait(), 0)
            check("changes", peer.output().count("SSL_do_handshake -> 1"), 1)


def test_s_server_certificates():
    certificate, key = files("client")
    with s_server("-rev", "-Verify", "1", "-verify_return_error", "-CAfile", path("ca.pem")) as peer:
        port = port_of(peer)
        done = run([PEER, "client", "--ca", path("ca.pem"), "--certificate", certificate, key,
                    "localhost", port, "hello"])
        has(done.stdout.decode(), "handshake", "line: olleh", "closed: local")
        check_that("nothing without one", "line:" not in client(port, "hello"))
    with s_server("-rev") as peer:
        output = client(port_of(peer), "hello", options=())  # trusts the system's authorities
        has(output, "closed: tls error: ")
        check_that(output, "unknown authority" in output and "handshake" not in output)


def test_s_server_of_older_versions():
    with s_server("-rev", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0") as peer:
        check_that("refused", "handshake" not in client(port_of(peer), "hello"))


@contextlib.contextmanager
def gnutls_serv(*options):
    """It cannot tell its port, and says nothing before there is a client."""
    certificate, key = files("ecdsa")
    port = free_port()
    with Program([need("gnutls-serv"), "--echo", "--port", port, "--x509certfile", certificate,
                  "--x509keyfile", key, *options]) as peer:
        peer.wait_for("done$|listening|ready")
        yield port


def test_gnutls_serv():
    for version in VERSIONS:
        with gnutls_serv("--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}") as port:
            output = client(port, "hello", "x" * 5000, "third")
            has(output, f"handshake TLSv{version} ", "line: hello", "line: xxx", "line: third",
                "closed: local")


def test_gnutls_serv_half_close():
    for version in VERSIONS:
        with gnutls_serv("--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}") as port:
            has(client(port, "first", "x" * 5000, "third", options=("--ca", "--half")),
                f"handshake TLSv{version} ", "line: first", "line: xxx", "line: third",
                "closed: peer finished")


def test_gnutls_serv_resumes():
    for version in VERSIONS:
        with gnutls_serv("--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}") as port:
            output = client(port, "hello", options=("--ca", "--twice"))
            check_that(output, output.count("line: hello") == 2 and "reused=true" in output)


@contextlib.contextmanager
def python_server(serve, version=None, **more):
    """A thread that calls `serve` with one connection of Python's ssl; its port. What fails in it
    fails the test."""
    context = python_context(ssl.PROTOCOL_TLS_SERVER, version, "ecdsa")
    problems = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)

        def work():
            try:
                plain, _ = listener.accept()
                plain.settimeout(DEADLINE)
                more.get("before", lambda _: None)(plain)
                with context.wrap_socket(plain, server_side=True) as peer:
                    serve(peer)
            except Exception as error:  # told in the thread of the test
                problems.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(DEADLINE)
        if problems:
            raise problems[0]


def test_python():
    def serve(peer):
        for line in peer.makefile("rb"):
            peer.sendall(line[:-1][::-1] + b"\n")
        peer.unwrap()

    for version in VERSIONS.values():
        with python_server(serve, version) as port:
            has(client(port, "hello", "x" * 100000, "third"),
                "line: olleh", "line: xxx", "line: driht", "closed: local")


def test_python_half_close():
    """The client ends its stream first, and still receives."""
    def serve(peer):
        received = b""
        while b"second\n" not in received:
            received += peer.recv(100)
        check("the end", peer.recv(100), b"")
        peer.sendall(b"after your end\n")
        peer.unwrap()

    for version in VERSIONS.values():
        with python_server(serve, version) as port:
            has(client(port, "first", "second", options=("--ca", "--half")),
                "line: after your end", "closed: peer finished")


def test_python_without_close_notify():
    def serve(peer):
        peer.sendall(peer.recv(100))
        check("the end", peer.recv(100), b"")  # what is not read would make the end a reset

    with python_server(serve) as port:
        has(client(port, "hello", options=("--ca", "--half")), "line: hello", "closed: tls truncated")


def test_python_starttls():
    def in_clear(plain):
        plain.sendall(b"220 hello\r\n")
        check("EHLO", plain.recv(100), b"EHLO localhost\r\n")
        plain.sendall(b"250-localhost\r\n250 STARTTLS\r\n")
        check("STARTTLS", plain.recv(100), b"STARTTLS\r\n")
        plain.sendall(b"220 go ahead\r\n")

    def serve(peer):
        peer.sendall(peer.recv(100))
        check("the end", peer.recv(100), b"")
        peer.unwrap()

    with python_server(serve, before=in_clear) as port:
        has(client(port, "inside", options=("--ca", "--starttls")), "handshake", "line: inside",
            "closed: local")


def test_asyncio():
    output = []

    async def echo(reader, writer):
        while True:
            line = await reader.readline()
            if not line:
                break
            writer.write(line)
        writer.close()

    async def serve():
        context = python_context(ssl.PROTOCOL_TLS_SERVER, None, "rsa")
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            loop = asyncio.get_running_loop()
            output.append(await loop.run_in_executor(None, client, port, "hello", "third"))

    asyncio.run(asyncio.wait_for(serve(), DEADLINE))
    has(output[0], "line: hello", "line: third", "closed: local")


GO_SERVER = """package main

import ("bufio"; "crypto/tls"; "fmt"; "os")

func must(err error) { if err != nil { fmt.Println(err); os.Exit(1) } }

func main() {
    pair, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2]); must(err)
    listener, err := tls.Listen("tcp", "127.0.0.1:0",
        &tls.Config{Certificates: []tls.Certificate{pair}}); must(err)
    fmt.Println("listening on", listener.Addr())
    for {
        peer, err := listener.Accept(); must(err)
        in := bufio.NewReader(peer)
        for {
            line, err := in.ReadString('\\n')
            if err != nil { fmt.Fprintf(peer, "the end: %v\\n", err); break }
            _, err = peer.Write([]byte(line)); must(err)
        }
        must(peer.Close())
    }
}
"""


def test_go():
    go = need("go")
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "server.go"), os.path.join(folder, "server")
        with open(source, "w", encoding="ascii") as file:
            file.write(GO_SERVER)
        environment = {**os.environ, "GOCACHE": os.path.join(folder, "cache"), "GO111MODULE": "off",
                       "GOFLAGS": "", "GOPROXY": "off"}
        done = run([go, "build", "-o", program, source], deadline=4 * DEADLINE, env=environment)
        check("go build", (done.returncode, done.stderr), (0, b""))
        with Program([program, *files("ecdsa")]) as peer:
            port = peer.address()[1]
            for option in "--tls12", "--tls13":
                has(client(port, "hello", "third", options=("--ca", "--half", option)),
                    "line: hello", "line: third", "line: the end: EOF", "closed: peer finished")
            has(client(port, "hello", options=("--ca", "--twice")), "line: hello", "closed: local",
                "handshake TLSv1.3 TLS_AES_128_GCM_SHA256 reused=true", "line: hello")


interop_support.main(globals())
