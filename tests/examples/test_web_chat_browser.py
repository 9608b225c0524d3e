"""The page of web_chat in Chromium: two browsers and a member at the door for lines."""

import base64
import contextlib
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

import support
from certificates import Authority, need_tls
from support import check, check_that, need, run, wait_until
from test_web_chat import LONG, LONGEST, Lines, Server

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from chromium import Browser  # noqa: E402

ENTER = "\ue007"  # as chromedriver writes the key
SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


class Page:
    """The page in a browser of its own. It is used by keys, as by a person without a mouse."""

    def __init__(self, address, stack, *arguments):
        self.browser = Browser(stack.enter_context(
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True)), *arguments)
        stack.callback(self.browser.close)
        self.browser.open(address)

    def value(self, expression):
        return self.browser.run(f"return {expression}")

    def press(self, keys):
        """Keys to the element that has the focus."""
        self.browser.post("/actions", actions=[{"type": "key", "id": "keys", "actions": [
            {"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]}])

    def keep_sockets(self):
        """From now on."""
        self.browser.run("""
            window.made = [];
            window.WebSocket = class extends WebSocket {
              constructor(...given) { super(...given); made.push(this); }
            };""")

    def open_sockets(self):
        return self.value("made.filter(each => each.readyState <= WebSocket.OPEN).length")

    def enter(self, name):
        self.press(name + ENTER)

    def say(self, text):
        """The text is put there at once: ten thousand keys take long."""
        check("where the keys go", self.value("document.activeElement.id"), "text")
        self.browser.run(f"document.activeElement.value = {json.dumps(text)}")
        self.press(ENTER)

    def lines(self):
        return self.value("[...document.querySelectorAll('#lines li')].map(line =>"
                          "[...line.querySelectorAll('b, span')].map(e => e.textContent).join(': '))")

    def shows(self, line):
        wait_until(f"{line[:60]!r} in the page", lambda: line in self.lines())

    def people(self):
        return self.value("[...document.querySelectorAll('#people li')].map(e => e.textContent)")

    def state(self):
        return self.value("document.querySelector('#state').textContent")

    def is_in(self, state):
        wait_until(f"the page is {state}", lambda: self.state() == state)


@contextlib.contextmanager
def pages(server, count, *arguments):
    """`arguments` are those of Chromium."""
    need("chromium", "chromium-browser", "google-chrome")
    need("chromedriver")
    with contextlib.ExitStack() as stack:
        yield [Page(f"{server.scheme}://127.0.0.1:{server.web}/", stack, *arguments)
               for _ in range(count)]


def picture(page, name, width, scheme):
    """For people to look at, where ASYNCHAT_SHOTS names a folder."""
    page.browser.width(width)
    page.browser.scheme(scheme)
    wide = page.value("document.documentElement.scrollWidth")
    check_that(f"{wide} pixels wide on a screen of {width}", wide <= width)
    low = page.value("document.querySelector('body').getBoundingClientRect().bottom")
    check_that(f"the end of the page is at {low} of 900", low <= 900)
    if "ASYNCHAT_SHOTS" in os.environ:
        page.browser.picture(Path(os.environ["ASYNCHAT_SHOTS"]) / f"{name}-{width}-{scheme}.png")


def pictures(page, name):
    for width in (1400, 400):
        for scheme in ("light", "dark"):
            picture(page, name, width, scheme)


def contrast(page, selector, against="body"):
    """The ratio of WCAG between the colours of an element and of what is behind it."""
    return page.value(f"""(() => {{
      const light = colour => {{
        const part = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b) + 0.05;
      }};
      const style = name => getComputedStyle(document.querySelector(name));
      const pair = [light(style('{selector}').color), light(style('{against}').backgroundColor)];
      return Math.max(...pair) / Math.min(...pair);
    }})()""")


def test_room():
    with Server() as server, pages(server, 2) as (ann, bob):
        check("where the keys go first", ann.value("document.activeElement.id"), "name")
        pictures(ann, "enter")

        ann.enter("<script>")
        wait_until("the name is refused", lambda: "letters" in ann.value(
            "document.querySelector('#problem').textContent"))
        ann.browser.run("document.querySelector('#name').value = ''")
        ann.enter("ann")
        ann.shows("ann is here")
        bob.enter("ann")
        wait_until("the name is taken", lambda: "ann is taken" in bob.value(
            "document.querySelector('#problem').textContent"))
        bob.browser.run("document.querySelector('#name').value = ''")
        bob.enter("bob")
        bob.shows("bob is here")
        terminal = Lines(server.lines_port, "terminal")
        for page in (ann, bob):
            page.shows("terminal is here")
            wait_until("all three are listed",
                       lambda page=page: page.people() == ["ann", "bob", "terminal"])

        ann.say("hello to all \u20ac \U0001f600")
        bob.shows("ann: hello to all \u20ac \U0001f600")
        terminal.hears("<ann> hello to all \u20ac \U0001f600")
        terminal.say("from a terminal")
        ann.shows("terminal: from a terminal")
        bob.say("/msg ann a secret")
        ann.shows("bob: a secret")
        check_that("only to her", "bob: a secret" not in bob.lines())

        terminal.say(SCRIPT)
        bob.say(SCRIPT)
        ann.shows(f"terminal: {SCRIPT}")
        ann.shows(f"bob: {SCRIPT}")
        check("the title", ann.value("document.title"), "Chat")
        check("elements that texts have made", ann.value(
            "document.querySelectorAll('#lines img, #lines script').length"), 0)

        for page in (ann, bob):
            pictures(page, "room")
        bob.say(LONG)
        ann.shows(f"bob: {LONG}")
        terminal.hears(f"<bob> {LONG}")
        too_long = "\u20ac" * (LONGEST // 3 + 1)
        ann.say(too_long)
        ann.shows(f"a message has {LONGEST} bytes at most")
        check("the draft", ann.value("document.querySelector('#text').value"), too_long)
        ann.browser.run("document.querySelector('#text').value = ''")
        ann.say("and now the weather")
        bob.shows("ann: and now the weather")

        pictures(bob, "long")
        end = "Math.abs(log.scrollHeight - log.scrollTop - log.clientHeight) < 2"
        wait_until("the end is in view", lambda: bob.value(
            f"(log => {end})(document.querySelector('#log'))"))
        for scheme in ("light", "dark"):
            ann.browser.scheme(scheme)
            for selector in ("#lines .message b", "#lines .message span", "#lines .note", "#lines time"):
                ratio = contrast(ann, selector)
                check_that(f"the contrast of {selector}, {scheme}: {ratio}", ratio >= 4.5)
        bob.say("/quit")
        bob.is_in("not connected")
        ann.shows("bob is gone")
        wait_until("one less is listed", lambda: ann.people() == ["ann", "terminal"])
        terminal.close()
        for page in (ann, bob):
            check("the console", [line for line in page.browser.log("browser")], [])
        server.stop()


def trust_in(ca, certificate):
    """The argument that has Chromium take the key of this certificate from any authority."""
    public = run([ca.openssl, "x509", "-in", certificate, "-noout", "-pubkey"]).stdout
    key = run([ca.openssl, "pkey", "-pubin", "-outform", "der"], input=public).stdout
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode()
    return f"--ignore-certificate-errors-spki-list={digest}"


def test_tls():
    """The page comes by https://, and talks by wss://."""
    need_tls()
    with Authority() as ca:
        files = ca.issue("localhost", "127.0.0.1")
        trust = trust_in(ca, files[0])
        with Server("--tls", *files) as server, pages(server, 2, trust) as (ann, bob):
            ann.enter("ann")
            ann.shows("ann is here")
            check("where it talks", ann.value("socket.url"), server.url())
            check("the scheme", server.url()[:6], "wss://")
            check_that("it is secure", ann.value("isSecureContext"))
            bob.enter("bob")
            bob.shows("bob is here")
            ann.say("hello by TLS \u20ac")
            bob.shows("ann: hello by TLS \u20ac")
            bob.say(LONG)
            ann.shows(f"bob: {LONG}")
            ports = ["--port", server.web, "--lines", server.lines_port]
            server.stop()
            for page in (ann, bob):
                page.is_in("offline, trying again")
            with Server("--tls", *files, *ports) as again:
                for page in (ann, bob):
                    page.is_in("online")
                    wait_until("both are listed", lambda page=page: page.people() == ["ann", "bob"])
                bob.say("after")
                ann.shows("bob: after")
                again.stop()


def test_restart():
    with Server() as server, pages(server, 2) as (ann, bob):
        ann.enter("ann")
        ann.shows("ann is here")
        bob.enter("bob")
        ann.shows("bob is here")
        ann.say("before")
        bob.shows("ann: before")
        ports = ["--port", server.web, "--lines", server.lines_port]
        server.stop()
        for page in (ann, bob):
            page.is_in("offline, trying again")
        check("send is not possible", ann.value("document.querySelector('#send').disabled"), True)
        ann.browser.run("document.querySelector('#text').value = 'a draft'")
        pictures(ann, "offline")
        with Server(*ports) as again:
            for page in (ann, bob):
                page.is_in("online")
                wait_until("both are listed", lambda page=page: page.people() == ["ann", "bob"])
            check("the draft", ann.value("document.querySelector('#text').value"), "a draft")
            ann.say("after")
            bob.shows("ann: after")
            check("what was said before is there once", bob.lines().count("ann: before"), 1)
            again.stop()


def test_lost_connection():
    """The server goes on, so its last lines come again, and are not shown again."""
    with Server() as server, pages(server, 1) as (ann,):
        terminal = Lines(server.lines_port, "terminal")
        ann.enter("ann")
        ann.shows("ann is here")
        for number in range(30):
            terminal.say(f"line {number}")
        ann.shows("terminal: line 29")
        ann.browser.run("socket.close()")
        terminal.hears("* ann is gone")
        terminal.say("missed")
        ann.shows("terminal: missed")
        ann.is_in("online")
        for number in range(30):
            check(f"line {number}", ann.lines().count(f"terminal: line {number}"), 1)
        terminal.close()
        server.stop()


def test_name_still_taken():
    """The server may notice later than the page that a connection is lost."""
    with Server() as server, pages(server, 1) as (ann,):
        watcher = Lines(server.lines_port, "watcher")
        ann.enter("ann")
        ann.shows("ann is here")
        ann.browser.run("document.querySelector('#text').value = 'a draft';"
                        "wait = 1e8; socket.close()")  # it comes back when this test says so
        watcher.hears("* ann is gone")
        ann.is_in("offline, trying again")
        ghost = Lines(server.lines_port, "ann")
        ann.browser.run("wait = 500; document.querySelector('#again').onclick()")
        ann.is_in("ann is taken, trying again")
        check("the form is hidden", ann.value("document.querySelector('#enter').hidden"), True)
        check("the draft", ann.value("document.querySelector('#text').value"), "a draft")
        ghost.close()
        ann.is_in("online")
        wait_until("she is listed", lambda: ann.people() == ["ann", "watcher"])

        ann.say("/quit")  # the field has the focus, and "a draft" is replaced
        ann.is_in("not connected")
        ghost = Lines(server.lines_port, "ann")
        ann.browser.run("document.querySelector('#enter').requestSubmit()")
        wait_until("who comes anew is refused", lambda: "ann is taken" in ann.value(
            "document.querySelector('#problem').textContent"))
        ann.is_in("not connected")
        ghost.close()
        watcher.close()
        server.stop()


def test_impatience():
    """Whoever asks twice has one connection, as the server gives the name to one only."""
    join = "document.querySelector('#enter').requestSubmit();"
    try_now = "document.querySelector('#again').onclick();"
    online = "dispatchEvent(new Event('online'));"
    with Server() as server, pages(server, 2) as (ann, bob):
        for page in (ann, bob):
            page.keep_sockets()
        ann.enter("ann" + ENTER)
        ann.is_in("online")
        bob.press("bob")
        bob.browser.run(join + join + online + online)
        check("join is not possible", bob.value("document.querySelector('#join').disabled"), True)
        bob.is_in("online")
        for page in (ann, bob):
            check("its connections", page.open_sockets(), 1)
        bob.say("/quit")
        bob.is_in("not connected")
        check("join is possible", bob.value("document.querySelector('#join').disabled"), False)
        ann.shows("bob is gone")

        ann.browser.run("socket.close()")
        ann.is_in("offline, trying again")
        ann.browser.run(try_now + online + try_now + online)
        ann.is_in("online")
        check("its connections", ann.open_sockets(), 1)
        wait_until("she is listed alone", lambda: ann.people() == ["ann"])
        server.stop()


if __name__ == "__main__":
    support.main(globals())
