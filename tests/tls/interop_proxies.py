"""Programs between the library and others: stunnel, HAProxy, nginx. In front of the library's server
they take plain text and speak TLS with it; behind them is a plain server, and the library's client
speaks TLS with them.

    interop_proxies.py PATH-OF-asynchat_tls_peer [test_NAME...]
"""

import contextlib
import os
import socket
import threading
import time

import interop_support
from interop_support import FOLDER, VERSIONS, client, files, path, server
from support import (DEADLINE, Program, check, check_that, connect, free_port, need, receive_all,
                     receive_exactly, skip)

HOST = "127.0.0.1"
DATA = b"".join(b"%d %s\n" % (i, b"x" * (i * 7 % 3000)) for i in range(500))


def file_of(name, text):
    name = path(name)
    with open(name, "w", encoding="ascii") as file:
        file.write(text)
    return name


@contextlib.contextmanager
def running(command, port, **more):
    """A program, when it listens."""
    with Program(command, **more) as program:
        end = time.monotonic() + DEADLINE
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
                break
            check_that(f"{command[0]} has ended", program.process.poll() is None)
            check_that(f"{command[0]} does not listen", time.monotonic() < end)
            time.sleep(0.02)
        yield program


def stunnel(port, to, is_client):
    certificate, key = files("ecdsa")
    own = (f"client = yes\nCAfile = {path('ca.pem')}\nverifyChain = yes\ncheckHost = localhost\n"
           "sni = localhost\n" if is_client else f"cert = {certificate}\nkey = {key}\n")
    config = file_of(f"stunnel-{port}", f"foreground = yes\npid =\nsyslog = no\n[service]\n"
                     f"accept = {HOST}:{port}\nconnect = {HOST}:{to}\n{own}")
    return running([need("stunnel", "stunnel4"), config], port)


def haproxy(port, to, is_client):
    certificate, key = files("ecdsa")
    both = file_of(f"pair-{port}", "".join(open(name, encoding="ascii").read()
                                           for name in (certificate, key)))
    bind = "" if is_client else f"ssl crt {both}"
    own = (f"ssl verify required ca-file {path('ca.pem')} sni str(localhost) verifyhost localhost"
           if is_client else "")
    config = file_of(f"haproxy-{port}", "defaults\n mode tcp\n timeout connect 10s\n"
                     " timeout client 60s\n timeout server 60s\n"
                     f"listen service\n bind {HOST}:{port} {bind}\n"
                     f" server one {HOST}:{to} {own}\n")
    return running([need("haproxy"), "-db", "-f", config], port)


def nginx(port, to, is_client):
    program = need("nginx")
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    if not os.path.exists(module):
        skip("the stream module of nginx is not installed")
    certificate, key = files("ecdsa")
    own = (f"proxy_ssl on; proxy_ssl_verify on; proxy_ssl_trusted_certificate {path('ca.pem')};"
           " proxy_ssl_server_name on; proxy_ssl_name localhost; proxy_ssl_protocols TLSv1.2 TLSv1.3;"
           if is_client else f"ssl_certificate {certificate}; ssl_certificate_key {key};"
           " ssl_protocols TLSv1.2 TLSv1.3;")
    config = file_of(f"nginx-{port}", f"load_module {module};\ndaemon off; master_process off;\n"
                     f"pid {path('nginx.pid')}; error_log stderr;\nevents {{}}\n"
                     f"stream {{ server {{ listen {HOST}:{port}{'' if is_client else ' ssl'}; {own}"
                     f" proxy_half_close on; proxy_pass {HOST}:{to}; }} }}\n")
    return running([program, "-p", FOLDER.name, "-e", "stderr", "-c", config], port)


def echoes_through(front, says_end=True):
    """What a plain client sends through `front` comes back; the end of its stream arrives as
    close_notify, unless the program does not send that."""
    with server() as ours:
        port = free_port()
        with front(port, ours.address()[1], True), connect((HOST, port)) as peer:
            sender = threading.Thread(target=peer.sendall, args=(DATA,))
            sender.start()
            check_that("the same bytes", receive_exactly(peer, len(DATA)) == DATA)
            sender.join()
            peer.shutdown(socket.SHUT_WR)
            check("behind the end of the client's stream", receive_all(peer),
                  b"bye\n" if says_end else b"")
            ours.wait_for("handshake TLSv1.3 ")
            ours.wait_for("closed: local" if says_end else "closed: tls truncated")
        ours.stop()


@contextlib.contextmanager
def plain_server():
    """Sends each line back, and "bye" at the end; its port."""
    def serve(peer):
        with contextlib.suppress(OSError), peer:
            while data := peer.recv(65536):
                peer.sendall(data)
            peer.sendall(b"bye\n")

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]


def echoes_behind(front):
    """What the library's client sends to `front`, which ends TLS, comes back."""
    with plain_server() as to:
        port = free_port()
        with front(port, to, False):
            for version in VERSIONS:
                output = client(port, "hello", "x" * 5000, "third",
                                options=("--ca", "--tls" + version.replace(".", "")))
                for line in (f"handshake TLSv{version} ", "line: hello", "line: xxx",
                             "line: third", "closed: local"):
                    check_that(f"no '{line}' in\n{output}", line in output)
            output = client(port, "hello", options=("--ca", "--half"))
            check_that(output, "line: hello" in output and "line: bye" in output)


def test_stunnel():
    echoes_through(stunnel)
    echoes_behind(stunnel)


def test_haproxy():
    echoes_through(haproxy)
    echoes_behind(haproxy)


def test_nginx():
    echoes_through(nginx, says_end=False)
    echoes_behind(nginx)


interop_support.main(globals())
