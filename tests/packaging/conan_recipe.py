#!/usr/bin/env python3
"""Runs the recipe for Conan with modules that stand in for Conan's, for each choice of options.

What would be called in Conan is noted and compared; the files that it exports are those that the
build reads.
"""

import fnmatch
import importlib.util
import itertools
import os
import re
import shutil
import sys
import tempfile
import types
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "cmake" / "packaging" / "conan"


class InvalidConfiguration(Exception):
    pass


class Options(types.SimpleNamespace):
    def rm_safe(self, name):
        self.__dict__.pop(name, None)


class Component:
    def __init__(self):
        self.properties = {}
        self.libs, self.requires, self.defines, self.system_libs = [], [], [], []
        self.libdirs, self.bindirs = ["lib"], ["bin"]

    def set_property(self, name, value):
        self.properties[name] = value


class Components(dict):
    def __missing__(self, name):
        self[name] = Component()
        return self[name]


class ConanFile:
    def __init__(self, **choices):
        self.options = Options(**{**getattr(self, "default_options", {}), **choices})
        self.settings = types.SimpleNamespace(os="Linux")
        self.required = {}
        self.cpp_info = Component()
        self.cpp_info.components = Components()
        self.calls = []
        self.info = types.SimpleNamespace(
            options=self.options, clear=lambda: self.calls.append("clear")
        )

    def requires(self, reference, **traits):
        self.required[reference.split("/")[0]] = (reference, traits)

    def run(self, command, **environment):
        self.calls.append(command)


class Helper:
    """CMake, CMakeDeps and CMakeToolchain: notes its calls with the recipe."""

    def __init__(self, recipe):
        self._recipe = recipe
        self.cache_variables = {}

    def configure(self):
        self._recipe.calls.append("configure")

    def build(self):
        self._recipe.calls.append("build")

    def install(self):
        self._recipe.calls.append("install")

    def generate(self):
        self._recipe.calls.append(("generate", self.cache_variables))


def copy(recipe, pattern, src, dst, excludes=()):
    """Of files under src by the path below it, as Conan matches them."""
    for folder, below, files in os.walk(src):
        if folder == str(src) and "build" in below:
            below.remove("build")  # other tests make and remove files there
        for file in files:
            name = (Path(folder) / file).relative_to(src)
            excluded = any(fnmatch.fnmatch(str(name), each) for each in excludes)
            if fnmatch.fnmatch(str(name), pattern) and not excluded:
                (Path(dst) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(folder) / file, Path(dst) / name)


def module(name, **contents):
    made = types.ModuleType(name)
    made.__dict__.update(contents)
    sys.modules[name] = made


module("conan", ConanFile=ConanFile)
module("conan.errors", ConanInvalidConfiguration=InvalidConfiguration)
module("conan.tools")
module(
    "conan.tools.build",
    can_run=lambda recipe: True,
    valid_min_cppstd=lambda recipe, standard: recipe.standard >= standard,
    check_min_cppstd=lambda recipe, standard: recipe.calls.append(("standard", standard)),
)
module(
    "conan.tools.cmake",
    CMake=Helper,
    CMakeDeps=Helper,
    CMakeToolchain=Helper,
    cmake_layout=lambda recipe: recipe.calls.append("layout"),
)
module(
    "conan.tools.files",
    copy=copy,
    load=lambda recipe, path: Path(path).read_text(),
    rmdir=lambda recipe, path: recipe.calls.append(("rmdir", os.path.relpath(path, "packages"))),
)


def recipe_class(folder):
    """The class of the recipe in the folder."""
    spec = importlib.util.spec_from_file_location("conanfile", folder / "conanfile.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return next(
        value
        for value in vars(loaded).values()
        if isinstance(value, type) and issubclass(value, ConanFile) and value is not ConanFile
    )


def equal(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r} is not {expected!r}")


def check_exported(recipe, version):
    """The files for the build are complete, and the version is that of the headers."""
    with tempfile.TemporaryDirectory() as folder:
        recipe.recipe_folder, recipe.export_sources_folder = str(RECIPES), folder
        recipe.set_version()
        equal(recipe.version, version)
        recipe.export_sources()
        exported = {str(path.relative_to(folder)) for path in Path(folder).rglob("*.*")}
        text = "".join(
            (Path(folder) / name).read_text() for name in ("CMakeLists.txt", "cmake/install.cmake")
        )
        for name in re.findall(r"^ *include\(([a-z]+)\)", text, re.MULTILINE):
            if name != "streams":  # for the tests and the examples
                equal(f"cmake/{name}.cmake" in exported, True)
        for name in ("cmake/packaging/spdx.cmake", "include/asynchat/impl/loop.ipp", "src/tls.cpp",
                     "src/websocket.cpp"):
            equal(name in exported, True)
        # Else a package that was tested gets another revision.
        equal([name for name in exported if "test_package" in name], [])


def check_package(recipe, header_only):
    with tempfile.TemporaryDirectory() as folder:
        recipe.source_folder, recipe.package_folder = str(ROOT), folder
        recipe.calls.clear()
        recipe.build()
        equal(recipe.calls, ["configure"] if header_only else ["configure", "build"])
        recipe.package()
        equal((Path(folder) / "licenses" / "LICENSE").exists(), True)
        equal("install" in recipe.calls, not header_only)
        equal((Path(folder) / "include/asynchat/impl/loop.ipp").exists(), header_only)


def check_info(recipe, header_only, tls, websocket):
    recipe.package_info()
    library = "header_only" if header_only else "asynchat"
    components = recipe.cpp_info.components
    suffix = "_header_only" if header_only else ""
    names = [library] + ["tls" + suffix] * tls + ["websocket" + suffix] * websocket
    equal(list(components), names)
    for name in names:
        equal(components[name].properties["cmake_target_name"], f"asynchat::{name}")
    equal(components[library].libs, [] if header_only else ["asynchat"])
    equal("ASYNCHAT_COMPILED_LIB" in components[library].defines, not header_only)
    equal("_FILE_OFFSET_BITS=64" in components[library].defines, header_only)
    # A component requires those of the other packages, and its own.
    for component in components.values():
        for name in component.requires:
            package = name.split("::")[0]
            equal("::" not in name or package in recipe.required, True)
            equal("::" in name or name in components, True)


def check(recipe, shared, header_only, tls, websocket):
    recipe.configure()
    equal(hasattr(recipe.options, "shared"), not header_only)
    equal(hasattr(recipe.options, "fPIC"), not header_only and not shared)
    recipe.layout()
    recipe.requirements()
    equal(set(recipe.required), {"asio", "fmt"} | ({"openssl"} if tls or websocket else set()))
    for name in ("asio", "fmt"):
        equal(recipe.required[name][1]["transitive_headers"], True)
    if tls or websocket:
        # Conan asks whether it is None: with False, programs with a static library get no OpenSSL.
        needed = True if header_only else None
        equal(recipe.required["openssl"][1],
              {"transitive_headers": needed, "transitive_libs": needed})
    recipe.validate()
    equal(("standard", 17) in recipe.calls, True)
    recipe.settings.os = "Windows"
    try:
        recipe.validate()
        raise AssertionError("Windows is not refused")
    except InvalidConfiguration:
        pass
    recipe.generate()
    variables = {"ASYNCHAT_FETCH_DEPS": False, "ASYNCHAT_TLS": tls, "ASYNCHAT_WEBSOCKET": websocket}
    equal(("generate", variables) in recipe.calls, True)
    check_package(recipe, header_only)
    recipe.package_id()
    equal("clear" in recipe.calls, header_only)
    check_info(recipe, header_only, tls, websocket)


def check_test_package(header_only, tls, websocket, standard):
    """It uses each part that the package has."""
    folder = RECIPES / "test_package"
    recipe = recipe_class(folder)()
    recipe.tested_reference_str = "asynchat/0"
    recipe.standard = standard
    recipe.cpp = types.SimpleNamespace(build=types.SimpleNamespace(bindir="bin"))
    options = Options(header_only=header_only, tls=tls, websocket=websocket)
    recipe.dependencies = {"asynchat": types.SimpleNamespace(options=options)}
    recipe.requirements()
    equal(recipe.required["asynchat"][0], "asynchat/0")
    recipe.layout()
    recipe.generate()
    recipe.build()
    recipe.test()
    programs = ["program"] + ["tls"] * tls + ["websocket"] * websocket
    programs += ["streams"] * (standard >= 20)
    variables = {"PROGRAMS": ";".join(programs), "SUFFIX": "_header_only" * header_only}
    equal(recipe.calls, ["layout", ("generate", variables), ("generate", {}), "configure", "build"]
          + [f"bin/{program}" for program in programs])
    for program in programs:
        equal((folder / f"{program}.cpp").exists(), True)


def main():
    make = recipe_class(RECIPES)
    check_exported(make(), sys.argv[1])
    for shared, header_only, tls, websocket in itertools.product((False, True), repeat=4):
        recipe = make(shared=shared, header_only=header_only, tls=tls, websocket=websocket)
        check(recipe, shared, header_only, tls, websocket)
    for header_only, tls, websocket in itertools.product((False, True), repeat=3):
        for standard in (17, 20):
            check_test_package(header_only, tls, websocket, standard)


main()
