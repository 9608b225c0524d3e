"""starttls against smtplib, Python's mail client."""

import base64
import smtplib
import ssl

import support
from certificates import Authority, need_tls
from support import Program, check, check_that, connect, example, receive_all, run

STARTTLS = example("starttls")


def credentials(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def test_smtplib():
    need_tls()
    with Authority() as ca, Program([STARTTLS, *ca.issue("localhost")]) as server:
        host, port = server.address()
        with smtplib.SMTP(host, port, timeout=support.DEADLINE) as client:
            client._host = "localhost"  # the name that starttls() checks
            client.ehlo()
            check_that("AUTH is not offered in the clear", not client.has_extn("auth"))
            check("AUTH", client.docmd("AUTH", f"PLAIN {credentials('ann', 'secret')}")[0], 530)
            check("STARTTLS", client.starttls(context=trusting(ca))[0], 220)
            check_that("TLS is on", client.sock.version().startswith("TLS"))
            client.ehlo()
            check_that("it is not offered twice", not client.has_extn("starttls"))
            check("STARTTLS again", client.docmd("STARTTLS")[0], 502)
            check("a wrong password",
                  client.docmd("AUTH", f"PLAIN {credentials('ann', 'guess')}")[0], 535)
            check("login", client.login("ann", "secret")[0], 235)
        server.stop()


def trusting(ca):
    return ssl.create_default_context(cafile=ca.pem)


def test_bytes_behind_starttls():
    """They may be from somebody between the two: the connection ends, nothing is answered."""
    need_tls()
    with Authority() as ca, Program([STARTTLS, *ca.issue("localhost")]) as server:
        with connect(server.address()) as peer:
            peer.sendall(b"STARTTLS\r\nEHLO injected\r\n")
            answers = receive_all(peer)
            check_that(f"{answers}", b"250" not in answers)
        server.wait_for("input came before")
        server.stop()


def test_wrong_use():
    need_tls()
    check("exit status", run([STARTTLS]).returncode, 2)


support.main(globals())
