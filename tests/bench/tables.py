# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""The tables of the benchmark, as Markdown, for the pages that show them."""

NAMES = {
    "floor": "a bare epoll loop",
    "floor again": "the same again",
    "asynchat frames": "asynchat, whole frames",
    "asynchat streaming": "asynchat, streaming",
    "asynchat own string": "asynchat, own string",
    "asynchat streams": "asynchat, streams",
    "asynchat streams batches": "asynchat, streams with `next_line()`",
    "asynchat counted": "asynchat, counted frames",
    "asynchat websocket": "asynchat, WebSocket",
    "Asio read_some": "Asio `async_read_some`, by hand",
    "Asio read_until": "Asio `async_read_until` and `async_write`",
    "Asio awaitable": "Asio `async_read_until`, awaited",
    "libevent": "libevent bufferevent",
    "tokio": "tokio LinesCodec",
    "asio::ssl": "`asio::ssl`, by hand",
    "nginx": "nginx in front",
    "stunnel": "stunnel in front",
}
FLOORS = ("floor", "floor again")
ONE_AT_A_TIME = {"pp64": "64 connections", "10+1k": "10 and 1,000 idle", "pp1": "1", "pp4": "4",
                 "churn": "churn", "broadcast": "broadcast"}
MANY = {"pipe16": "64 lines of 16 bytes", "pipe64": "of 64", "pipe512": "of 512",
        "count64": "64 counted frames of 64 bytes", "deep16": "1,024 lines of 16 bytes",
        "deep512": "of 512", "deep4k": "lines of 4 KiB", "deep64k": "frames of 64 KiB"}
LARGE = {"line4k": "lines of 4 KiB", "count4k": "counted 4 KiB", "count64k": "counted 64 KiB",
         "count1m": "counted 1 MiB"}
TLS = {"tls64": "64 bytes, 64 connections", "tls4k": "4 KiB, 64 connections",
       "tls1m": "1 MiB, 4 connections", "tlsfull": "full", "tlsresumed": "resumed"}
WEBSOCKET = {"ws64": "one at a time, 64 connections", "wspipe64": "64 at a time, 16 connections"}


def rounded(ratio):
    """Two places up to 2, fewer above: no more can be trusted."""
    return f"{ratio:.2f}" if ratio < 2 else f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def table(heading, columns, rows):
    lines = [f"| {heading} | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows]
    return "\n".join(lines) + "\n"


def ratios(report, servers, works):
    """Processor time, divided by the floor's; a server that has none of the figures is left out."""
    cells = report["cells"]
    works = {work: title for work, title in works.items() if work in cells}

    def text(work, name):
        cell = cells[work].get(name)
        return rounded(cell["ratio"]) if isinstance(cell, dict) else cell or ""

    def apart(work):
        return f"{abs(cells[work][FLOORS[0]]['ratio'] - cells[work][FLOORS[1]]['ratio']):.2f}"

    rows = [(NAMES.get(name, name), [text(work, name) for work in works])
            for name in servers if name not in FLOORS]
    rows = [row for row in rows if any(row[1])]
    return table("server", works.values(), rows + [("the two floors apart", map(apart, works))])


def latencies(report, servers, keys):
    """Several figures of each kind of load in one cell."""
    loads = report["latency"]

    def text(title, name):
        cell = loads[title].get(name)
        return ", ".join(f"{cell[key]:,.0f}" for key in keys) if isinstance(cell, dict) else ""

    rows = [(NAMES.get(name, name), [text(title, name) for title in loads]) for name in servers]
    return table("server", loads, [row for row in rows if any(row[1])])


def idle_bytes(report, servers):
    sizes = report["memory"]
    rows = [(NAMES.get(name, name),
             [f"{row[name]:,.0f}" if row.get(name) is not None else "" for row in sizes.values()])
            for name in servers]
    return table("server", ["over TLS" if count == "TLS" else f"of {count}" for count in sizes],
                 rows)


def draw(report):
    """The text of all tables that the report has figures for."""
    servers, parts = report["servers"], []
    for title, works in (("One message at a time", ONE_AT_A_TIME),
                         ("Many messages at a time", MANY),
                         ("One large message at a time", LARGE)):
        if any(work in report["cells"] for work in works):
            parts.append(f"{title}:\n\n" + ratios(report, servers, works))
    if any(work in report["cells"] for work in TLS):
        parts.append("TLS:\n\n" + ratios(report, report["tls_servers"], TLS))
    if any(work in report["cells"] for work in WEBSOCKET):
        parts.append("WebSocket:\n\n" + ratios(report, report["websocket_servers"], WEBSOCKET))
    if report["latency"]:
        parts.append("Microseconds for an answer, p50, p99 and maximum:\n\n"
                     + latencies(report, servers, ("p50", "p99", "max")))
        parts.append("Requests of others that are answered meanwhile, p99 and maximum:\n\n"
                     + latencies(report, servers, ("others99", "others")))
    if report["memory"]:
        parts.append("Bytes of an idle connection:\n\n" + idle_bytes(report, servers))
    return "\n".join(parts)
