#!/usr/bin/env python3
"""Holds the pages against the headers: nothing that a user can call or run into is left out.

    complete.py          each public and protected call stands on the page of its class, with its
                         parameters; each limit and timeout stands in porting.md, with its default
                         and the call that sets it, and so does each name that Python does not
                         have; each name outside of a class stands somewhere; contributing.md shows
                         the tree as it is; configuration.md has each setting, and async_chat.md
                         the names that a subclass must not take
    complete.py test     whether the above notices what is left out
"""

import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # the tree stays as it is
import headers  # noqa: E402
from faults import noticed, problem, report  # noqa: E402

ROOT = headers.ROOT
INCLUDE = headers.INCLUDE

# Page: what it is about, as (header, kind, name). `enum` stands for `enum class`.
PAGES = {
    "dispatcher.md": [("dispatcher.hpp", "class", "dispatcher"),
                      ("channel_log.hpp", "class", "channel_log")],
    "async_chat.md": [("async_chat.hpp", "class", "async_chat"),
                      ("async_chat.hpp", "enum", "overflow")],
    "dispatcher_with_send.md": [("dispatcher_with_send.hpp", "class", "dispatcher_with_send")],
    "file_dispatcher.md": [("file_dispatcher.hpp", "class", "file_dispatcher")],
    "frame_chat.md": [("frame_chat.hpp", "class", "frame_chat")],
    "flow.md": [("relay.hpp", "class", "relay")],
    "server.md": [("server.hpp", "class", "server_base"), ("server.hpp", "class", "server"),
                  ("server_counters.hpp", "struct", "server_counters"),
                  ("listen_options.hpp", "class", "listen_options"),
                  ("proxy_header.hpp", "class", "proxy_header")],
    "scaling.md": [("server_group.hpp", "class", "server_group_base"),
                   ("server_group.hpp", "class", "server_group"),
                   ("server_group.hpp", "class", "group_options"),
                   ("server_group.hpp", "enum", "spread")],
    "clients.md": [("endpoint.hpp", "struct", "connect_error"),
                   ("target.hpp", "class", "target"),
                   ("pool.hpp", "class", "pool_base"), ("pool.hpp", "class", "pool"),
                   ("reconnecting.hpp", "class", "reconnector"),
                   ("reconnecting.hpp", "class", "reconnecting"),
                   ("request_queue.hpp", "class", "request_queue")],
    "loop.md": [("loop.hpp", "class", "loop"), ("timer.hpp", "class", "timer"),
                ("timer.hpp", "class", "scoped_timer"),
                ("handle.hpp", "class", "handle"), ("run_guard.hpp", "class", "run_guard")],
    "sockets.md": [("endpoint.hpp", "class", "endpoint"), ("socket.hpp", "class", "socket"),
                   ("address_range.hpp", "class", "address_range"),
                   ("const_buffers.hpp", "class", "const_buffers")],
    "terminator.md": [("terminator.hpp", "class", "terminator"),
                      ("terminator.hpp", "enum", "byte_order")],
    "transport.md": [("transport.hpp", "class", "transport"),
                     ("transport.hpp", "class", "transport_layer"),
                     ("transport.hpp", "class", "wait_handler"),
                     ("transport.hpp", "enum", "readiness"),
                     ("transport.hpp", "enum", "early_input")],
    "producers.md": [("producer.hpp", "class", "producer"),
                     ("producer.hpp", "class", "simple_producer"), ("fifo.hpp", "class", "fifo")],
    "file_producer.md": [("file_producer.hpp", "class", "file_producer")],
    "number.md": [("number.hpp", "class", "basic_parsed_number"),
                  ("number.hpp", "enum", "number_error"), ("number.hpp", "enum", "number_base")],
    "errors.md": [("error.hpp", "enum", "close_reason"), ("error.hpp", "enum", "log_type")],
    "streams.md": [("streams.hpp", "class", "stream_reader"),
                   ("streams.hpp", "class", "stream_writer"),
                   ("streams.hpp", "struct", "stream_options")],
    "tls.md": [("tls.hpp", "class", "context"), ("tls.hpp", "class", "connection"),
               ("tls.hpp", "enum", "version"), ("tls.hpp", "enum", "verify"),
               ("tls_testing.hpp", "class", "authority")],
    "websocket.md": [("websocket_chat.hpp", "class", "websocket_chat"),
                     ("websocket_chat.hpp", "class", "websocket_frame"),
                     ("websocket_chat.hpp", "enum", "message_kind"),
                     ("websocket_options.hpp", "class", "websocket_options"),
                     ("upgrade_request.hpp", "class", "upgrade_request")],
    "testing.md": [("testing.hpp", "class", "loop"), ("testing.hpp", "class", "peer"),
                   ("testing.hpp", "class", "listener"),
                   ("detail/memory_network.hpp", "struct", "faults"),
                   ("detail/memory_network.hpp", "enum", "operation")],
}

# Classes that Python has, or whose work is part of one: their names stand in porting.md.
PORTED = ["dispatcher.md", "async_chat.md", "dispatcher_with_send.md", "file_dispatcher.md",
          "loop.md"]

# Not for users: how the library itself, or the test kit, makes an object.
INTERNAL = {
    "loop(std::unique_ptr<clock> clock, network* network = nullptr)",
    "wait_handler(state_ptr state, readiness what)",
    "basic_parsed_number(Number value)",
    "basic_parsed_number(number_error error, std::size_t position)",
    "closes_by_reason",
    "stream_reader(std::shared_ptr<stream_state> of)",
    "stream_writer(std::shared_ptr<stream_state> of)",
}


# Calls with both forms, or named like one, that set nothing that lasts.
NO_SETTINGS = {"loop", "run", "read", "set_connected"}


def page_text(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def code_of(text):
    """All code of a page on one line, as headers.members() writes it."""
    blocks = re.findall(r"(?ms)^ *```\w*[^\n]*\n(.*?)^ *```", text)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^ *```.*?^ *```", "", text))
    code = headers.one_line(" ; ".join(spans + blocks))
    return re.sub(r"(\w)<[TF]>\(", r"\1(", code)


def check_page(page, text):
    code = code_of(text)
    code += " ; " + re.sub(r'"[^"]*"', '""', code)  # headers.py leaves no text in a default
    for header, kind, name in PAGES[page]:
        if kind == "enum":
            wanted = headers.enumerators(header, name)
        else:
            wanted = headers.members(header, kind, name)
        if not wanted:
            problem(page, f"{header} declares nothing in {name}")
        for member in dict.fromkeys(wanted):
            if member in INTERNAL:
                continue
            last = "" if member.endswith(")") else r"\b"
            if not re.search(rf"(?<!\w){re.escape(member)}{last}", code):
                problem(page, f"says nothing of {name}: `{member}`")


# ---- limits --------------------------------------------------------------------------------------

def seconds(value):
    return f"{value} s"


def bytes_(value):
    for size, unit in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= size and value % size == 0:
            return f"{value // size} {unit}"
    return f"{value} bytes"


def source_of(path):
    return headers.without_comments((INCLUDE / path).read_text(encoding="utf-8"))


STRUCTS = {"timeouts": "detail/timing/deadlines.hpp",
           "output_limits": "detail/output/water_marks.hpp"}


def initializers(struct):
    """Each member of a struct of limits with the text of its default."""
    body = headers.body_of(STRUCTS[struct], "struct", struct)
    return dict(re.findall(r"(?m)^\s*(?!using)[\w:]+ (\w+) = ([^;]+);", body))


def duration(text):
    if "zero()" in text:
        return "none"
    count, unit = re.search(r"(\d+)\)", text).group(1), re.search(r"::(\w+)\(", text).group(1)
    return {"seconds": f"{count} s", "milliseconds": f"{count} ms"}[unit]


def number(path, pattern):
    found = re.search(pattern, source_of(path))
    if not found:
        problem(path, f"has no '{pattern}' any more: complete.py needs to know its new place")
        return 0
    return int(found.group(1).replace("'", ""))


# Of struct timeouts and struct flow_limits: the call that sets it.
BOUNDS = {
    "connect": "connect_timeout()", "idle": "idle_timeout()", "frame": "frame_timeout()",
    "write": "write_timeout()", "linger": "linger_timeout()",
    "high": "write_buffer_limits()", "low": "write_buffer_limits()",
    "max_bytes": "max_output()", "full": "when_full()", "handshake": "handshake_timeout()",
    "silence": "silence_interval()",
}

# The other places of limits: path, the text in front of and around the number, how it is written,
# and the call that has to stand in the same row (or a name, where there is no call).
LIMITS = [
    ("detail/framing/frame_decoder.hpp", r"default_max_frame = (\d+)", bytes_, "max_frame()"),
    ("async_chat.hpp", r"\bac_in_buffer_size = (\d+)", bytes_, "ac_in_buffer_size"),
    ("loop.hpp", r"\bmax_unread_ = std::size_t\{(\d+)\} << 20", lambda n: f"{n} MiB",
     "loop::max_unread()"),
    ("async_chat.hpp", r"\bac_out_buffer_size = (\d+)", bytes_, "ac_out_buffer_size"),
    ("detail/log_limit.hpp", r"channel_log_limit = log_limit<(\d+)>", str, "log_info()"),
    ("detail/log_limit.hpp", r"server_log_limit = log_limit<(\d+)>", str, "log_info()"),
    ("detail/log_limit.hpp", r"loop_log_limit = log_limit<(\d+)>", str, "log_info()"),
    ("escape.hpp", r"longest_name = (\d+)", lambda n: f"{n} bytes", "log_info()"),
    ("escape.hpp", r"longest_text = (\d+)", lambda n: f"{n} bytes", "log_info()"),
    ("impl/dispatcher.ipp", r"constexpr int max_connections = (\d+)", str, "handle_accept()"),
    ("impl/tls/tls_input.ipp", r"max_records_without_data = (\d+)", str, "tls_error"),
    ("impl/tls/tls_output.ipp", r"max_waiting = (\d+)", bytes_, "tls_error"),
    ("impl/websocket/websocket_chat.ipp", r"max_request_head = (\d+)", bytes_, "websocket_chat"),
    ("impl/websocket/websocket_options.ipp", r"max_message = (\d+)", bytes_, "max_message()"),
    ("impl/websocket/websocket_options.ipp", r"ping_interval = std::chrono::seconds\((\d+)\)",
     seconds, "ping_interval()"),
    ("impl/websocket/websocket_options.ipp", r"pong_timeout = std::chrono::seconds\((\d+)\)",
     seconds, "pong_timeout()"),
    ("impl/websocket/websocket_options.ipp", r"close_timeout = std::chrono::seconds\((\d+)\)",
     seconds, "push_close()"),
    ("impl/dispatcher_opening.ipp", r"max_openings = (\d+)", str, "max_handshakes()"),
    ("server.hpp", r"\bproxy_timeout_ = std::chrono::seconds\((\d+)\)", seconds, "proxy_timeout()"),
    ("server.hpp", r"\bmax_proxy_header_ = (\d+)", bytes_, "max_proxy_header()"),
    ("detail/proxy_header.hpp", r"max_line = (\d+)", bytes_, "max_proxy_header()"),
    ("impl/proxy_header.ipp", r"max_unique_id = (\d+)", bytes_, "expect_proxy()"),
    ("impl/proxy_header.ipp", r"max_authority = (\d+)", bytes_, "expect_proxy()"),
    ("detail/io/lingerer.hpp", r"max_open = (\d+)", lambda n: f"{n:,}", "linger_timeout()"),
    ("detail/io/accept_backoff.hpp", r"pause = std::chrono::milliseconds\((\d+)\)",
     lambda n: f"{n / 1000:g} s", "handle_error()"),
    ("detail/io/connect_race.hpp", r"max_addresses = (\d+)", str, "connect()"),
    ("detail/io/connect_race.hpp", r"max_attempts = (\d+)", str, "happy_eyeballs_delay()"),
    ("detail/io/connect_race.hpp", r"delay = std::chrono::milliseconds\((\d+)\)",
     lambda n: f"{n / 1000:g} s", "happy_eyeballs_delay()"),
    ("pool.hpp", r"\bmax_size_ = (\d+)", str, "max_size()"),
    ("pool.hpp", r"\bidle_limit_ = std::chrono::seconds\((\d+)\)", seconds, "idle_limit()"),
    ("impl/loop_time.ipp", r"deadline_tick = std::chrono::milliseconds\((\d+)\)",
     lambda n: f"{n / 1000:g} s", "idle_timeout()"),
    ("impl/channel_access.ipp", r"rate_tick = std::chrono::milliseconds\((\d+)\)",
     lambda n: f"{n / 1000:g} s", "read_rate()"),
]

# Members that bound something and are off: their setter has to be named as well.
OFF = [
    ("server.hpp", "max_connections_ = unlimited", "max_connections()"),
    ("server.hpp", "max_per_address_ = unlimited", "max_connections_per_address()"),
    ("server.hpp", "max_handshakes_ = unlimited", "max_handshakes()"),
    ("reconnecting.hpp", "max_attempts_ = unlimited", "max_attempts()"),
    ("detail/timing/rate_limit.hpp", "unlimited = std::numeric_limits", "read_rate()"),
    ("detail/timing/rate_limit.hpp", "unlimited = std::numeric_limits", "frame_rate()"),
    ("pool.hpp", "life_limit_ = loop::duration::zero()", "life_limit()"),
]

# Constants that end or slow no program, by the name that they have: sizes of what is kept or tried
# at once, names for values, and what no protocol reaches.
NO_LIMITS = {
    "cut", "hex", "close_reason_count", "unlimited", "none", "never", "is_count_type",
    "not_queued", "max_layers", "client_timeouts", "server_timeouts", "default_max_frame", "default_output_limits", "of_both", "of_input",
    "of_output",
    "reasons", "radix", "judged", "timeout_of", "prefix",
    "block", "find_bytes_size", "capacity", "bits", "largest",            # how a search works
    "max_near", "min_pooled_size", "max_tiny_size", "max_small_size", "max_small", "max_large",        # memory that is kept
    "max_kept", "max_kept_block", "max_spare", "block_size", "min_moved_size", "min_shared_size",
    "max_others", "max_turn", "max_tries", "max_plain_format", "max_plain_text", "two_digits",      # how it is done fast
    "max_ended",                                                          # how turns are shared
    "min_received_in_place", "max_reserved", "largest_length",            # how a frame is received
    "max_receive",  # 1 GiB in a call
    "usual_receive", "large_receive",  # said of ac_in_buffer_size
    "space_size", "fits", "table",  # how a function is held
    "max_timeout",  # of poll(): a year
    "lifetime", "max_received", "max_record", "max_records", "max_rest", "id", "digits", "alerts", "usual",
    "overhead", "header", "curves",  # how TLS is done
    "max_control_payload", "length_in_2_bytes", "length_in_8_bytes", "failed", "utf8_tails",
    "short_head", "masked", "last_text", "last_binary",
    "not_utf8", "max_reason",  # the form of a WebSocket frame
    "min_header", "max_header",  # what max_proxy_header() may be
    "line_start", "line_end", "signature", "fixed_size", "tlv_head", "path_size", "address_sizes",
    "tlv_authority", "tlv_crc32c", "tlv_unique_id", "command_at", "family_at", "unknown", "count",
    "crc32c_table", "mapped",  # the form of a PROXY header
    "shortest_wait", "good_after", "stable_after", "doublings_after_stable",  # of a reconnecting<T>
    "century", "nanos", "second", "max_rate",  # how a rate is counted
    "grace",        # of a timeout, when we are late ourselves
    "max_descriptors", "first_descriptor", "max_pieces", "max_sockets",  # of a message, of a service manager
    "close_on_exec_flag", "no_signal_flag",  # of system calls
    "look_behind_mark_after",  # how soon a lost connection is noticed behind an urgent mark
}
# Names that are limits in one place and something else in another.
IN_LIMITS = {"longest_name", "longest_text", "max_size", "max_digits", "max_connections",
             "max_lines", "max_open", "pause", "deadline_tick", "rate_tick", "max_records_without_data",
             "max_waiting", "max_openings", "max_line", "max_unique_id", "max_authority",
             "max_addresses", "max_attempts", "max_request_head"}


def limits():
    """All (name, text of the value, call) that porting.md has to have in one row."""
    found = []
    for struct in STRUCTS:
        for name, default in initializers(struct).items():
            if name not in BOUNDS:
                problem("porting.md", f"a new bound in {struct}: '{name}'. Add it to the limits, "
                                      "and to complete.py with the call that sets it")
                continue
            text = duration(default) if struct == "timeouts" else bytes_(int(default))
            found.append((name, text, BOUNDS[name]))
    server = re.search(r"server_timeouts = {(.*?)};", source_of("detail/timing/deadlines.hpp"), re.S).group(1)
    own = re.findall(r"std::chrono::\w+\(\d+\)", server)
    if len(own) != 3:
        problem("porting.md", "the timeouts of a server differ from those of a client in another "
                              "way: complete.py knows of the time of a frame, of a full channel "
                              "and of a handshake")
    found.append(("frame of a server", duration(own[0]), "frame_timeout()"))
    found.append(("full of a server", duration(own[1]), "when_full()"))
    found.append(("handshake of a server", duration(own[-1]), "handshake_timeout()"))
    for path, pattern, text, call in LIMITS:
        found.append((pattern, text(number(path, pattern)), call))
    for path, default, call in OFF:
        if default not in source_of(path):
            problem("porting.md", f"'{default}' is not in {path} any more: is there a limit now?")
        found.append((default, "none", call))
    return found


def rows_of(text, heading):
    section = re.search(rf"(?ms)^### {heading}\n(.*?)(?=^##|\Z)", text)
    return section.group(1).splitlines() if section else []


def check_limits(text, wanted):
    rows = [row for row in rows_of(text, "Limits and times") if row.startswith("| ")]
    if not rows:
        problem("porting.md", "has no table '### Limits and times'")
    for name, value, call in wanted:
        word = re.escape(call[:-1] if call.endswith("()") else call)
        if not any(re.search(rf"(?<![\d.,]){re.escape(value)}\b", row) and re.search(word, row)
                   for row in rows):
            problem("porting.md", f"no limit with '{value}' and `{call}` ({name})")


def check_constants():
    """A constant that is neither a limit above nor known to be none: somebody has to decide."""
    for path in sorted(INCLUDE.rglob("*.?pp")):
        for name in re.findall(r"\bconstexpr\b[^;(){}]*?\b(\w+)(?:\[\])?\s*(?:=|{)(?!=)",
                               headers.without_comments(path.read_text(encoding="utf-8"))):
            if name not in NO_LIMITS and name not in IN_LIMITS:
                problem("porting.md", f"a new constant in {path.name}: '{name}'. If it can end or "
                                      "slow a program it belongs to the limits; complete.py has "
                                      "to know it in any case")
        for name in re.findall(r"\b(max_\w+_|\w+_(?:limit|timeout)_)\s*=\s*\w+;",
                               headers.without_comments(path.read_text(encoding="utf-8"))):
            known = {re.sub(r"\W.*", "", default) for _, default, _ in OFF}
            if name not in known | {"max_unread_", "frame_limit_", "over_limit_", "proxy_timeout_",
                                     "max_proxy_header_", "max_size_", "idle_limit_"}:
                problem("porting.md", f"a new limit in {path.name}: '{name}'")


def check_names(text):
    """porting.md has a word on each call of the classes that it is about."""
    for page in PORTED:
        for header, kind, name in PAGES[page]:
            wanted = headers.enumerators(header, name) if kind == "enum" else \
                headers.members(header, kind, name)
            for called in sorted({re.sub(r"\(.*", "", member, flags=re.S) for member in wanted}):
                if not re.search(rf"(?<!\w){called}(?!\w)", text):
                    problem("porting.md", f"says nothing of {name}: {called}")


def check_settings(text):
    """configuration.md lists each call that has a form that sets and one that asks."""
    for page, classes in PAGES.items():
        for header, kind, name in classes:
            if kind == "enum":
                continue
            calls = headers.members(header, kind, name)
            asks = {call[:-2] for call in calls if call.endswith("()")}
            for call in sorted({call.partition("(")[0] for call in calls
                                if not call.endswith("()")}):
                if (call in asks or call.startswith("set_")) and call not in NO_SETTINGS and \
                        not re.search(rf"(?<!\w){call}\(", text):
                    problem("configuration.md", f"says nothing of {name}: {call}()")


def check_taken_names(text):
    """async_chat.md lists the names of virtual functions, for users who choose names."""
    section = re.search(r"(?ms)^### Names that are taken\n(.*?)(?=^Other)", text)
    shown = set(re.findall(r"`(\w+)`", section.group(1))) - {"override", "handle_"} \
        if section else set()
    there = set()
    for header in ("dispatcher.hpp", "async_chat.hpp"):
        there |= set(re.findall(r"\bvirtual\s[^;{]*?\b([a-z]\w*)\(", source_of(header)))
    there = {name for name in there if not name.startswith("handle_") and not name.endswith("_")}
    for name in sorted(shown ^ (there - {"dispatcher"})):
        problem("async_chat.md", f"'{name}' is " + ("listed as taken, but not virtual"
                                                    if name in shown else
                                                    "virtual, but not listed as taken"))


def check_tree(text):
    """contributing.md shows each folder of tests/, and none that is not there."""
    shown = set(re.findall(r"(?m)^tests/(\w+)/ ", text))
    there = {path.name for path in (ROOT / "tests").iterdir()
             if path.is_dir() and path.name != "__pycache__"}
    for name in sorted(shown ^ there):
        problem("contributing.md", f"tests/{name}/ is " +
                ("shown, but not there" if name in shown else "not shown"))


def check_public_names(text):
    """What users find in the headers they also find in the pages."""
    for path in sorted(INCLUDE.glob("*.hpp")):
        for _, name in headers.public_names(path.name):
            if not re.search(rf"(?<!\w){name.rpartition('::')[2]}(?!\w)", text):
                problem("docs", f"no page says anything of {name} in {path.name}")


def all_pages():
    return "\n".join(path.read_text(encoding="utf-8")
                     for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "changelog.md")


def check():
    check_public_names(all_pages())
    check_tree(page_text("contributing.md"))
    check_settings(page_text("configuration.md"))
    check_taken_names(page_text("async_chat.md"))
    for page in PAGES:
        check_page(page, page_text(page))
    check_limits(page_text("porting.md"), limits())
    check_constants()
    check_names(page_text("porting.md"))


# ---- the test of the test -----------------------------------------------------------------------

def test():
    text = page_text("dispatcher.md")
    for call in ("bind(const endpoint& where)", "abort()", "set_connected(bool on)"):
        noticed(call, lambda: check_page("dispatcher.md", text.replace(call, "")))
    text = page_text("porting.md")
    noticed("`frame_timeout()`", lambda: check_limits(text.replace("120 s", "119 s"), limits()))
    noticed("`max_output()`", lambda: check_limits(text.replace("max_output", "max"), limits()))
    noticed("a_new_one", lambda: check_limits(text, [("a_new_one", "17 s", "new_timeout()")]))
    noticed("end_turn", lambda: check_names(text.replace("end_turn", "")))
    text = all_pages()
    for name in ("stream_server", "tls::tls_category", "start_watchdog", "unlimited"):
        noticed(name, lambda: check_public_names(text.replace(name.rpartition("::")[2], "")))
    text = page_text("configuration.md")
    noticed("pool_base: max_size()", lambda: check_settings(text.replace("max_size(", "")))
    text = page_text("async_chat.md")
    noticed("'repr' is virtual", lambda: check_taken_names(text.replace("`repr`, ", "")))
    text = page_text("contributing.md")
    noticed("tests/docs/", lambda: check_tree(text.replace("tests/docs/ ", "")))


def main():
    if sys.argv[1:] == ["test"]:
        test()
    elif len(sys.argv) == 1:
        check()
    else:
        sys.exit(__doc__)
    report()


if __name__ == "__main__":
    main()
