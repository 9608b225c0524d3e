"""starttls against smtplib, Python's mail client, and swaks."""

import base64
import re
import smtplib
import ssl

import support
from certificates import Authority, need_tls
from support import Program, check, check_that, connect, example, need, receive_all, run

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


def test_swaks():
    need_tls()
    swaks = need("swaks")
    with Authority() as ca, Program([STARTTLS, *ca.issue("localhost")]) as server:
        common = [swaks, "--server", "%s:%d" % server.address(), "--helo", "localhost", "--from",
                  "ann@localhost", "--to", "bob@localhost", "--quit-after", "AUTH", "--auth",
                  "PLAIN", "--auth-user", "ann", "--auth-password", "secret"]
        done = run([*common, "--tls", "--tls-verify", "--tls-ca-path", ca.pem])
        output = done.stdout.decode()
        check_that(output, "TLS started with cipher TLSv1.3" in output)
        check_that(output, re.search(r"^<~ +235 ", output, re.M))
        check("exit status", done.returncode, 0)
        refused = run(common).stdout.decode()  # in the clear
        check_that(refused, not re.search(r"^<[-~*]+ +235 ", refused, re.M))
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
