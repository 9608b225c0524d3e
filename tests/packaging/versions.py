#!/usr/bin/env python3
"""Is the version of version.hpp the one everywhere, and is the changelog in order?

    versions.py          complains about what is not, else prints the state of the tree
    versions.py test     shows to itself trees with faults: each is noticed
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = "include/asynchat/version.hpp"
CHANGELOG = "docs/changelog.md"
PORT = "cmake/packaging/vcpkg/vcpkg.json"
# Who names a minor version.
CALLERS = ["README.md", "docs/building.md", "tests/consumer/find_package/CMakeLists.txt"]
# These get the version from the header: no number is written in them.
DERIVED = [
    "CMakeLists.txt",
    "cmake/asynchat.pc.in",
    "cmake/asynchat-tls.pc.in",
    "cmake/asynchat-websocket.pc.in",
    "cmake/packaging/deb.sh",
    "cmake/packaging/spdx.cmake",
    "cmake/packaging/conan/conanfile.py",
    "cmake/site/mkdocs.yml",
    "cmake/site/pages.py",
] + [
    str(path.relative_to(ROOT))
    for path in sorted((ROOT / "cmake/packaging/debian").rglob("*"))
    if path.is_file()
]


def read_tree():
    return {name: (ROOT / name).read_text() for name in [HEADER, CHANGELOG, PORT] + CALLERS + DERIVED}


def version_of(header):
    return ".".join(
        re.search(f"^#define ASYNCHAT_VERSION_{part} ([0-9]+)$", header, re.MULTILINE)[1]
        for part in ("MAJOR", "MINOR", "PATCH")
    )


def changelog_faults(text, version):
    """The newest is `Unreleased`, or the version with its date; then come versions that go down."""
    faults = []
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    unreleased = headings[:1] == ["Unreleased"]
    releases = headings[1:] if unreleased else headings
    numbers = []
    for heading in releases:
        match = re.fullmatch(r"([0-9]+)\.([0-9]+)\.([0-9]+)( \([0-9]{4}-[0-9]{2}-[0-9]{2}\))?", heading)
        if not match:
            faults.append(f"{CHANGELOG}: '{heading}' is no version")
            continue
        numbers.append(tuple(int(part) for part in match.groups()[:3]))
    if numbers != sorted(set(numbers), reverse=True):
        faults.append(f"{CHANGELOG}: the versions do not go down")
    if not releases or releases[0].split(" ")[0] != version:
        faults.append(f"{CHANGELOG}: the newest version is not {version}")
    if not unreleased and not re.search(r"\)$", releases[0] if releases else ""):
        faults.append(f"{CHANGELOG}: {version} has no date")
    return faults


def faults_of(tree):
    version = version_of(tree[HEADER])
    minor = version.rpartition(".")[0]
    faults = changelog_faults(tree[CHANGELOG], version)
    if json.loads(tree[PORT])["version-semver"] != version:
        faults.append(f"{PORT}: the version is not {version}")
    for name in CALLERS:
        named = r"find_package\(asynchat ([0-9.]+)|libasynchat(?:-tls|-websocket)?([0-9]+\.[0-9]+)"
        for found in map("".join, re.findall(named, tree[name])):
            if found != minor:
                faults.append(f"{name}: names {found}, not {minor}")
    for name in DERIVED:
        if re.search(rf"(?<![0-9.]){re.escape(version)}(?![0-9.])", tree[name]):
            faults.append(f"{name}: the version is written here")
        if re.search(rf"asynchat(-tls|-websocket)?{re.escape(minor)}", tree[name]):
            faults.append(f"{name}: the minor version is written here")
    return faults


def state(tree):
    heading = re.search(r"^## (.*)$", tree[CHANGELOG], re.MULTILINE)[1]
    version = version_of(tree[HEADER])
    if heading == "Unreleased":
        return f"changes after {version} that are not released"
    return f"the release {heading}"


def test():
    """Each change makes a fault."""
    tree = read_tree()
    version = version_of(tree[HEADER])
    minor = version.rpartition(".")[0]
    tree[CHANGELOG] = f"# Changes\n\n## Unreleased\n\n- One.\n\n## {version}\n\n## 0.0.1\n"
    assert not faults_of(tree), faults_of(tree)
    changes = [
        (HEADER, "MINOR ", "MINOR 9"),
        (PORT, version, "9.9.9"),
        ("README.md", f"find_package(asynchat {minor}", "find_package(asynchat 9.9"),
        ("docs/building.md", f"`libasynchat-tls{minor}`", "`libasynchat-tls9.9`"),
        ("docs/building.md", f"`libasynchat-websocket{minor}`", "`libasynchat-websocket9.9`"),
        (CHANGELOG, f"## {version}", "## 9.9.9"),
        (CHANGELOG, "## Unreleased", "## Soon"),
        (CHANGELOG, "## Unreleased\n", ""),
        (CHANGELOG, "## 0.0.1", "## 100.0.1"),
        ("cmake/packaging/debian/control", "libasynchat@SOVERSION@", f"libasynchat{minor}"),
        ("cmake/packaging/deb.sh", "$version", version),
        ("cmake/asynchat.pc.in", "@PROJECT_VERSION@", version),
    ]
    for name, old, new in changes:
        assert old in tree[name], (name, old)
        changed = {**tree, name: tree[name].replace(old, new)}
        assert faults_of(changed), (name, old, new)
    released = {**tree, CHANGELOG: f"# Changes\n\n## {version} (2026-01-31)\n\n## 0.0.1\n"}
    assert not faults_of(released), faults_of(released)


def main():
    if sys.argv[1:] == ["test"]:
        test()
        return 0
    tree = read_tree()
    faults = faults_of(tree)
    for fault in faults:
        print(fault)
    if not faults:
        print(f"version {version_of(tree[HEADER])}: {state(tree)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
