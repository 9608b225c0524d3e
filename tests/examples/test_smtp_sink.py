"""smtp_sink against smtplib, swaks, Postfix's smtp-source, and peers that mean no good.

    python3 test_smtp_sink.py FOLDER-OF-BUILT-EXAMPLES [test_NAME...]
"""

import asyncio
import collections
import concurrent.futures
import contextlib
import fcntl
import os
import re
import resource
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import tempfile
import threading

import support
from certificates import Authority, need_tls
from support import (Program, check, check_that, connect, example, free_port, need, receive_all, run,
                     unpacked, wait_until)

SMTP_SINK = example("smtp_sink")
ANN, BOB = "ann@example.org", "bob@example.org"


class Sink(Program):
    """A running smtp_sink with a maildir that is removed at the end. `under` starts it."""

    def __init__(self, *options, folder=None, host="127.0.0.1", port=0, under=(), **more):
        self.temporary = None if folder else tempfile.TemporaryDirectory()
        self.folder = folder or os.path.join(self.temporary.name, "mail")
        super().__init__([*under, SMTP_SINK, "--maildir", self.folder, *options, host, port],
                         **more)

    def __exit__(self, *exception):
        super().__exit__(*exception)
        if self.temporary:
            self.temporary.cleanup()

    def names(self, where="new"):
        return sorted(os.listdir(os.path.join(self.folder, where)))

    def messages(self):
        """What has arrived, as bytes, in the order of the names."""
        result = []
        for name in self.names():
            with open(os.path.join(self.folder, "new", name), "rb") as file:
                result.append(file.read())
        return result

    def check_nothing_is_left(self):
        """Files of messages that did not arrive are removed a little later."""
        wait_until("nothing is left in tmp", lambda: not self.names("tmp"))

    def mail(self):
        """A client of Python, that has said EHLO."""
        client = smtplib.SMTP(*self.address(), local_hostname="client.example",
                              timeout=support.DEADLINE)
        client.ehlo()
        return client

    def peak(self):
        """The most memory that it has had so far, in bytes."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) * 1024


class Raw:
    """A plain connection that has read the greeting."""

    def __init__(self, sink):
        self.peer = connect(sink.address())
        self.stream = self.peer.makefile("rb")
        check("greeting", self.code(), 220)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.peer.close()

    def send(self, data):
        self.peer.sendall(data)

    def code(self):
        """Of the next answer, of one line or more; None at the end of the stream."""
        with contextlib.suppress(ConnectionResetError):
            line = self.stream.readline()
            while line[3:4] == b"-":
                line = self.stream.readline()
            return int(line[:3]) if line else None

    def ask(self, line):
        self.send(line + b"\r\n")
        return self.code()

    def begin(self):
        """Up to the answer to DATA."""
        self.send(b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
        check("codes", [self.code() for _ in range(4)], [250, 250, 250, 354])

    def reset(self):
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.close()
        self.peer.close()


def test_smtplib():
    text = (b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\nb.\r\n\r\n\xe4\x00\xff \xc3\xa4\r\n"
            + b"x" * 5000 + b"\r\n")
    with Sink() as sink, sink.mail() as client:
        check("features", sorted(client.esmtp_features),
              ["8bitmime", "enhancedstatuscodes", "pipelining", "size", "smtputf8"])
        check("nobody is refused", client.sendmail(ANN, [BOB, "carl@[127.0.0.1]"], text,
                                                   ["BODY=8BITMIME", "SIZE=5050"]), {})
        client.sendmail("", ["Postmaster"], "Subject: a bounce\r\n\r\n")
        client.quit()
        (first, second) = sink.messages()
        header, _, stored = first.partition(b" +0000\n")
        check("the text", stored, text.replace(b"\r\n", b"\n"))
        check("the header", re.sub(rb"\d+\.M\w+\..*;|\w+, \d.*|by \S+", b"...", header),
              b"Return-Path: <ann@example.org>\nDelivered-To: bob@example.org\n"
              b"Delivered-To: carl@[127.0.0.1]\nReceived: from client.example ([127.0.0.1])\n"
              b"\t... with ESMTP id ...\n\t...")
        check_that("its name is in it", sink.names()[0].encode() in header)
        check_that("a bounce", second.startswith(b"Return-Path: <>\nDelivered-To: Postmaster\n"))
        sink.check_nothing_is_left()
        sink.stop()
        check_that(sink.output(), re.search(r"^2 messages of \d+ bytes on 1 conn", sink.output(), re.M))


def test_ipv6():
    """Such an address has a mark in front, RFC 5321, section 4.1.3."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        support.skip("no IPv6 here")
    with Sink(host="::1") as sink, Raw(sink) as client:
        client.begin()
        check("the end", client.ask(b"."), 250)
        check_that("the address", b"\nReceived: from c ([IPv6:::1])\n" in sink.messages()[0])


def test_an_empty_message():
    with Sink() as sink, Raw(sink) as client:
        client.begin()
        check("the end", client.ask(b"."), 250)
        check_that("it is there", sink.messages()[0].endswith(b" +0000\n"))


def test_smtputf8():
    with Sink() as sink, sink.mail() as client:
        name = "j\u00f6rg@b\u00fccher.example"
        check("without SMTPUTF8", client.docmd(f"MAIL FROM:<{ANN}>")[0], 250)
        client.command_encoding = "utf-8"
        check("such a recipient", client.docmd(f"RCPT TO:<{name}>")[0], 553)
        client.rset()
        client.sendmail(name, ["\u4f8b@\u4f8b.example"], "Subject: x\r\n\r\n", ["SMTPUTF8"])
        stored = sink.messages()[0].decode()
        check_that(stored, stored.startswith(f"Return-Path: <{name}>\nDelivered-To: \u4f8b@"))
        check_that(stored, " with UTF8SMTP id " in stored)
        client.command_encoding = "latin-1"
        check("not UTF-8", client.docmd("MAIL", f"FROM:<{name}> SMTPUTF8")[0], 501)
        check("EHLO", client.docmd("EHLO", "b\u00fccher.example")[0], 501)


# What is said after EHLO, and the code of the last answer.
VERDICTS = [
    (["MAIL FROM:<>"], 250), (["MAIL FROM:<a@b>"], 250), (["mail from: <a@b>  "], 250),
    (["MAIL FROM:<@x,@y:a@b>"], 250), ([r'MAIL FROM:<"a\"> b"@c> BODY=7bit size=3'], 250),
    (["MAIL FROM:<a@[IPv6:::1]>"], 250), (["MAIL FROM:<a+b.c@d-e.f>"], 250),
    (["MAIL FROM:a@b"], 501), (["MAIL FROM:<a@b"], 501), (["MAIL FROM:<a@b>x"], 501),
    (["MAIL FROM:<@>"], 501), (["MAIL FROM:<@b:>"], 501), (["MAIL FROM:<@b,@c>"], 501),
    (["MAIL <a@b>"], 501), (["MAIL"], 501), (["MAIL FROM:"], 501), (["MAIL FROM:<\"a@b>"], 501),
    (["MAIL FROM:<a>"], 553), (["MAIL FROM:<@b>"], 501), (["MAIL FROM:<a b@c>"], 553),
    (["MAIL FROM:<a@b@c>"], 553), (["MAIL FROM:<.a@b>"], 553), (["MAIL FROM:<a..b@c>"], 553),
    (["MAIL FROM:<a@.b>"], 553), (["MAIL FROM:<a@b..c>"], 553), (["MAIL FROM:<a@b c>"], 553),
    (["MAIL FROM:<a@[b>"], 553), (["MAIL FROM:<" + "a" * 65 + "@b>"], 553),
    (["MAIL FROM:<a@" + "b" * 256 + ">"], 553), (["MAIL FROM:<a@b> SIZE"], 501),
    (["MAIL FROM:<a@b> SIZE=1x"], 501), (["MAIL FROM:<a@b> SIZE=" + "9" * 30], 552),
    (["MAIL FROM:<a@b> SIZE=134217728"], 250), (["MAIL FROM:<a@b> SIZE=134217729"], 552),
    (["MAIL FROM:<a@b> BODY=9BIT"], 501), (["MAIL FROM:<a@b> SMTPUTF8=1"], 501),
    (["MAIL FROM:<a@b> RET=FULL"], 555), (["MAIL FROM:<a@b>", "MAIL FROM:<a@b>"], 503),
    (["RCPT TO:<a@b>"], 503), (["DATA"], 503), (["MAIL FROM:<a@b>", "DATA"], 503),
    (["MAIL FROM:<a@b>", "RCPT TO:<>"], 553), (["MAIL FROM:<a@b>", "RCPT TO:<a@b> X=1"], 555),
    (["MAIL FROM:<a@b>", "RCPT TO:<a@b>", "DATA x"], 501),
    (["MAIL FROM:<a@b>", "RCPT TO:<a@b>", "RSET", "DATA"], 503),
    (["MAIL FROM:<a@b>", "RCPT TO:<a@b>", "EHLO c", "DATA"], 503),
    (["MAIL FROM:<a@b>"] + ["RCPT TO:<a@b>"] * 100, 250),
    (["MAIL FROM:<a@b>"] + ["RCPT TO:<a@b>"] * 101, 452),
    (["NOOP x"], 250), (["VRFY a"], 252), (["HELP"], 214), (["EXPN a"], 500), (["STARTTLS"], 502),
    (["EHLO"], 501), (["EHLO a b"], 501), (["HELO a_b"], 250), (["EHLO [::1]"], 250),
    ([""], 500), (["NOOP\0"], 500), (["NOOP \x7f"], 500), (["NOOP " + "x" * 2043], 250),
    (["NOOP " + "x" * 2044], 500), (["QUIT"], 221),
]


def test_verdicts():
    with Sink() as sink:
        for commands, code in VERDICTS:
            with Raw(sink) as client:
                check("EHLO", client.ask(b"EHLO client.example"), 250)
                codes = [client.ask(command.encode()) for command in commands]
                check(f"{commands[-1]!r} after {commands[:-1]}"[:200], codes[-1], code)
        with Raw(sink) as client:
            check("MAIL before EHLO", client.ask(b"MAIL FROM:<a@b>"), 503)
            codes = [client.ask(b"x") for _ in range(20)]
            check("many errors", (codes, client.code()), ([500] * 19 + [421], None))


def test_web_pages():
    """They may send any text to any port of their machine, behind the header of a request."""
    mail = b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n"
    with Sink() as sink:
        for lines in ([b"POST / HTTP/1.1", b"Host: 127.0.0.1"], [b"GET /x HTTP/1.0"],
                      [b"CONNECT a:25 HTTP/1.1"], [b"POST /" + b"x" * 3000 + b" HTTP/1.1", b"host:a"]):
            with Raw(sink) as client:
                client.send(b"\r\n".join(lines) + b"\r\nAccept: */*\r\n\r\n" + mail)
                wanted = [500, 502, None] if len(lines[0]) > 2048 else [502, None]
                check(lines[0][:20], [client.code() for _ in wanted], wanted)
        with Raw(sink) as client:
            check("not HTTP", client.ask(b"NOOP HTTP/1.1 host: x"), 250)
        sink.check_nothing_is_left()
        check("stored", sink.names(), [])


def test_size():
    """Counted as in SMTP: two bytes for the end of a line, none for the dot in front of one."""
    with Sink("--size", "10") as sink:
        for text, code in [(b"12345678\r\n", 250), (b"..2345678\r\n", 250), (b"123456789\r\n", 552),
                           (b"1\r\n" * 4, 552), (b"x" * 1000000 + b"\r\n", 552)]:
            with Raw(sink) as client:
                client.begin()
                client.send(text + b".\r\nNOOP\r\n")
                check(f"{len(text)} bytes", (client.code(), client.code()), (code, 250))
        check("stored", len(sink.names()), 2)
        sink.check_nothing_is_left()


SESSION = (b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<bad>\r\nRCPT TO:<e@f>\r\nDATA\r\n"
           b"Subject: 1\r\n\r\n..\r\n.\r\nMAIL FROM:<g@h>\r\nRCPT TO:<i@j>\r\nDATA\r\n.\r\nQUIT\r\n")
CODES = [250, 250, 250, 553, 250, 354, 250, 250, 250, 354, 250, 221]


def test_pipelining_and_every_cut():
    with Sink() as sink:
        for cut in range(len(SESSION)):
            with Raw(sink) as client:
                client.send(SESSION[:cut])
                client.send(SESSION[cut:])
                check(f"cut at {cut}", [client.code() for _ in CODES], CODES)
                check("the end", client.code(), None)
        texts = collections.Counter(re.sub(rb"Received: .*\n\t.*\n\t.*\n", b"", each)
                                    for each in sink.messages())
        first = b"Return-Path: <a@b>\nDelivered-To: c@d\nDelivered-To: e@f\nSubject: 1\n\n.\n"
        check("messages", texts, {first: len(SESSION),
                                  b"Return-Path: <g@h>\nDelivered-To: i@j\n": len(SESSION)})


def test_a_half_closed_client_gets_its_answers():
    with Sink() as sink, connect(sink.address()) as peer:
        peer.sendall(SESSION[:-len(b"QUIT\r\n")])
        peer.shutdown(socket.SHUT_WR)
        codes = [int(line[:3]) for line in receive_all(peer).split(b"\r\n")[:-1] if line[3:4] == b" "]
        check("codes", codes, [220] + CODES[:-1])


INSIDE = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: smuggled\r\n\r\n.\r\n"


def test_smuggling():
    """Whatever another program may take for the end of a message: nothing of it is kept."""
    ends = [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\n.\r", b"\r\n.\rx\r\n",
            b"\r\n\n.\r\n", b"\r\r\n.\r\n", b"\r\n.\r\r\n", b"\r\n.\0\r\n\n", b"\r\n.\n\r\n"]
    with Sink() as sink:
        for end in ends:
            for cut in range(len(end) + 1):
                with Raw(sink) as client:
                    client.begin()
                    client.send(b"a line" + end[:cut])
                    client.send(end[cut:] + INSIDE)
                    check(f"the answer to {end}, cut at {cut}", client.code(), 550)
                    check("the end", client.code(), None)
        for command in b"NOOP\nNOOP\r\n", b"NOOP\rNOOP\r\n", b"NOOP\r\r\n", b"\nNOOP\r\n":
            with Raw(sink) as client:
                client.send(command)
                check(f"{command}", (client.code(), client.code()), (550, None))
        with Raw(sink) as client:  # a line that is no end for anybody stays what it is
            client.begin()
            client.send(b".. \r\n. \r\n.\0\r\n...\r\n.\r\n")
            check("dots", client.code(), 250)
        check_that("dots", sink.messages()[0].endswith(b"\n. \n \n\0\n..\n"))
        check("messages", len(sink.names()), 1)
        sink.check_nothing_is_left()


def test_starttls():
    need_tls()
    with Authority() as ca, Sink("--tls", *ca.issue("localhost")) as sink:
        context = ssl.create_default_context(cafile=ca.pem)
        with sink.mail() as client:
            client._host = "localhost"  # the name that starttls() checks
            check_that("it is offered", client.has_extn("starttls"))
            check("MAIL", client.docmd("MAIL", "FROM:<a@b>")[0], 250)
            check("STARTTLS", client.starttls(context=context)[0], 220)
            check("what was said before is forgotten", client.docmd("RCPT", "TO:<a@b>")[0], 503)
            check("the name, too", client.docmd("MAIL", "FROM:<a@b>")[0], 503)
            client.ehlo()
            check_that("it is not offered again", not client.has_extn("starttls"))
            check("STARTTLS again", client.docmd("STARTTLS")[0], 503)
            client.sendmail(ANN, [BOB], b"Subject: x\r\n\r\n" + b"secret\r\n" * 100000)
            check("HELO", client.docmd("HELO", "client.example")[0], 250)
            client.sendmail(ANN, [BOB], b"Subject: x\r\n\r\n")
            for message in sink.messages():
                check_that("protocol", b" with ESMTPS id " in message)
        with Raw(sink) as client:
            client.send(b"STARTTLS\r\nNOOP\r\n")  # from somebody between the two
            check_that("no answer to NOOP", client.code() in (220, None))
            check("the end", client.code(), None)
            sink.wait_for("input came before the layer")
        sink.stop()


def test_swaks():
    swaks = need("swaks")
    with Authority() as ca, Sink("--tls", *ca.issue("localhost")) as sink:
        common = [swaks, "--server", "%s:%d" % sink.address(), "--helo", "localhost", "--from", ANN]
        for more, lines in [(["--to", BOB], rb"^<-  250 2\.0\.0 stored as"),
                            (["--to", f"{BOB},carl@example.org", "--pipeline"], rb"^<-  250 2\.0\.0 stored as"),
                            (["--to", BOB, "--tls", "--tls-verify", "--tls-ca-path", ca.pem],
                             rb"^<~  250 2\.0\.0 stored as"),
                            (["--to", BOB, "--attach", "@" + SMTP_SINK], rb"^<-  250 2\.0\.0 stored as")]:
            done = run([*common, *more])
            check_that(f"{more}: {done.stdout[-2000:]}", re.search(lines, done.stdout, re.M))
            check(f"status of {more}", done.returncode, 0)
        check("messages", len(sink.names()), 4)
        sink.stop()


def smtp_source():
    """Postfix's program, and the environment that it wants: its libraries are unpacked with it."""
    program = unpacked("postfix", "usr/sbin/smtp-source")
    libraries = os.path.join(os.path.dirname(program), "..", "lib", "postfix")
    return program, {**os.environ, "LD_LIBRARY_PATH": libraries}


def test_killed():
    """10,000 messages over 100 connections. Killed four times in the middle: each message that was
    acknowledged is there, once and whole, and nothing else is left."""
    program, environment = smtp_source()
    acknowledged, port = [], free_port()
    with tempfile.TemporaryDirectory() as folder:
        for life in range(5):
            with Sink(folder=folder, port=port) as sink:
                check_that("nothing is left over", wait_until("", lambda: sink.address()) and
                           not sink.names("tmp"))
                wanted = 10000 if life < 4 else 10000 - len(acknowledged)
                command = [program, "-v", "-N", "-d", "-s", "100", "-m", str(wanted), "-l", "4000",
                           "-f", ANN, "-t", f".{life}@example.org", f"127.0.0.1:{port}"]
                log = os.path.join(folder, "log")  # too much for a pipe to Python
                with open(log, "wb") as file, subprocess.Popen(
                        command, env=environment, stdout=file, stderr=file) as source:
                    if life < 4:
                        wait_until("many are stored", lambda: len(sink.names()) >= 2000 * (life + 1)
                                   or source.poll() is not None)
                        sink.kill()
                    status = source.wait(support.DEADLINE)
                check_that(f"status {status}", (status == 0) == (life == 4))
                with open(log, "rb") as file:
                    acknowledged += [name.decode() for name in
                                     re.findall(rb"<<< 250 2\.0\.0 stored as (\S+)\n", file.read())]
        check_that(f"{len(acknowledged)} are many", len(acknowledged) >= 10000)
        stored = os.listdir(os.path.join(folder, "new"))
        check("lost", sorted(set(acknowledged) - set(stored)), [])
        check("acknowledged once", len(set(acknowledged)), len(acknowledged))
        recipients = collections.Counter()
        for name in stored:
            with open(os.path.join(folder, "new", name), "rb") as file:
                text = file.read()
            check_that(f"{name} is whole", re.search(rb"\nReceived: .* id %b;\n" % re.escape(
                name.encode()), text, re.S) and len(text) > 4200 and text.endswith(b"X\n"))
            recipients[re.search(rb"^Delivered-To: (\S+)$", text, re.M)[1]] += 1
        check("stored twice", [name for name, times in recipients.items() if times > 1], [])
        with concurrent.futures.ThreadPoolExecutor(16) as pool:  # one after the other may take long
            list(pool.map(lambda name: os.unlink(os.path.join(folder, "new", name)), stored))
        print(f"    {len(acknowledged)} acknowledged, {len(stored)} stored")


def test_synced_before_it_is_acknowledged():
    """A crash of the system cannot be had here, so the order of the calls is looked at."""
    strace = need("strace")
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace")
        mail = os.path.join(folder, "mail")
        for each in mail, *(os.path.join(mail, name) for name in ("cur", "new", "tmp")):
            os.mkdir(each)  # by a run that was killed before it synced this, for all it knows
        command = [strace, "-D", "-f", "-y", "-s", "300", "-o", trace, "-e",
                   "trace=openat,write,fsync,linkat,sendmsg,sendto,unlinkat",
                   "-e", "inject=linkat:error=EEXIST:when=1", SMTP_SINK, "--maildir", mail]
        with Program(command) as sink:
            with contextlib.suppress(AssertionError):
                sink.wait_for("listening on|PTRACE|ptrace")
            if "listening" not in sink.output():
                support.skip("strace may not trace here")
            with smtplib.SMTP(*sink.address(), timeout=support.DEADLINE) as client:
                for size in 10, 100000, 10:
                    client.sendmail(ANN, [BOB], b"Subject: x\r\n\r\n" + b"y" * size)
            sink.stop()
        calls = wait_until("the end of the trace", lambda: whole_calls(trace, sink.pid))
        names = [re.search(r"stored as (\S+?)\\r", call)[1] for call in calls if "stored as" in call]
        check("acknowledged", len(names), 3)
        check("messages", sorted(names), sorted(os.listdir(os.path.join(mail, "new"))))
        opened = [i for i, call in enumerate(calls) if re.match(r'openat\(.*"smtp_sink\.', call)]
        for path, times in (folder, 1), (mail, 3):
            synced = [call for call in calls[:opened[0]] if re.search(rf"^fsync\(\d+<{path}>\) += 0", call)]
            check(f"how often {path} was synced", len(synced), times)
        firsts = [re.search(r'"smtp_sink\.(.*?)"', calls[i])[1] for i in opened]
        check("a name that was taken", names[0], firsts[0] + ".1")
        for first, name in zip(firsts, names):
            steps = [rf"^write\(\d+<.*/tmp/smtp_sink\.{first}>",
                     rf"^fsync\(\d+<.*/tmp/smtp_sink\.{first}>\) += 0", rf'^linkat\(.*"{name}".*= 0',
                     rf'^unlinkat\(.*"smtp_sink\.{first}".*= 0', r"^fsync\(\d+<.*/new>\) += 0",
                     rf"^send(msg|to)\(.*stored as {name}\\r"]
            at = 0
            for step in steps:
                found = [i for i in range(at, len(calls)) if re.search(step, calls[i])]
                check_that(f"{step} after {calls[max(0, at - 5):at]}", found)
                at = found[0] + 1
            last = max(i for i, call in enumerate(calls)
                       if re.search(rf"^write\(\d+<.*/tmp/smtp_sink\.{first}>", call))
            synced = min(i for i, call in enumerate(calls)
                         if re.search(rf"^fsync\(\d+<.*/tmp/smtp_sink\.{first}>", call))
            check_that("nothing is written after the sync", last < synced)


def whole_calls(trace, pid):
    """The calls of a whole trace at their ends: strace cuts a line in two when another thread comes
    between."""
    with open(trace, encoding="utf-8", errors="replace") as file:
        lines = file.readlines()
    if not re.match(rf"{pid} +\+\+\+ exited", lines[-1]):
        return None
    begun, calls = {}, []
    for line in lines:
        thread, _, call = line.rstrip("\n").partition(" ")
        call = call.lstrip()
        if call.endswith("<unfinished ...>"):
            begun[thread] = call[:-len("<unfinished ...>")]
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", call)
        calls.append(begun.pop(thread) + resumed[1] if resumed else call)
    return calls


def test_100_mib_in_constant_memory():
    line = b"z" * 1022 + b"\r\n"
    with Sink() as sink:
        with Raw(sink) as client:
            client.begin()
            client.send(line * 1024)
            wait_until("it is written", lambda: sink.names("tmp"))
            before = sink.peak()
            for _ in range(99):
                client.send(line * 1024)
            client.send(b".\r\n")
            check("the end", client.code(), 250)
        grown = sink.peak() - before
        check_that(f"it has grown by {grown} bytes", grown < 2 << 20)
        stored = sink.messages()[0].partition(b" +0000\n")[2]
        check_that("the text", stored == (b"z" * 1022 + b"\n") * 102400)


def test_slow_clients():
    """Each has a last word, and gives its place back."""
    with Sink("--timeout", "3") as sink:
        with Raw(sink) as client:
            check("silent", (client.code(), client.code()), (421, None))
        with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(4) as pool:
            last = []
            for begun, piece in [(False, b"x"), (True, b"x"),  # a line without end
                                 (False, b"NOOP\r\n"), (True, b"x\r\n")]:  # no whole message
                client = stack.enter_context(Raw(sink))
                if begun:
                    client.begin()
                last.append(pool.submit(trickle, client, piece))
            greedy = stack.enter_context(Raw(sink))  # has many answers, and takes some now and then
            greedy.peer.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    greedy.send(b"NOOP\r\n" * 10000)
            greedy.peer.settimeout(0.2)
            check("slow", [each.result() for each in last], [421] * 4)

            def is_over():
                with contextlib.suppress(socket.timeout):
                    greedy.peer.recv(4096)
                return "its output was not sent in the time" in sink.output()

            wait_until("the greedy one is over", is_over)
        sink.check_nothing_is_left()
        check("messages", sink.names(), [])


def trickle(client, piece):
    """Sends the piece again and again, and returns the last answer."""
    last = []

    def read():
        for line in client.stream:
            last.append(int(line[:3]))

    reader = threading.Thread(target=read)
    reader.start()
    with contextlib.suppress(OSError):
        while reader.is_alive():
            client.send(piece)
            reader.join(0.2)
    reader.join(support.DEADLINE)
    return last[-1]


def test_stop():
    with Sink() as sink, Raw(sink) as idle, Raw(sink) as busy, Raw(sink) as done:
        busy.begin()
        busy.send(b"half a message")
        done.begin()
        done.send(b"whole\r\n.\r\n")
        check("the whole one", done.code(), 250)
        done.send(b"NOOP\r\n")
        check("NOOP", done.code(), 250)
        sink.process.send_signal(signal.SIGTERM)
        for client in idle, busy, done:
            check("the last word", (client.code(), client.code()), (421, None))
        check("status", sink.wait(), 0)
        check("messages", len(sink.names()), 1)
        sink.check_nothing_is_left()


def test_stopped_while_messages_are_synced():
    """A client gets the answer to the message that it has sent."""
    with Sink() as sink:
        clients = [Raw(sink) for _ in range(16)]  # stop() gives them five seconds
        for client in clients:
            client.begin()
        for client in clients:
            client.send(b"text\r\n.\r\n")
        sink.process.send_signal(signal.SIGTERM)
        codes = collections.Counter((client.code(), client.code()) for client in clients)
        check("status", sink.wait(), 0)
        answered = codes[(250, 421)]
        check("stored are those that were answered", len(sink.names()), answered)
        check("the others were told", answered + codes[(421, None)], len(clients))
        for client in clients:
            client.stream.close()
            client.peer.close()


def test_errors_of_the_disk():
    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))

    with Sink(preexec_fn=small_files) as sink, Raw(sink) as client:
        client.begin()
        client.send(b"x" * 300000 + b"\r\n.\r\n")
        check("a file that cannot grow", client.code(), 451)
        sink.wait_for("File too large")
        client.begin()
        check("a smaller one", client.ask(b"text\r\n."), 250)
        sink.check_nothing_is_left()
        shutil.rmtree(os.path.join(sink.folder, "new"))
        client.begin()
        check("no folder any more", client.ask(b"text\r\n."), 451)
        sink.check_nothing_is_left()


def test_full_disk():
    """Who is told so keeps the message, and what was acknowledged is there."""
    with tempfile.TemporaryDirectory() as folder:
        own_disk = [need("unshare"), "--user", "--map-root-user", "--mount", "sh", "-c",
                    'mount -t tmpfs -o size=1m none "$0" && exec "$@"', folder]
        if run([*own_disk, "true"]).returncode != 0:
            support.skip("no file system may be mounted here")
        with Sink(folder=os.path.join(folder, "mail"), under=own_disk) as sink:
            sink.address()
            sink.folder = f"/proc/{sink.pid}/root{sink.folder}"
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                answers = sum(pool.map(lambda _: fill(sink), range(8)), [])
            stored = sorted(name.decode() for name in re.findall(
                rb"^250 2\.0\.0 stored as (\S+)\r\n", b"".join(answers), re.M))
            check_that(f"some are stored, not all: {answers}", 0 < len(stored) < len(answers))
            check("the others", {each for each in answers if not each.startswith(b"250")},
                  {b"452 4.3.1 the disk is full\r\n"})
            sink.wait_for("No space left on device")
            sink.check_nothing_is_left()
            check("what is there", sink.names(), stored)
            for message in sink.messages():
                check("its text", message.partition(b" +0000\n")[2], b"x" * 99 + b"\n" + b"y" * 100000
                      + b"\n")
            os.unlink(os.path.join(sink.folder, "new", stored[0]))
            check("afterwards", fill(sink, 1)[0][:3], b"250")
            sink.stop()


def fill(sink, count=5):
    """Sends so many messages of 100 kB on a connection, and returns the answers."""
    answers = []
    with Raw(sink) as client:
        for _ in range(count):
            client.begin()
            client.send(b"x" * 99 + b"\r\n" + b"y" * 100000 + b"\r\n.\r\n")
            answers.append(client.stream.readline())
    return answers


@contextlib.contextmanager
def library_of(source):
    """The path of a shared library, to be preloaded."""
    compiler = need("cc")
    with tempfile.TemporaryDirectory() as folder:
        library = os.path.join(folder, "library.so")
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), source)
        done = run([compiler, "-shared", "-fPIC", "-o", library, path, "-ldl"])
        check("cc", (done.returncode, done.stderr), (0, b""))
        yield library


@contextlib.contextmanager
def sink_that_may_hang(*options):
    """A sink, and two functions: the disk hangs from the one to the other."""
    with library_of("hanging_disk.c") as library, tempfile.TemporaryDirectory() as folder:
        hangs = os.path.join(folder, "hangs")
        with open(hangs, "wb") as lock, \
                Sink(*options, env={**os.environ, "LD_PRELOAD": library, "HANGS": hangs}) as sink:
            sink.address()
            yield (sink, lambda: fcntl.flock(lock, fcntl.LOCK_EX),
                   lambda: fcntl.flock(lock, fcntl.LOCK_UN))


def test_a_client_is_not_idle_while_the_disk_hangs():
    if support.has_own_malloc(SMTP_SINK):
        return
    with sink_that_may_hang("--timeout", "1") as (sink, hang, go_on), Raw(sink) as client:
        client.begin()
        hang()
        client.send(b"x" * 200000)
        for _ in range(2):
            with Raw(sink) as other:
                check("the time is over", other.code(), 421)
        go_on()
        client.send(b"\r\n.\r\n")
        check("the message", client.code(), 250)
        check("and then", client.code(), 421)


def test_clients_that_leave_while_the_disk_hangs():
    """Others come in their place, but not for as many messages as there is memory."""
    if support.has_own_malloc(SMTP_SINK):
        return
    with sink_that_may_hang() as (sink, hang, go_on):
        hang()
        codes = []
        while 451 not in codes and len(codes) < 5000:
            codes.append(leave(sink))
        check("at last no more are taken", codes[-1], 451)
        check_that("many were", set(codes[:300]) == {354})
        check_that(f"it had {sink.peak()} bytes", sink.peak() < 64 << 20)
        go_on()
        wait_until("the disk has caught up", lambda: leave(sink) == 354)
        with Raw(sink) as client:
            client.begin()
            check("a message", client.ask(b"text\r\n."), 250)
        sink.stop()
        sink.check_nothing_is_left()


def leave(sink):
    """The answer to DATA; the one to the message is not waited for."""
    with Raw(sink) as client:
        client.send(b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
        code = [client.code() for _ in range(4)][-1]
        client.send(b"x" * 30000 + b"\r\n.\r\n")
        client.reset()
        return code


def test_no_memory_in_the_threads_of_the_disk():
    """Each client gets an answer, and what is acknowledged is there."""
    if support.has_own_malloc(SMTP_SINK):
        return
    with library_of("failing_malloc.c") as library:
        with Sink(env={**os.environ, "LD_PRELOAD": library}) as sink, Raw(sink) as client:
            codes = collections.Counter()
            for number in range(100):
                client.begin()
                codes[client.ask(b"x" * (number % 2 * 70000) + b"\r\n.")] += 1
            check("answers", sorted(codes), [250, 451])
            check("stored", len(sink.names()), codes[250])
            sink.check_nothing_is_left()
            sink.stop()


def test_one_sink_for_a_maildir():
    with Sink() as sink:
        sink.address()
        second = run([SMTP_SINK, "--maildir", sink.folder])
        check("status", second.returncode, 1)
        check_that(second.stderr, b"another smtp_sink writes here" in second.stderr)


def test_what_others_have_in_tmp_stays():
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "tmp"))
        for name in "smtp_sink.1.x", "1.x":
            with open(os.path.join(folder, "tmp", name), "w", encoding="ascii") as file:
                file.write("half")
        with Sink(folder=folder) as sink:
            sink.address()
            check("tmp", sink.names("tmp"), ["1.x"])


def test_hostile_peers():
    """Memory that they cost: of 300 with half a message each, and of some that flood."""
    with Sink("--size", "1000000") as sink:
        with Raw(sink) as client:  # what any work costs
            client.begin()
            check("a message", client.ask(b"x" * 200000 + b"\r\n."), 250)
        before = sink.peak()
        half = [Raw(sink) for _ in range(300)]
        for client in half:
            client.begin()
            client.send(b"y" * 30000)
        flood(sink, b"NOOP\r\n" * 10000)  # answers that are never read
        flood(sink, b"EHLO c\r\n" * 10000)
        with Raw(sink) as client:  # a command without end
            client.send(b"x" * 20000000)
            client.send(b"\r\n")
            check("a command without end", client.code(), 500)
        with Raw(sink) as client:  # a message without end
            client.begin()
            client.send(b"x\r\n" * 7000000)
            check("a message without end", client.ask(b"."), 552)
        grown = sink.peak() - before
        check_that(f"it has grown by {grown} bytes", grown < 300 * 65536 + (8 << 20))
        for client in half:
            client.reset()
        sink.check_nothing_is_left()
        check("stored", len(sink.names()), 1)
        with Raw(sink) as client:
            check("others are served", client.ask(b"EHLO c"), 250)


def flood(sink, data):
    """Sends until the server does not take any more; never reads."""
    with connect(sink.address()) as peer:
        peer.setblocking(False)
        sent = 0

        async def send():
            nonlocal sent
            loop = asyncio.get_running_loop()
            while sent < 200000000:
                await asyncio.wait_for(loop.sock_sendall(peer, data), 1)
                sent += len(data)

        with contextlib.suppress(asyncio.TimeoutError):
            asyncio.run(send())
        check_that("it is stopped", sent < 100000000)


def test_wrong_use():
    for arguments, text in [([], "--maildir is missing"), (["--maildir"], "the value is missing"),
                            (["--maildir", "/x", "--size", "9x"], "not a digit at byte 1 of '9x'"),
                            (["--maildir", "/x", "--timeout", "3601"], "too large"),
                            (["--maildir", "/x", "127.0.0.1", "1", "2"], "one argument too many")]:
        done = run([SMTP_SINK, *arguments])
        check(f"status of {arguments}", done.returncode, 2)
        check_that(done.stderr, text.encode() in done.stderr)
    done = run([SMTP_SINK, "--maildir", "/proc/nothing"])
    check("a folder that cannot be made", done.returncode, 1)
    check_that(done.stderr, b"/proc/nothing" in done.stderr)


if __name__ == "__main__":
    support.main(globals())
