"""Certificates for the tests, made with the openssl program: an authority, and what it issues."""

import os
import tempfile

from support import check_that, example, need, run, skip


class Authority:
    """Files in a folder that is removed at the end: ca.pem, and two for each name.

        with Authority() as ca:
            certificate, key = ca.issue("localhost", "127.0.0.1")
    """

    def __init__(self, name="test authority"):
        self.openssl = need("openssl")
        self.folder = tempfile.TemporaryDirectory()
        self.pem, self.key = self.path("ca.pem"), self.path("ca.key")
        self.call("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", self.key, "-out", self.pem, "-days", "2", "-subj", f"/CN={name}",
                  "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # the library wants it

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def call(self, *arguments):
        done = run([self.openssl, *arguments])
        check_that(f"openssl {arguments}: {done.stderr}", done.returncode == 0)

    def issue(self, name, *hosts, days=1):
        """A certificate for these hosts, with `name` as its subject. Negative days: expired."""
        request, certificate, key = (self.path(name + end) for end in (".csr", ".pem", ".key"))
        self.call("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        extensions = self.path(name + ".ext")
        alternatives = ",".join(("IP:" if host[:1].isdigit() or ":" in host else "DNS:") + host
                                for host in hosts or [name])
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={alternatives}\n"
                       "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        self.call("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key,
                  "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", certificate)
        return certificate, key


def has_tls():
    """Whether the examples were built with OpenSSL: only then there is this one."""
    return os.path.exists(example("starttls"))


def need_tls():
    if not has_tls():
        skip("the examples were built without OpenSSL")
