#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Makes what MkDocs builds the site of: pages.py FOLDER

FOLDER/pages gets the pages of docs/, the README, the reference, and each source that these link to;
FOLDER/mkdocs.yml the settings, with the version, and the pages in the order of docs/index.md. Only
links and fences differ from what lies in docs/.
"""

import json
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests" / "docs"), str(ROOT / "tests" / "packaging")]

import complete  # noqa: E402
import declarations  # noqa: E402
import reference  # noqa: E402
import versions  # noqa: E402

OVERVIEW = "overview.md"  # the README: MkDocs would take that name for an index
LANGUAGES = {".cpp": "cpp", ".hpp": "cpp", ".txt": "cmake", ".py": "python"}


# ---- order ---------------------------------------------------------------------------------------

def nav():
    """The sections of index.md as [(title, [(title, page)])]: what its lists, and the first column
    of its tables, lead to."""
    sections, seen = [], {"index.md"}
    for line in (ROOT / "docs" / "index.md").read_text(encoding="utf-8").split("\n"):
        if line.startswith("## "):
            sections.append((line[3:], []))
        entry = re.match(r"(?:- |\| )\[([^\]]+)\]\(([\w.]+\.md)\)", line)
        if entry and entry.group(2) not in seen:
            seen.add(entry.group(2))
            sections[-1][1].append(entry.groups())
    return [section for section in sections if section[1]]


def check_nav():
    """Whether each page has its place; returns what is wrong."""
    listed = [page for _, pages in nav() for _, page in pages] + ["index.md"]
    there = [path.name for path in (ROOT / "docs").glob("*.md")]
    return [f"index.md: {name} is in no list, so it has no place in the site"
            for name in sorted(set(there) - set(listed))]


# ---- links and fences ----------------------------------------------------------------------------

class Site:
    def __init__(self):
        self.pages = {}    # path in the site: Markdown
        self.sources = {}  # path in the tree: path in the site

    def place(self, path):
        """Where a file or folder of the tree is in the site."""
        relative = path.relative_to(ROOT).as_posix()
        if relative == "README.md":
            return OVERVIEW
        if relative.startswith("docs/"):
            return relative[len("docs/"):]
        if relative not in self.sources:
            self.sources[relative] = f"source/{relative}.md"
            self.pages[self.sources[relative]] = source_page(path)
        return self.sources[relative]

    def link(self, target, file, page):
        """A link in `file`, as it has to be in `page` of the site."""
        path, hash_, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", target):
            return target
        place = self.place((file.parent / path).resolve())
        return "../" * page.count("/") + place + hash_ + anchor

    def add(self, file, page, note=""):
        """A page of the tree, with a line below its title."""
        lines, fence = [], None
        for line in file.read_text(encoding="utf-8").split("\n"):
            mark = re.match(r"\s*```(\w*)", line)
            if mark:
                fence = None if fence else mark.group()
                line = mark.group()  # the rest is for tests/docs
            elif not fence:
                line = re.sub(r"\]\(([^)\s]+)\)",
                              lambda m: f"]({self.link(m.group(1), file, page)})", line)
                line = re.sub(r"^ +", lambda m: 2 * m.group(), line)  # in a list in a list
            lines.append(line)
        if note:
            lines[1:1] = ["", note, "{: .remark }"]
        self.pages[page] = "\n".join(lines)


def source_page(path):
    """A file of the tree, or all files of a folder."""
    relative = path.relative_to(ROOT)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    lines = [f"# {relative}", ""]
    for file in files:
        if path.is_dir():
            lines += [f"## {file.name}", ""]
        lines += [f"```{LANGUAGES.get(file.suffix, 'text')}",
                  file.read_text(encoding="utf-8").rstrip("\n"), "```", ""]
    return "\n".join(lines)


# ---- the reference -------------------------------------------------------------------------------

def full_name(header, name):
    text = (declarations.INCLUDE / "asynchat" / header).read_text(encoding="utf-8")
    if header in ("testing.hpp", "tls_testing.hpp", "detail/memory_network.hpp"):
        return f"testing::{name}"
    return f"tls::{name}" if "namespace tls" in text else name


def pages_about():
    """The pages about each class, and the classes of each page, as complete.py holds them."""
    titles = {page: title for _, pages in nav() for title, page in pages}
    about, classes = {}, {}
    for page, types in complete.PAGES.items():
        for header, _, name in types:
            name = full_name(header, name)
            about.setdefault(name, []).append((titles[page], f"../{page}"))
            classes.setdefault(page, []).append(name)
    return about, classes


def make(folder):
    declarations.run_doxygen(folder)
    about, classes = pages_about()
    made, names = reference.make(folder, about)
    site = Site()
    for page, text in made.items():
        site.pages[f"{reference.FOLDER}/{page}"] = text
    for path in sorted((ROOT / "docs").glob("*.md")):
        links = [f"[`{name}`]({reference.FOLDER}/{names.places[name]})"
                 for name in classes.get(path.name, [])]
        site.add(path, path.name, "Reference: " + ", ".join(links) if links else "")
    site.add(ROOT / "README.md", OVERVIEW)
    return site, list(made)


def name_with_version():
    """The head of each page, and the end of its title."""
    return f"asynchat {versions.version_of(versions.read_tree()[versions.HEADER])}"


def settings(site, made):
    """The part of mkdocs.yml that is made; JSON is YAML."""
    sections = [{"Home": "index.md"}, {"Overview": OVERVIEW}]
    sections += [{title: [{name: page} for name, page in pages]} for title, pages in nav()]
    sections.append({"Reference": [
        {"All headers" if page == "index.md" else page.replace(".md", ".hpp"):
         f"{reference.FOLDER}/{page}"} for page in made]})
    sections.append({"Sources": [{path: site.sources[path]} for path in sorted(site.sources)]})
    state = versions.state(versions.read_tree())
    return {"INHERIT": str(HERE / "mkdocs.yml"), "docs_dir": "pages", "nav": sections,
            "theme": {"custom_dir": str(HERE / "theme")},
            "site_name": name_with_version(),
            "copyright": f"{state[0].upper()}{state[1:]}. Boost Software License 1.0"}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    problems = check_nav()
    if problems:
        sys.exit("\n".join(problems))
    site, made = make(folder)
    for page, text in site.pages.items():
        path = folder / "pages" / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "images", folder / "pages" / "images")
    shutil.copytree(HERE / "assets", folder / "pages" / "assets")
    (folder / "mkdocs.yml").write_text(json.dumps(settings(site, made), indent=1),
                                       encoding="utf-8")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
