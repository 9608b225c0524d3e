#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Looks at the site that ./run docs has built.

    site.py nav              whether index.md has a place for each page (nothing has to be built)
    site.py pages SITE       links and anchors lead somewhere, nothing is loaded from another host,
                             each page has the version of version.hpp in its title and in its head,
                             each public name of the headers has its place in the reference and a
                             text there, and code is highlighted
    site.py browser SITE [SHOTS]
                             opens each page in Chromium, narrow and wide: no message on the
                             console, no request to another host, no page wider than the screen; the
                             search finds a word. With SHOTS, pictures of some pages go there
    site.py test             whether `pages` notices what is wrong

Chromium is driven by chromedriver, over HTTP on 127.0.0.1.
"""

import contextlib
import functools
import html.parser
import http.server
import json
import os
import re
import signal
import sys
import tempfile
import threading
import urllib.parse
from pathlib import Path

sys.dont_write_bytecode = True  # the tree stays as it is
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "cmake" / "site"), str(ROOT / "tests" / "support")]

import complete  # noqa: E402
import headers  # noqa: E402
import pages as site_pages  # noqa: E402
from chromium import Browser  # noqa: E402
from faults import noticed, problem, problems, report  # noqa: E402

WIDTHS = (400, 1400)
TIME_LIMIT = 540  # seconds, for everything
WORD = "found_terminator"
# What is looked for to find it.
QUERIES = (WORD, f"{WORD}()", f"async_chat::{WORD}", f"&async_chat::{WORD}",
           f'"{WORD} async_chat"')

# ---- what the pages say --------------------------------------------------------------------------

class Page(html.parser.HTMLParser):
    """The ids, links and loaded files of a page."""

    LOADS = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src",
             "video": "src", "audio": "src", "embed": "src", "object": "data", "form": "action"}

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if attributes.get("id"):
            self.ids.add(attributes["id"])
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if attributes.get(self.LOADS.get(tag, "")):
            self.loads.append(attributes[self.LOADS[tag]])
        self.loads += [part.split()[0] for part in attributes.get("srcset", "").split(",") if part]
        self.loads += loads_of_css(attributes.get("style") or "")


def loads_of_css(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    found = re.findall(r"url\(\s*[\"']?([^\"')]+)", text)
    return found + re.findall(r"@import\s+[\"']([^\"']+)", text)


def is_foreign(target):
    return re.match(r"(?!data:)[a-z]+:|//", target) is not None


def check_target(where, target, page, pages, site):
    """A link or a loaded file inside the site: it is there, and so is the anchor."""
    path, _, anchor = urllib.parse.unquote(target).partition("#")
    path = path.partition("?")[0]
    if path.startswith("/"):
        problem(where, f"'{target}' leads out of a site that does not lie at the top of its host")
        return
    file = Path(os.path.normpath(page.parent / path if path else page))
    if file.is_dir():
        file = file / "index.html"
    if site not in file.parents or not file.exists():
        problem(where, f"nothing is at '{target}'")
    elif anchor and file in pages and anchor not in pages[file].ids:
        problem(where, f"no anchor for '{target}'")


def check_pages(site):
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    if not pages:
        problem(site, "has no page")
    for path, page in pages.items():
        where = path.relative_to(site)
        for target in page.loads:
            if is_foreign(target):
                problem(where, f"loads {target}")
            elif not target.startswith("data:"):
                check_target(where, target, path, pages, site)
        for target in page.links:
            if re.match(r"https?:|mailto:", target):
                continue
            check_target(where, target, path, pages, site)
    for path in site.rglob("*.css"):
        for target in loads_of_css(path.read_text(encoding="utf-8")):
            if is_foreign(target):
                problem(path.relative_to(site), f"loads {target}")
    return len(pages)


def check_version(site):
    name = site_pages.name_with_version()
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        title = re.search(r"<title>(.*?)</title>", text, flags=re.S)
        head = re.search(r"<header.*?</header>", text, flags=re.S)
        for what, found in (("title", title), ("head", head)):
            if not found or name not in found.group():
                problem(path.relative_to(site), f"has no '{name}' in its {what}")


# ---- the reference -------------------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def wanted_ids():
    """What the reference must have an anchor for, read from the headers without Doxygen."""
    return list(dict.fromkeys(names_in_headers()))


def names_in_headers():
    for path in sorted(headers.INCLUDE.glob("*.hpp")):
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"(?m)^#\s*define (ASYNCHAT_\w+)", text):
            if path.name != "config.hpp" and not name.endswith("_HPP"):
                yield path.name, name
        for kind, name in headers.public_names(path.name):
            yield path.name, name
            plain = name.rpartition("::")[2]
            try:
                yield from ((path.name, f"{name}.{member}")
                            for member in members_of(path.name, kind, plain))
            except ValueError:
                pass  # only declared here
    for header, kind, name in sum(complete.PAGES.values(), []):
        full = site_pages.full_name(header, name)
        yield header, full
        for member in members_of(header, kind, name):
            yield header, f"{full}.{member}"


def members_of(header, kind, name):
    if kind == "enum":
        return headers.enumerators(header, name)
    if kind not in ("class", "struct"):
        return []
    return sorted({member.partition("(")[0] for member in headers.members(header, kind, name)
                   if member not in complete.INTERNAL})


def check_reference(ids):
    for header, wanted in wanted_ids():
        if wanted not in ids:
            problem("reference", f"says nothing of {wanted} in {header}")


def check_text(where, text):
    """Each name of a page of the reference has a text beside its declaration."""
    parts = re.split(r'<h[2-4] id="([^"]+)"[^>]*>(.*?)</h[2-4]>', text, flags=re.S)
    for name, title, body in zip(parts[1::3], parts[2::3], parts[3::3]):
        if "<code>" not in title:  # a title between members
            continue
        body = body.partition("</article>")[0]
        code = re.search(r'<div class="highlight">(.*?)</div>', body, flags=re.S)
        if not code or not re.search(r'<span class="[cknops]', code.group(1)):
            problem(where, f"does not highlight {name}")
        if not re.sub(r"<[^>]*>", "", body.replace(code.group() if code else "", "")).strip():
            problem(where, f"has no text for {name}")


def reference_pages(site):
    return [path for path in (site / "reference").glob("*.html")]


def check_inside(site):
    """Nothing internal is shown."""
    ids = set()
    for path in reference_pages(site):
        text = path.read_text(encoding="utf-8")
        ids |= Page(text).ids
        shown = re.sub(r"<[^>]*>", "", text)
        for name in re.findall(r"\bdetail::\w+|\bASYNCHAT_(?:ABI|API|DECL)\b", shown):
            problem(path.relative_to(site), f"shows {name}")
        check_text(path.relative_to(site), text)
    check_reference(ids)
    return len(ids)


# ---- the browser ---------------------------------------------------------------------------------

class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextlib.contextmanager
def served(site):
    """Serves the site on a free port of 127.0.0.1; gives its address."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def check_logs(browser, base, where):
    for line in browser.log("browser"):
        problem(where, f"console: {line['level']}: {line['message']}")
    for line in browser.log("performance"):
        message = json.loads(line["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            address = message["params"]["request"]["url"]
            if not address.startswith((base + "/", "data:", "blob:")):
                problem(where, f"requests {address}")


def check_page(browser, base, where):
    browser.open(f"{base}/{where}")
    for width in WIDTHS:
        browser.width(width)
        wide = browser.run("return Math.max(document.documentElement.scrollWidth,"
                           " document.body.scrollWidth)")
        if wide > width:
            problem(where, f"is {wide} pixels wide on a screen of {width}")
    for source in browser.run("return [...document.images].filter(i => !i.complete ||"
                              " !i.naturalWidth).map(i => i.src)"):
        problem(where, f"does not show {source}")
    check_logs(browser, base, where)


def check_search(browser, base):
    browser.width(WIDTHS[-1])
    for query in QUERIES:
        browser.open(f"{base}/index.html")
        browser.run("document.querySelector('.md-search__input').focus();"
                    "document.querySelector('#__search').click()")
        browser.run("const field = document.querySelector('.md-search__input');"
                    f"field.focus(); field.value = {json.dumps(query)};"
                    "for (const name of ['input', 'keyup', 'change'])"
                    "  field.dispatchEvent(new Event(name, {bubbles: true}))")
        found = browser.wait_for("return [...document.querySelectorAll('.md-search-result__link')]"
                                 ".map(link => link.textContent).join(' ')")
        if not found or WORD not in found:
            problem("search", f"does not find {WORD} by {query}")
        check_logs(browser, base, "search")


def check_colours(browser, base):
    """They follow the system, also on a later visit, and the switch changes them."""
    seen = []

    def see():
        browser.open(f"{base}/index.html")
        seen.append(browser.run("return document.body.getAttribute('data-md-color-scheme')"))

    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        see()
    browser.run("[...document.querySelectorAll('form[data-md-component=palette] label')]"
                ".find(label => !label.hidden).click()")
    see()
    browser.scheme("light")
    if seen != ["default", "slate", "default"]:
        problem("colours", f"{seen} in the light, in the dark, after the switch")
    check_logs(browser, base, "colours")


def take_pictures(browser, base, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        for width in WIDTHS:
            browser.width(width)
            for page in ("index.html", "async_chat.html", "performance.html",
                         "reference/terminator.html", "reference/index.html"):
                browser.open(f"{base}/{page}")
                name = page.replace("/", "-").replace(".html", "")
                browser.picture(folder / f"{name}-{width}-{scheme}.png")


def check_in_browser(site, shots):
    with served(site) as base, tempfile.TemporaryDirectory() as folder:
        browser = Browser(folder)
        try:
            found = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
            for page in found:
                check_page(browser, base, page)
            check_search(browser, base)
            check_colours(browser, base)
            if shots:
                take_pictures(browser, base, Path(shots))
        finally:
            browser.close()
    return len(found)


# ---- the test of the test ------------------------------------------------------------------------

def check_settings():
    """Each page of MkDocs has the name of the site, which has the version."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "index.html")
        name = site_pages.settings(site_pages.Site(), [])["site_name"]
        whole = f"<title>A - {name}</title><header>{name}</header>"
        page.write_text(whole)
        check_version(page.parent)
        version = name.rpartition(" ")[2]
        text = (headers.INCLUDE / "version.hpp").read_text(encoding="utf-8")
        if version.split(".") != re.findall(r"define ASYNCHAT_VERSION_\w+ (\d+)", text):
            problem("site.py", f"{version} is not that of version.hpp")
        for what in ("title", "head"):
            page.write_text(re.sub(rf"(<{what}.*?){name}", r"\1", whole))
            noticed(f"in its {what}", lambda: check_version(page.parent))


def test():
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        (site / "a.css").write_text("a { background: url(https://example.org/a.png) }")
        (site / "index.html").write_text(
            '<h1 id="top">A</h1><a href="#top"></a><a href="https://example.org/"></a>'
            '<a href="b.html"></a><a href="#bottom"></a><a href="../index.html"></a>'
            '<a href="/index.html"></a>'
            '<script src="//example.org/a.js"></script><img src="http://example.org/a.png">'
            '<img src="missing.png"><link href="a.css">')
        for what in ("loads https://example.org/a.png", "at 'b.html'", "for '#bottom'",
                     "at '../index.html'", "'/index.html' leads out", "loads //example.org/a.js",
                     "loads http://example.org/a.png", "at 'missing.png'"):
            noticed(what, lambda: check_pages(site))
        check_pages(site)
        if len(problems) != 8:
            problem("site.py", f"finds {len(problems)} faults, not 8")
        else:
            del problems[:]
    check_settings()
    entry = ('<h3 id="a.b"><code>b</code></h3>\n<div class="highlight"><pre><code>'
             '<span class="kt">int</span> <span class="n">b</span></code></pre></div>\n<p>B.</p>\n')
    check_text("a.html", entry + '<h3 id="c">C</h3></article><p>the end of the page</p>')
    noticed("no text for a.b", lambda: check_text("a.html", entry.replace("<p>B.</p>", "")))
    noticed("highlight a.b", lambda: check_text("a.html", entry.replace("span class", "span id")))
    ids = {wanted for _, wanted in wanted_ids()}
    for name in ("terminator.counted", "close_reason.user", "testing::peer.send", "start_server",
                 "transport_layer.has_input", "ASYNCHAT_VERSION_MAJOR", "parsed_number"):
        if name not in ids:
            problem("site.py", f"does not want {name}")
        noticed(name, lambda: check_reference(ids - {name}))
    check_reference(ids)


# ---- main ----------------------------------------------------------------------------------------

def main():
    command, arguments = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    signal.alarm(TIME_LIMIT)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"site: longer than {TIME_LIMIT} s"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if command == "nav" and not arguments:
        problems.extend(site_pages.check_nav())
    elif command == "pages" and len(arguments) == 1:
        site = Path(arguments[0]).resolve()
        count = check_pages(site)
        check_version(site)
        print(f"site: {count} pages, {check_inside(site)} anchors of the reference")
    elif command == "browser" and len(arguments) in (1, 2):
        count = check_in_browser(Path(arguments[0]).resolve(), (arguments + [None])[1])
        print(f"site: {count} pages opened, each {WIDTHS[0]} and {WIDTHS[1]} pixels wide")
    elif command == "test" and not arguments:
        test()
    else:
        sys.exit(__doc__)
    report()


if __name__ == "__main__":
    main()
