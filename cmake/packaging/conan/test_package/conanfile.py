# SPDX-License-Identifier: BSL-1.0
"""Builds programs with the parts that the package has, and runs them."""

import os

from conan import ConanFile
from conan.tools.build import can_run, valid_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout


class TestPackageConan(ConanFile):
    settings = "os", "arch", "compiler", "build_type"

    def requirements(self):
        self.requires(self.tested_reference_str)

    def layout(self):
        cmake_layout(self)

    @property
    def _programs(self):
        """Those for the options of the package, and for the standard of the profile."""
        options = self.dependencies["asynchat"].options
        parts = [part for part in ("tls", "websocket") if getattr(options, part)]
        return ["program"] + parts + ["streams"] * valid_min_cppstd(self, 20)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["PROGRAMS"] = ";".join(self._programs)
        header_only = self.dependencies["asynchat"].options.header_only
        toolchain.cache_variables["SUFFIX"] = "_header_only" if header_only else ""
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def test(self):
        if can_run(self):
            for program in self._programs:
                self.run(os.path.join(self.cpp.build.bindir, program), env="conanrun")
