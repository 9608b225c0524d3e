#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""TLS by a program in front of a server without: proxy.py nginx|stunnel FLOOR MODE CERTIFICATE KEY

Prints the port of the proxy, and the processes whose time counts. It ends with them.
"""
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

NGINX = """{modules}
user root; daemon off; master_process off; error_log stderr crit; pid {directory}/pid;
worker_rlimit_nofile 20000;
events {{ worker_connections 10000; }}
stream {{
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096;
        ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;
        proxy_pass 127.0.0.1:{behind}; tcp_nodelay on;
    }}
}}
"""
STUNNEL = """foreground = yes
debug = 0
pid =
sslVersionMin = TLSv1.3
[echo]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{behind}
cert = {certificate}
key = {key}
"""


def start(command, **more):
    if shutil.which("setpriv"):  # ends with this one, however that ends
        command = ["setpriv", "--pdeathsig", "KILL"] + command
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, **more)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_listens(port, proxy):
    while proxy.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    sys.exit("the proxy does not start")


def main():
    kind, floor, mode, certificate, key = sys.argv[1:]
    behind = start([floor, mode], stdout=subprocess.PIPE, text=True)
    port = free_port()
    module = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    with tempfile.TemporaryDirectory() as directory:
        config = pathlib.Path(directory, "config")
        config.write_text((NGINX if kind == "nginx" else STUNNEL).format(
            modules=f"load_module {module};" if module.exists() else "", directory=directory,
            port=port, behind=int(behind.stdout.readline()), certificate=certificate, key=key))
        options = ["-p", directory, "-c"] if kind == "nginx" else []
        proxy = start([shutil.which(kind)] + options + [str(config)], stdout=sys.stderr)
        wait_until_it_listens(port, proxy)
    print(port, proxy.pid, behind.pid, flush=True)
    proxy.wait()


if __name__ == "__main__":
    main()
