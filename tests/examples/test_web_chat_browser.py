"""The page of web_chat in Chromium: two browsers and a member at the door for lines."""

import base64
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import support
from certificates import Authority, need_tls
from support import Program, check, check_that, need, run, wait_until
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

    def not_come_back(self):
        return self.value("[...document.querySelectorAll('#lost span')].map(e => e.textContent)")

    def focus(self):
        return self.value("document.activeElement.id")

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


# The ratio of WCAG between the colours of an element and of what is behind it.
CONTRAST = """
    const channels = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
      const part = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
      const [r, g, b] = colour.map(part);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    const contrast = (element, pseudo) => {
      const own = getComputedStyle(element, pseudo);
      let opacity = pseudo ? Number(own.opacity) : 1, back = null;
      for (let each = element; each; each = each.parentElement) {
        const style = getComputedStyle(each), [r, g, b, alpha = 1] = channels(style.backgroundColor);
        opacity *= Number(style.opacity);
        if (!back && alpha === 1)
          back = [r, g, b];
      }
      const seen = channels(own.color).slice(0, 3).map(
        (value, i) => opacity * value + (1 - opacity) * back[i]);
      const pair = [light(seen), light(back)];
      return Math.max(...pair) / Math.min(...pair);
    };
"""


def is_readable(page, *selectors):
    """In both schemes, all elements that are there."""
    for scheme in ("light", "dark"):
        page.browser.scheme(scheme)
        for selector in selectors:
            name, _, pseudo = selector.partition("::")
            ratio = page.browser.run(
                f"{CONTRAST} return Math.min(...[...document.querySelectorAll({name!r})].map("
                f"each => contrast(each, {json.dumps(pseudo and '::' + pseudo or None)})))")
            check_that(f"the contrast of {selector}, {scheme}: {ratio}",
                       ratio is not None and ratio >= 4.5)


def every_name_is_readable(page):
    """The colour of a name is made of its letters."""
    for scheme in ("light", "dark"):
        page.browser.scheme(scheme)
        ratios = page.browser.run(f"""{CONTRAST}
            const item = document.querySelector('#lines .message');
            const hue = item.style.getPropertyValue('--hue');
            const all = [];
            for (let each = 0; each < 360; ++each) {{
              item.style.setProperty('--hue', each);
              all.push(contrast(item.querySelector('b')));
            }}
            item.style.setProperty('--hue', hue);
            return all;""")
        check("hues", len({round(ratio, 6) for ratio in ratios}) > 100, True)
        check_that(f"the least contrast of a name, {scheme}: {min(ratios)}", min(ratios) >= 4.5)


def test_room():
    with Server() as server, pages(server, 2) as (ann, bob):
        check("where the keys go first", ann.value("document.activeElement.id"), "name")
        pictures(ann, "enter")
        is_readable(ann, "h1", "#state", "#enter label", "#hint", "#join")

        ann.enter("<script>")
        wait_until("the name is refused", lambda: "letters" in ann.value(
            "document.querySelector('#problem').textContent"))
        is_readable(ann, "#problem")
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
        is_readable(ann, "#lines .message b", "#lines .message span", "#lines .note", "#lines time",
                    "#lines .problem span", "#state", "h2", "#people li", "#text", "#text::placeholder",
                    "#send")
        every_name_is_readable(ann)
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
        is_readable(ann, "#state", "#again", "h2", "#people li", "#send", "#lines .message b",
                    "#lines .message span", "#lines .note", "#lines time")
        every_name_is_readable(ann)
        with Server(*ports) as again:
            for page in (ann, bob):
                page.is_in("online")
                wait_until("both are listed", lambda page=page: page.people() == ["ann", "bob"])
            check("the draft", ann.value("document.querySelector('#text').value"), "a draft")
            ann.say("after")
            bob.shows("ann: after")
            check("what was said before is there once", bob.lines().count("ann: before"), 1)
            again.stop()


def test_long_messages():
    """10,000 characters of many scripts are one message, at both doors."""
    netcat = need("nc.openbsd", "nc")
    with Server() as server, pages(server, 2) as (ann, bob), \
            Program([netcat, "127.0.0.1", server.lines_port], stdin=subprocess.PIPE) as person:
        ann.enter("ann")
        ann.shows("ann is here")
        bob.enter("bob")
        ann.shows("bob is here")
        person.say("/nick carl")
        person.say("/join")
        person.wait_for(r"\* carl is here")
        for page in (ann, bob):
            page.shows("carl is here")
        said = []
        for number in range(2):
            for name, say in (("ann", ann.say), ("bob", bob.say), ("carl", person.say)):
                text = f"{number}{name[0]}{LONG[2:]}"
                check("characters", len(text), 10000)
                say(text)
                said.append((name, text))
                for page in (ann, bob):
                    page.shows(f"{name}: {text}")
        for page in (ann, bob):
            check("all, in order", [line for line in page.lines() if len(line) > 1000],
                  [f"{name}: {text}" for name, text in said])
        wait_until("netcat has the last one", lambda: said[-1][1] in person.output())
        check("all at netcat, in order",
              [line for line in person.output().splitlines() if len(line) > 1000],
              [f"<{name}> {text}" for name, text in said])
        check("what has not come back", ann.not_come_back(), [])
        server.stop()


@contextlib.contextmanager
def stopped(server):
    """A network that is silent: the system takes what comes, and nothing goes."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_silence():
    """Nobody tells the page that the server is out of reach. Then it was there all the time."""
    with Server() as server, pages(server, 1) as (ann,):
        terminal = Lines(server.lines_port, "terminal")
        ann.enter("ann")
        ann.shows("ann is here")
        ann.say("one \u202e two")  # what comes back is not quite what was sent
        ann.shows("ann: one \\u{202e} two")
        ann.say("half \ud83d")  # of a character, which no WebSocket sends
        ann.shows("ann: half \ufffd")
        with stopped(server):
            ann.browser.run("longestSilence = 1000; heard()")
            ann.say("into the silence")
            ann.is_in("offline, trying again")
            check("what has not come back", ann.not_come_back(), ["into the silence"])
            wait_until("it has tried again", lambda: ann.value("wait") > 1000)
            check("the state", ann.state(), "offline, trying again")
            check("what has not come back", ann.not_come_back(), ["into the silence"])
            pictures(ann, "silent")
            is_readable(ann, "#lost span", "#lost button")
            ann.browser.run("longestSilence = 30000")
        ann.is_in("online")
        terminal.hears("<ann> into the silence")
        wait_until("it has come back", lambda: not ann.not_come_back())
        check("it was said once", ann.lines().count("ann: into the silence"), 1)
        terminal.say("still here")
        ann.shows("terminal: still here")
        terminal.close()
        server.stop()


def test_text_that_was_lost():
    """The server ends before it has read a message, which can be sent again."""
    with Server() as server, pages(server, 1) as (ann,):
        ann.enter("ann")
        ann.shows("ann is here")
        ports = ["--port", server.web, "--lines", server.lines_port]
        os.kill(server.pid, signal.SIGSTOP)
        ann.say("nobody hears this")
        ann.say("/msg ann nor this")
        ann.say("/who")
        server.kill()
        ann.is_in("offline, trying again")
        said = ["nobody hears this", "/msg ann nor this"]
        check("what has not come back", ann.not_come_back(), said)
        button = "document.querySelector('#lost button')"
        check("it cannot be sent now", ann.value(f"{button}.disabled"), True)
        with Server(*ports) as again:
            ann.is_in("online")
            terminal = Lines(again.lines_port, "terminal")
            check("what has not come back", ann.not_come_back(), said)
            ann.browser.run(f"{button}.focus()")
            ann.press(ENTER)
            terminal.hears("<ann> nobody hears this")
            ann.shows("ann: nobody hears this")
            check("where the keys go", ann.focus(), "text")
            check("what has not come back", ann.not_come_back(), said[1:])
            ann.browser.run(f"{button}.focus()")
            ann.press(ENTER)
            ann.shows("ann: nor this")
            wait_until("its question is answered", lambda: ann.value("unseen.length") == 0)
            check("what has not come back", ann.not_come_back(), [])
            check("questions that show", [line for line in ann.lines() if "here:" in line], [])
            terminal.close()
            again.stop()


def test_network_is_off():
    """The browser says so at once."""
    with Server() as server, pages(server, 1) as (ann,):
        ann.keep_sockets()
        ann.enter("ann")
        ann.shows("ann is here")
        ann.browser.run("wait = 1e8")  # it comes back when the network does

        def network(offline):
            ann.browser.devtools("Network.emulateNetworkConditions", offline=offline, latency=0,
                                 downloadThroughput=-1, uploadThroughput=-1)

        ann.browser.devtools("Network.enable")
        network(offline=True)
        ann.is_in("offline, trying again")
        network(offline=False)
        ann.is_in("online")
        check("its connections", ann.open_sockets(), 1)
        server.stop()


def test_try_now():
    """The button goes when it is pressed; the keys go where one writes."""
    with Server() as server, pages(server, 1) as (ann,):
        ann.enter("ann")
        ann.shows("ann is here")
        ann.browser.run("wait = 1e8; socket.close()")
        ann.is_in("offline, trying again")
        ann.browser.run("document.querySelector('#again').focus()")
        check("where the keys go", ann.focus(), "again")
        ann.press(ENTER)
        check("where the keys go", ann.focus(), "text")
        ann.is_in("online")
        ann.say("back")
        ann.shows("ann: back")
        server.stop()


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
        is_disabled = "return document.querySelector('#join').disabled;"
        check("join is not possible",
              bob.browser.run(join + join + online + online + is_disabled), True)
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
