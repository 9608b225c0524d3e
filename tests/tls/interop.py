"""Clients of others at the library's server: openssl, gnutls-cli, Python's ssl, Go.

    interop.py PATH-OF-asynchat_tls_peer [test_NAME...]
"""

import os
import ssl
import tempfile

import interop_support
from interop_support import VERSIONS, Talker, files, path, python_context, server
from support import DEADLINE, check, check_that, connect, need, receive_all, run, wait_until


def s_client(ours, *options):
    """openssl s_client, interactive: K and k are commands at the beginning of a line."""
    host, port = ours.address()
    return Talker([need("openssl"), "s_client", "-connect", f"{host}:{port}", "-CAfile",
                   path("ca.pem"), "-verify_return_error", "-verify_hostname", "localhost",
                   *options])


def test_s_client():
    for version in ("1_2", "1_3"):
        for certificate in ("ecdsa", "rsa"):
            with server(certificate=certificate) as ours, s_client(ours, f"-tls{version}") as peer:
                peer.echoes("hello")
                peer.echoes("x" * 5000)
                ours.wait_for(f"handshake TLSv{version.replace('_', '.')} ")
                peer.process.stdin.close()  # the end of its input: close_notify
                check("exit status", peer.wait(), 0)
                ours.wait_for("closed: local")  # after the end of the peer it closes
                ours.stop()


def test_s_client_leaves_at_the_end():
    """At that of ours it says close_notify and goes: it has no half-close."""
    for version in ("1_2", "1_3"):
        with server() as ours, s_client(ours, f"-tls{version}") as peer:
            peer.say("END")
            ours.wait_for("closed: peer finished")
            peer.wait_for("^closed$")
            ours.stop()


def test_s_client_key_update():
    with server() as ours, s_client(ours, "-tls1_3") as peer:
        for i in range(10):
            peer.say("kK"[i % 2])  # its own key; those of both directions
            wait_until("a new key", lambda: peer.output().count("KEYUPDATE") == i + 1)
            peer.echoes(f"line {i}")
        peer.echoes("x" * 5000)
        ours.stop()


def test_s_client_small_records():
    with server() as ours:
        for options in (["-max_send_frag", "512"], ["-split_send_frag", "600"],
                        ["-read_buf", "100"]):
            with s_client(ours, *options) as peer:
                for i in range(20):
                    peer.echoes(str(i) * 3000)
        ours.stop()


def test_s_client_resumes():
    with server() as ours:
        with s_client(ours, "-tls1_2", "-reconnect") as peer:
            peer.echoes("hello")
            check("resumed", peer.output().count("\nReused, TLSv1.2"), 5)
        for version in ("1_2", "1_3"):
            kept = path("session" + version)
            with s_client(ours, f"-tls{version}", "-sess_out", kept) as peer:
                peer.echoes("second")
            with s_client(ours, f"-tls{version}", "-sess_in", kept) as peer:
                peer.echoes("third")
                peer.wait_for("^Reused, ")
        check("the server knows it", ours.output().count("reused=true"), 7)
        ours.stop()


def test_s_client_starttls():
    with server("--starttls") as ours, s_client(ours, "-starttls", "smtp") as peer:
        peer.echoes("inside")
        ours.stop()


def test_s_client_must_not_renegotiate():
    with server() as ours, s_client(ours, "-tls1_2") as peer, s_client(ours) as other:
        peer.echoes("hello")
        peer.say("R")
        peer.wait_for("no renegotiation")
        ours.wait_for("closed: ")
        other.echoes("the server goes on")
        ours.stop()


def test_s_client_of_older_versions():
    with server() as ours, s_client(ours, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0") as peer:
        ours.wait_for("closed: tls error")
        check_that("refused", peer.wait() != 0)
        ours.stop()


def test_s_client_certificate():
    with server("--ca", path("ca.pem")) as ours:
        certificate, key = files("client")
        with s_client(ours, "-cert", certificate, "-key", key) as peer:
            peer.echoes("hello")
            ours.wait_for("peer=CN=alice")
        with s_client(ours) as peer:
            ours.wait_for("closed: tls error")
        ours.stop()


def test_s_client_alpn():
    with server("--alpn", "chat/2,chat/1") as ours:
        with s_client(ours, "-alpn", "chat/1,chat/2") as peer:
            peer.echoes("hello")
            ours.wait_for("alpn=chat/2")
        with s_client(ours, "-alpn", "other") as peer:
            ours.wait_for("closed: tls error")
        ours.stop()


def gnutls_cli(ours, *options):
    host, port = ours.address()
    return Talker([need("gnutls-cli"), "--x509cafile", path("ca.pem"), "--port", port,
                   "--verify-hostname", "localhost", *options, host])


def test_gnutls_cli():
    for version in VERSIONS:
        with server() as ours:
            options = "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}"
            with gnutls_cli(ours, *options) as peer:
                peer.echoes("hello")
                peer.echoes("x" * 5000)
                ours.wait_for(f"handshake TLSv{version}")
            ours.stop()


def test_gnutls_cli_half_close():
    """It ends its stream at the end of its input, and still prints what comes. After the end of ours
    it leaves, without close_notify."""
    for version in VERSIONS:
        options = "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}"
        with server() as ours:
            with gnutls_cli(ours, *options) as peer:
                peer.say("hello")
                peer.process.stdin.close()
                check("exit status", peer.wait(), 0)
                check_that(peer.output(), "\nhello\nbye\n" in peer.output())
                ours.wait_for("closed: local")
            with gnutls_cli(ours, *options) as peer:
                peer.say("END")
                ours.wait_for("closed: tls truncated")
            ours.stop()


def test_gnutls_cli_resumes():
    for version in VERSIONS:
        with server() as ours:
            with gnutls_cli(ours, "--resume", "--priority",
                            f"NORMAL:-VERS-ALL:+VERS-TLS{version}") as peer:
                peer.wait_for("This is a resumed session")
                peer.echoes("again")
                ours.wait_for("reused=true")
            ours.stop()


def test_gnutls_cli_changes_keys():
    with server() as ours:
        with gnutls_cli(ours, "--inline-commands") as peer:
            for command in ("^rekey^", "^rekey1^"):
                peer.echoes("before")
                peer.say(command)
                peer.echoes("after " + command.strip("^"))
        ours.stop()


def test_python():
    data = b"".join(b"%d %s\n" % (i, b"x" * 1000) for i in range(1000))
    for version in VERSIONS.values():
        with server() as ours:
            context = python_context(ssl.PROTOCOL_TLS_CLIENT, version)
            peer = context.wrap_socket(connect(ours.address()), server_hostname="localhost")
            with peer:
                received = b""
                for at in range(0, len(data), 50000):
                    peer.sendall(data[at:at + 50000])
                    while len(received) < min(at + 40000, len(data)):
                        received += peer.recv(65536)
                while len(received) < len(data):
                    received += peer.recv(65536)
                check_that("the same bytes", received == data)
            ours.wait_for("closed: tls truncated")  # Python closes without close_notify
            ours.stop()


def test_python_half_close():
    """It ends its stream, and still receives; only over a BIO it can."""
    for version in VERSIONS.values():
        with server() as ours, connect(ours.address()) as peer:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = python_context(ssl.PROTOCOL_TLS_CLIENT, version).wrap_bio(
                incoming, outgoing, server_hostname="localhost")

            def until_done(step):
                while True:
                    try:
                        return step()
                    except ssl.SSLWantReadError:
                        peer.sendall(outgoing.read())
                        incoming.write(peer.recv(65536))

            until_done(tls.do_handshake)
            tls.write(b"one\n")
            try:
                tls.unwrap()  # close_notify
            except ssl.SSLWantReadError:
                peer.sendall(outgoing.read())
            received = b""
            while len(received) < 8:
                received += until_done(lambda: tls.read(8))
            check("behind close_notify", received, b"one\nbye\n")
            ours.wait_for("closed: local")
            ours.stop()


def test_python_receives_the_end_first():
    for version in VERSIONS.values():
        with server() as ours:
            context = python_context(ssl.PROTOCOL_TLS_CLIENT, version)
            with context.wrap_socket(connect(ours.address()), server_hostname="localhost") as peer:
                peer.sendall(b"END\n")
                check("the end", peer.recv(10), b"")
                if version == ssl.TLSVersion.TLSv1_3:
                    peer.sendall(b"still here\n")
                    ours.wait_for("line: still here")
                peer.unwrap()
            ours.wait_for("closed: peer finished")
            ours.stop()


GO_CLIENT = """package main

import ("bufio"; "crypto/tls"; "crypto/x509"; "fmt"; "os")

func must(err error) { if err != nil { fmt.Println(err); os.Exit(1) } }

func main() {
    pem, err := os.ReadFile(os.Args[2]); must(err)
    roots := x509.NewCertPool(); roots.AppendCertsFromPEM(pem)
    for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
        peer, err := tls.Dial("tcp", os.Args[1], &tls.Config{RootCAs: roots,
            ServerName: "localhost", MinVersion: version, MaxVersion: version}); must(err)
        in := bufio.NewReader(peer)
        for i := 0; i < 1000; i++ {
            want := fmt.Sprintf("line %d %01000d\\n", i, i)
            _, err = peer.Write([]byte(want)); must(err)
            got, err := in.ReadString('\\n'); must(err)
            if got != want { fmt.Println("got", got); os.Exit(1) }
        }
        must(peer.CloseWrite())
        got, err := in.ReadString('\\n'); must(err)
        fmt.Print(got)
        _, err = in.ReadByte(); fmt.Println(err)
        peer.Close()
    }
}
"""


def test_go():
    go = need("go")
    with tempfile.TemporaryDirectory() as folder, server() as ours:
        source = os.path.join(folder, "client.go")
        with open(source, "w", encoding="ascii") as file:
            file.write(GO_CLIENT)
        environment = {**os.environ, "GOCACHE": os.path.join(folder, "cache"), "GO111MODULE": "off",
                       "GOFLAGS": "", "GOPROXY": "off"}
        done = run([go, "run", source, "%s:%d" % ours.address(), path("ca.pem")],
                   deadline=4 * DEADLINE, env=environment)  # compiles crypto/tls at first
        check("half-closes", (done.stdout, done.stderr), (b"bye\nEOF\n" * 2, b""))
        ours.stop()


def test_what_is_no_tls():
    with server() as ours:
        for data, words in ((b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "plain HTTP"),
                            (b"EHLO localhost\r\n", "tls error")):
            with connect(ours.address()) as peer:
                peer.sendall(data)
                check_that("no answer in the clear", b"220" not in receive_all(peer))
            ours.wait_for(f"closed: .*{words}")
        ours.stop()


interop_support.main(globals())
