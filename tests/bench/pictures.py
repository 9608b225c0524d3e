# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""The pictures of the benchmark, as SVG."""
import html
import math

OURS = "#c0392b"
OURS_TOO = ("#c0392b", "#e67e22", "#78281f", "#ff69b4", "#d4ac0d")
FLOOR = "#2c3e50"
OTHERS = ("#2980b9", "#27ae60", "#8e44ad", "#d68910", "#16a085", "#7f8c8d", "#6c3483", "#a04000",
          "#1a5276", "#909497", "#117864", "#b7950b", "#5d6d7e")


class Canvas:
    """A white page that collects elements."""

    def __init__(self, width, height):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
                      f'width="{width}" height="{height}" font-family="sans-serif" '
                      'font-size="12">', '<rect width="100%" height="100%" fill="white"/>']

    def text(self, x, y, words, **style):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}"{attributes(style)}>'
                          f'{html.escape(str(words))}</text>')

    def line(self, points, **style):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none"{attributes(style)}/>')

    def dot(self, x, y, colour):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')

    def done(self):
        return "\n".join(self.parts + ["</svg>"]) + "\n"


def attributes(style):
    return "".join(f' {key.replace("_", "-")}="{value}"' for key, value in style.items())


def colours_of(names):
    others, ours = iter(OTHERS * 2), iter(OURS_TOO * 2)
    return {name: next(ours) if name.startswith("asynchat") else
            FLOOR if name.startswith("floor") else next(others) for name in names}


def width_of(names):
    """Of the longest one, in bold."""
    return max(len(name) for name in names) * 8


def head(canvas, report, title, note):
    canvas.text(14, 24, title, font_size=17, font_weight="bold")
    canvas.text(14, 43, f"{note}; {report['machine']}, {report['asio']}", fill="#666")


def groups(report):
    """A panel for each group of work, a row for each server, on logarithmic scales."""
    names = [name for name in report["servers"] if name != "floor again"]
    shown = [g for g in ("ping-pong", "pipelined", "deep", "bulk", "1 MiB", "churn")
             if any(g in report["groups"][name] for name in names)]
    left, top, wide, row = width_of(names) + 20, 84, 165, 20
    bottom = top + row * len(names)
    canvas = Canvas(left + len(shown) * wide + 10, bottom + 40)
    head(canvas, report, "Processor time of a framed echo, as a multiple of a bare epoll loop in C",
         "logarithmic, further left is better")
    for i, name in enumerate(names):
        ours = name.startswith("asynchat")
        canvas.text(left - 12, top + row * (i + 0.7), name, text_anchor="end",
                    fill=OURS if ours else "#222", font_weight="bold" if ours else "normal")
    for i, group in enumerate(shown):
        x0, inner = left + i * wide, wide - 50
        values = {n: report["groups"][n][group] for n in names if group in report["groups"][n]}
        most = math.log(max(2.2, max(values.values()) * 1.1))

        def at(value, x0=x0, inner=inner, most=most):
            return x0 + max(0.0, math.log(value)) / most * inner

        canvas.text(x0, top - 10, group, font_weight="bold")
        for tick in (1, 2, 5, 10, 20, 50):
            if math.log(tick) <= most:
                canvas.line([(at(tick), top), (at(tick), bottom)], stroke="#ddd")
                canvas.text(at(tick), bottom + 16, tick, text_anchor="middle", fill="#666")
        for j, name in enumerate(names):
            if name not in values:
                continue
            y = top + row * (j + 0.5)
            colour = OURS if name.startswith("asynchat") else FLOOR
            canvas.line([(x0, y), (at(values[name]), y)], stroke=colour, stroke_width=1.5)
            canvas.dot(at(values[name]), y, colour)
            canvas.text(at(values[name]) + 7, y + 4, f"{values[name]:.2f}", font_size=10,
                        fill=colour)
    canvas.text(left, bottom + 33, "times the floor", fill="#666")
    return canvas.done()


def short(number):
    """4194304 as 4M, 9500 as it is."""
    for power, letter in ((1 << 20, "M"), (1 << 10, "k")):
        if number >= power and number % power == 0:
            return f"{number // power}{letter}"
    return str(number)


def sweeps(report, title, what, value_of):
    """A panel for each sweep: the value of each cell in microseconds, both axes logarithmic."""
    names = [name for name in report["servers"] if name != "floor again"]
    colours = colours_of(names)
    left, top, wide, high, gap = 60, 84, 400, 330, 70
    canvas = Canvas(left + len(report["sweeps"]) * (wide + gap) + width_of(names), top + high + 50)
    head(canvas, report, title, "both axes logarithmic")
    for i, (axis, row) in enumerate(report["sweeps"].items()):
        x0, bottom = left + i * (wide + gap), top + high
        points = sorted(int(point) for point in row)
        values = [value_of(c) for cells in row.values() for c in cells.values()
                  if isinstance(c, dict)]
        low, top_value = math.log(min(values) * 0.8), math.log(max(values) * 1.2)
        first, last = math.log(points[0]), math.log(points[-1])

        def x_of(point, x0=x0, first=first, last=last):
            return x0 + (math.log(point) - first) / (last - first) * wide

        def y_of(value, bottom=bottom, low=low, top_value=top_value):
            return bottom - (math.log(value) - low) / (top_value - low) * high

        canvas.text(x0, top - 12, what, font_weight="bold")
        canvas.text(x0 + wide / 2, bottom + 36, axis, text_anchor="middle", font_weight="bold")
        for point in points:
            canvas.line([(x_of(point), top), (x_of(point), bottom)], stroke="#eee")
            canvas.text(x_of(point), bottom + 16, short(point), text_anchor="middle", fill="#666")
        for value in (m * 10**e for e in range(-1, 6) for m in (1, 2, 5)):
            if low <= math.log(value) <= top_value:
                canvas.line([(x0, y_of(value)), (x0 + wide, y_of(value))], stroke="#ddd")
                canvas.text(x0 - 6, y_of(value) + 4, f"{value:g}", text_anchor="end", fill="#666")
        for name in names:
            curve = [(x_of(point), y_of(value_of(row[point][name]))) for point in row
                     if isinstance(row[point].get(name), dict)]
            canvas.line(curve, stroke=colours[name], stroke_width=1.5 + name.startswith("asynchat"))
    for i, name in enumerate(names):
        x, y = left + len(report["sweeps"]) * (wide + gap) - 30, top + 18 * i + 10
        canvas.line([(x, y), (x + 18, y)], stroke=colours[name], stroke_width=3)
        canvas.text(x + 24, y + 4, name)
    return canvas.done()


def draw(report):
    """The pictures by the names of their files."""
    pictures = {}
    if any(report["groups"].values()):
        pictures["bench.svg"] = groups(report)
    if report["sweeps"]:
        pictures["cost.svg"] = sweeps(report, "Processor time of a framed echo",
                                      "microseconds of a message",
                                      lambda cell: cell["ns"] / 1000)
        pictures["p99.svg"] = sweeps(report, "How long 99 of 100 answers take at most",
                                     "microseconds, 99th percentile", lambda cell: cell["p99"])
    return pictures
