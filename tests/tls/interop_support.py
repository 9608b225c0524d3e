"""What interop.py and interop_servers.py share. Their argument is the program asynchat_tls_peer,
the side that is made of the library; interop_peer.cpp has its options."""

import atexit
import os
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples"))
import support  # noqa: E402
from support import Program, check_that, run  # noqa: E402

PEER = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
FOLDER = tempfile.TemporaryDirectory()
atexit.register(FOLDER.cleanup)


def path(name):
    """A file of the folder with the certificates, which are made at first use."""
    if not os.path.exists(os.path.join(FOLDER.name, "ca.pem")):
        check_that("certificates", run([PEER, "certificates", FOLDER.name]).returncode == 0)
    return os.path.join(FOLDER.name, name)


def files(name):
    return path(name + ".pem"), path(name + ".key")


class Talker(Program):
    """A program that is told lines."""

    def __init__(self, command, **more):
        super().__init__(command, stdin=subprocess.PIPE, **more)

    def echoes(self, line, answer=None):
        """Says a line, and waits for it, or for another one, in the output: at the end of a line, as
        openssl writes in the middle of its own lines."""
        self.say(line)
        self.wait_for(f"{answer or line}$")


def server(*options, certificate="ecdsa"):
    """The library's echo server."""
    return Program([PEER, "server", *options, *files(certificate)])


def client(port, *lines, options=("--ca",)):
    """The library's client: its output as one text."""
    options = [part for option in options
               for part in ((option, path("ca.pem")) if option == "--ca" else (option,))]
    done = run([PEER, "client", *options, "localhost", port, *lines])
    return done.stdout.decode() + done.stderr.decode()


def python_context(side, version=None, certificate=None):
    """An SSLContext that trusts the authority of the tests."""
    context = ssl.SSLContext(side)
    context.load_verify_locations(path("ca.pem"))
    if certificate:
        context.load_cert_chain(*files(certificate))
    if version:
        context.minimum_version = context.maximum_version = version
    return context


VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

main = support.main
