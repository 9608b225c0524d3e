"""The PROXY protocol with other programs: the verdicts of the library and of HAProxy on the same
headers; HAProxy, nginx and curl in front of the library's server.

    interop.py PATH-OF-asynchat_proxy_peer [test_NAME...]
"""

import contextlib
import os
import re
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples"))
import support  # noqa: E402
from support import (DEADLINE, Program, check, check_that, connect, free_port,  # noqa: E402
                     need, receive_all, receive_exactly, run, skip, wait_until)

PEER = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
HOST = "127.0.0.1"
REQUEST = b"GET / HTTP/1.0\r\n\r\n"
REFUSED = "refused"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

def server():
    return Program([PEER, "server"])


def folder():
    return tempfile.TemporaryDirectory()


def verdict(address, header, is_whole=True):
    """The addresses that a server has understood, or that it refuses the connection; its address of
    this side is written as "me"."""
    with connect(address) as peer, contextlib.suppress(ConnectionError):
        me = "%s:%d" % peer.getsockname()
        peer.sendall(header + (REQUEST if is_whole else b""))
        if not is_whole:
            with contextlib.suppress(OSError):  # it may have closed already
                peer.shutdown(socket.SHUT_WR)
        answer = receive_all(peer).partition(b"\r\n\r\n")[2].decode()
        answer = re.sub(r":0\b", ":", answer)  # HAProxy writes no port 0
        return answer.replace(me, "me").replace("%s:%d" % address, "you") or REFUSED
    return REFUSED


@contextlib.contextmanager
def haproxy(config, listener=None):
    with folder() as where:
        name = os.path.join(where, "haproxy.cfg")
        with open(name, "w", encoding="ascii") as file:
            file.write(config)
        fds = [listener.fileno()] if listener else []
        with Program([need("haproxy"), "-db", "-f", name], pass_fds=fds) as program:
            yield program


DEFAULTS = ("defaults\n timeout connect 10s\n timeout client 60s\n timeout server 60s\n"
            " timeout http-request 60s\n")


def rows():
    done = run([PEER, "table"])
    check("exit status of the table", done.returncode, 0)
    for line in done.stdout.decode().splitlines():
        digits, text = line.split("\t")
        yield bytes.fromhex(digits), text


def may_differ(header, text):
    """Why HAProxy 2.6 decides otherwise on some headers of the table, or None."""
    if header.startswith(b"PROXY UNKNOWN "):
        return "HAProxy knows UNKNOWN alone; what follows it has to be ignored"
    if "not a number" in text or "not one of IPv4" in text:
        return "HAProxy reads numbers that are too large, or have zeros in front, or are not there"
    if header.startswith(SIGNATURE) and header[12] == 0x21 and header[13] not in (0x11, 0x21):
        return "HAProxy reads its own signature as a TLV when it does not use the family"
    if "the limit is 1024" in text:
        return "HAProxy's limit is that of its buffer"
    return None


def test_verdicts():
    """The same headers to HAProxy and to the library."""
    same, others = 0, {}
    with server() as ours, socket.create_server((HOST, 0)) as listener, \
            haproxy(f"{DEFAULTS} mode http\nfrontend f\n bind fd@{listener.fileno()} accept-proxy\n"
                    " http-request return status 200 content-type text/plain lf-string "
                    "\"%[src]:%[src_port] %[dst]:%[dst_port]\"\n", listener):
        theirs = listener.getsockname()
        for header, text in rows():
            is_whole = text != "incomplete"
            got = verdict(ours.address(), header, is_whole)
            other = verdict(theirs, header, is_whole)
            if got == other:
                same += 1
                continue
            why = may_differ(header, text)
            check_that(f"{header}: {got} here, {other} by HAProxy", why)
            others[why] = others.get(why, 0) + 1
        ours.stop()
    check("how many verdicts are the same and not, see docs/server.md",
          (same, sorted(others.values())), (125, [1, 4, 12, 12]))
    for why, count in others.items():
        print(f"{count} are not: {why}")


def says(port, *lines):
    """Each line, through a proxy on this port, comes back."""
    with connect((HOST, port)) as peer:
        for line in lines:
            peer.sendall(line + b"\n")
            check("the answer", receive_exactly(peer, len(line) + 1), line + b"\n")
        return "%s:%d" % peer.getsockname()


def haproxy_in_front(to, listener, options):
    return haproxy(f"{DEFAULTS} mode tcp\n unique-id-format %[str(id-17)]\n"
                   f"listen service\n bind fd@{listener.fileno()}\n option tcp-check\n"
                   " tcp-check send-lf hello%[str(\\\\n)]\n tcp-check expect string hello\n"
                   f" server one {HOST}:{to} {options}\n", listener)


def test_haproxy_in_front():
    """Version 1 and 2, with TLVs, and checks of the server."""
    for options, version in (("send-proxy", 1), ("send-proxy-v2", 2),
                             ("send-proxy-v2 proxy-v2-options unique-id,crc32c", 2)):
        with server() as ours, socket.create_server((HOST, 0)) as listener, \
                haproxy_in_front(ours.address()[1], listener,
                                 f"{options} check check-send-proxy inter 100ms"):
            me = says(listener.getsockname()[1], b"hello", b"x" * 5000)
            opened = ours.wait_for(f"opened {me} .* local=False id=(.*) authority")
            check("the id", opened.group(1), "id-17" if "unique-id" in options else "")
            ours.wait_for(f"opened {me} {HOST}:{listener.getsockname()[1]} version={version}")
            if version == 2:  # the checks of version 1 look like clients
                ours.wait_for("opened .* version=2 local=True")
            check_that("HAProxy is content", "log:" not in ours.output())
            ours.stop()


def test_nginx_in_front():
    program = need("nginx")
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    if not os.path.exists(module):
        skip("the stream module of nginx is not installed")
    with server() as ours, folder() as where:
        port = free_port()
        name = os.path.join(where, "nginx.conf")
        with open(name, "w", encoding="ascii") as file:
            file.write(f"load_module {module};\ndaemon off; master_process off;\n"
                       f"pid {where}/nginx.pid; error_log stderr;\nevents {{}}\n"
                       f"stream {{ server {{ listen {HOST}:{port}; proxy_protocol on;"
                       f" proxy_pass {HOST}:{ours.address()[1]}; }} }}\n")
        with Program([program, "-p", where, "-e", "stderr", "-c", name]) as nginx:
            wait_until("nginx listens", lambda: nginx.process.poll() is None and listens(port))
            me = says(port, b"hello", b"x" * 5000)
            ours.wait_for(f"opened {me} {HOST}:{port} version=1 ")
            ours.stop()


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), DEADLINE):
        return True
    return False


def test_curl():
    with server() as ours:
        host, port = ours.address()
        done = run([need("curl"), "-sS", "--haproxy-protocol", f"http://{host}:{port}/"])
        check("exit status of curl", (done.returncode, done.stderr), (0, b""))
        check_that(done.stdout, re.fullmatch(rb"127\.0\.0\.1:\d+ 127\.0\.0\.1:%d" % port, done.stdout))
        ours.wait_for("opened .* version=1 local=False")
        ours.stop()


support.main(globals())
