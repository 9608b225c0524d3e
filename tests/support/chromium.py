# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Chromium for tests, driven by chromedriver over HTTP on 127.0.0.1. Needs python3 and these two."""

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

WAIT = 10  # seconds, for one thing in a page


class Browser:
    """Chromium, by chromedriver. Its processes are a group of their own, which ends with it."""

    def __init__(self, folder, *arguments):
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.session = None
        try:
            self.base = f"http://127.0.0.1:{self.port()}"
            self.session = self.start(folder, arguments)
            self.open("data:,")
            for kind in ("browser", "performance"):
                self.log(kind)  # of the page that it begins with
        except BaseException:
            self.close()
            raise

    def port(self):
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return found.group(1)
        raise RuntimeError("chromedriver did not start")

    def start(self, folder, more):
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                     "--no-first-run", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
                     "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
                     f"--user-data-dir={folder}", *more]
        options = {"args": arguments}
        binary = shutil.which("chromium")
        if binary:
            options["binary"] = binary
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        return answer["sessionId"]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"chromedriver: {json.load(error)['value']['message']}") from None

    def post(self, path, **body):
        return self.call("POST", f"/session/{self.session}{path}", body)

    def open(self, address):
        self.post("/url", url=address)

    def run(self, script):
        return self.post("/execute/sync", script=script, args=[])

    def wait_for(self, script):
        """What the script returns when it is neither null nor false; None if it takes too long."""
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            value = self.run(script)
            if value:
                return value
            time.sleep(0.05)
        return None

    def devtools(self, command, **parameters):
        return self.post("/goog/cdp/execute", cmd=command, params=parameters)

    def width(self, pixels):
        self.devtools("Emulation.setDeviceMetricsOverride", width=pixels, height=900,
                      deviceScaleFactor=1, mobile=False)

    def scheme(self, name):
        self.devtools("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": name}])

    def log(self, kind):
        return self.post("/se/log", type=kind)

    def picture(self, path):
        path.write_bytes(base64.b64decode(
            self.call("GET", f"/session/{self.session}/screenshot")))

    def close(self):
        if self.session:
            with contextlib.suppress(OSError, RuntimeError):
                self.call("DELETE", f"/session/{self.session}")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.driver.pid, signal.SIGKILL)
        self.driver.wait()
        self.driver.stdout.close()
