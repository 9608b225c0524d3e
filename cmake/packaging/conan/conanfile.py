# SPDX-License-Identifier: BSL-1.0
"""A recipe for Conan 2, for the tree that it lies in: conan create cmake/packaging/conan"""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir

required_conan_version = ">=2.0"


class AsynchatConan(ConanFile):
    name = "asynchat"
    description = "Python's asynchat programming model on standalone Asio"
    license = "BSL-1.0"
    topics = ("network", "asio", "asynchat", "protocol")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {
        "shared": [True, False],
        "fPIC": [True, False],
        "header_only": [True, False],
        "tls": [True, False],
        "websocket": [True, False],
    }
    default_options = {
        "shared": False,
        "fPIC": True,
        "header_only": False,
        "tls": True,
        "websocket": True,
    }

    @property
    def _tree(self):
        return os.path.join(self.recipe_folder, os.pardir, os.pardir, os.pardir)

    def set_version(self):
        header = load(self, os.path.join(self._tree, "include", "asynchat", "version.hpp"))
        self.version = ".".join(
            re.search(f"^#define ASYNCHAT_VERSION_{part} ([0-9]+)$", header, re.MULTILINE)[1]
            for part in ("MAJOR", "MINOR", "PATCH")
        )

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*"):
            # Not the packages of others, nor what a test of this one has built.
            copy(self, pattern, self._tree, self.export_sources_folder,
                 excludes=("cmake/packaging/*/*", "cmake/site/*"))

    def configure(self):
        if self.options.header_only:
            self.options.rm_safe("shared")
        if self.options.header_only or self.options.shared:
            self.options.rm_safe("fPIC")

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        # The installed headers include both.
        self.requires("asio/[>=1.22]", transitive_headers=True)
        self.requires("fmt/[>=9]", transitive_headers=True, transitive_libs=True)
        if self.options.tls or self.options.websocket:
            # A program with the headers alone needs all of it. Else Conan decides by the kinds of
            # both libraries, which it does only where nothing is said.
            needed = bool(self.options.header_only) or None
            self.requires("openssl/[>=3 <4]", transitive_headers=needed, transitive_libs=needed)

    def validate(self):
        if self.settings.os == "Windows":
            raise ConanInvalidConfiguration("asynchat does not run on Windows")
        check_min_cppstd(self, 17)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["ASYNCHAT_FETCH_DEPS"] = False
        toolchain.cache_variables["ASYNCHAT_TLS"] = bool(self.options.tls)
        toolchain.cache_variables["ASYNCHAT_WEBSOCKET"] = bool(self.options.websocket)
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        if not self.options.header_only:
            cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        if self.options.header_only:
            include = os.path.join(self.source_folder, "include")
            copy(self, "*.?pp", include, os.path.join(self.package_folder, "include"))
            return
        CMake(self).install()
        # Conan describes the package to CMake and to pkg-config itself, by package_info().
        for folder in ("lib/cmake", "lib/pkgconfig", "share"):
            rmdir(self, os.path.join(self.package_folder, folder))

    def package_id(self):
        if self.info.options.header_only:
            self.info.clear()

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "asynchat")
        # Else the target of the whole package would be called asynchat::asynchat too.
        self.cpp_info.set_property("cmake_target_name", "asynchat::all")
        dependencies = ["asio::asio", "fmt::fmt"]
        if self.options.header_only:
            self._describe("header_only", [], dependencies, [])
        else:
            self._describe("asynchat", ["asynchat"], dependencies, ["ASYNCHAT_COMPILED_LIB"])
        parts = [("tls", "openssl::ssl"), ("websocket", "openssl::crypto")]
        for name, library in parts:
            if not getattr(self.options, name):
                continue
            if self.options.header_only:
                self._describe(f"{name}_header_only", [], ["header_only", library], [])
            else:
                self._describe(name, [f"asynchat_{name}"], ["asynchat", library], [])

    def _describe(self, name, libs, requires, defines):
        component = self.cpp_info.components[name]
        component.set_property("cmake_target_name", f"asynchat::{name}")
        component.set_property("pkg_config_name", f"asynchat-{name}".replace("-asynchat", ""))
        component.libs = libs
        component.requires = requires
        component.defines = defines + ["ASIO_STANDALONE"]
        if not libs:
            # Offsets in files of 64 bits on 32-bit systems too; elsewhere this changes nothing.
            component.defines.append("_FILE_OFFSET_BITS=64")
            component.bindirs = component.libdirs = []
        component.system_libs = ["pthread"]
