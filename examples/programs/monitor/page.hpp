// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef MONITOR_PAGE_HPP
#define MONITOR_PAGE_HPP

#include <string_view>

namespace monitor {

// Asks for /state each second, and draws the last two minutes. Rates and quantiles are of the time
// between two answers. Texts of peers are shown as text, never as HTML.
inline constexpr std::string_view page = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>monitor</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --ink: #1b2430; --dim: #56606e; --line: #c9d1da; --back: #fff;
  --c0: #0b63c5; --c1: #b5480b; --c2: #1a7a3c; --c3: #8a2be2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ef; --dim: #9aa6b4; --line: #3a4552;
  --back: #12171d; --c0: #6db3ff; --c1: #ff9a5c; --c2: #6fd48f; --c3: #cfa0ff; } }
body { font: 16px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--back);
  margin: 0 auto; padding: 0 1rem 2rem; max-width: 90rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; } h2 { font-size: 1.1rem; }
#plots { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); }
figure { margin: 0; padding: .6rem .8rem; border: 1px solid var(--line); border-radius: 6px; }
figcaption { font-weight: 600; }
svg { display: block; width: 100%; height: 7rem; }
polyline, dt line { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; }
dt svg { display: inline; width: 2rem; height: .5rem; }
dl { display: flex; flex-wrap: wrap; gap: 0 1.2rem; margin: .3rem 0 0; }
dt { color: var(--dim); } dt, dd { display: inline; margin: 0; } dd { font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; border-top: 1px solid var(--line); padding: .2rem .8rem .2rem 0; }
td { font-family: ui-monospace, monospace; overflow-wrap: anywhere; min-width: 3rem; }
.number { text-align: right; }
</style>
</head>
<body>
<h1>monitor</h1>
<p><span id="status" role="status">waiting for the first answer</span> <span id="figures"></span></p>
<div id="plots"></div>
<h2>Channels</h2>
<p id="more"></p>
<div class="wide" tabindex="0" role="region" aria-label="Table of channels">
<table><thead><tr><th>loop</th><th class="number">descriptor</th><th>channel</th>
<th>reads up to</th><th class="number">output waiting</th></tr></thead>
<tbody id="rows"></tbody></table></div>
<script>
"use strict";
const history = [], kept = 120;
const make = (name, text, set = {}) => {
  const made = document.createElement(name);
  made.textContent = text;
  return Object.assign(made, set);
};
const round = n => n >= 100 ? Math.round(n).toLocaleString("en") : String(+n.toPrecision(3));
const scaled = (n, units, step) => {
  let i = 0;
  for (; n >= step && i + 1 < units.length; i++) n /= step;
  return round(n) + units[i];
};
const bytes = n => scaled(n, [" B", " KiB", " MiB", " GiB"], 1024);
const seconds = n => scaled(n * 1e6, [" us", " ms", " s"], 1000);

// The time that a share of the turns does not exceed, in seconds.
function quantile(counts, bounds, share) {
  let left = share * counts.reduce((a, b) => a + b, 0);
  if (left === 0) return 0;
  for (let i = 0; i < counts.length; i++)
    if ((left -= counts[i]) <= 0) return bounds[i] / 1e9;
}

function sum(state) {
  const total = {closes: {}, turns: state.bounds.map(() => 0)};
  for (const name of ["open", "frames", "in", "out", "channels", "accepted", "refused"])
    total[name] = state.loops.reduce((all, loop) => all + loop[name], 0);
  for (const loop of state.loops) {
    loop.turns.forEach((n, i) => { total.turns[i] += n; });
    for (const [why, n] of Object.entries(loop.closes))
      total.closes[why] = (total.closes[why] || 0) + n;
  }
  return total;
}

function compare(now, before, state, time) {
  const rate = (a, b) => Math.max(0, (a - (b || 0)) / time);
  const turns = now.turns.map((n, i) => Math.max(0, n - before.turns[i]));
  const closes = {};
  for (const why of Object.keys(now.closes))
    closes[why] = rate(now.closes[why], before.closes[why]);
  return {connections: {open: now.open, "accepted a second": rate(now.accepted, before.accepted)},
    frames: {"a second": rate(now.frames, before.frames)},
    bytes: {"in a second": rate(now.in, before.in), "out a second": rate(now.out, before.out)},
    closes, "turn time": {p50: quantile(turns, state.bounds, .5),
      p99: quantile(turns, state.bounds, .99)}, memory: {resident: state.memory}};
}

// Neighbours differ in both; the first 24 differ in one. A name keeps its look.
const dashes = ["", "6 3", "2 3", "8 3 2 3", "14 4", "8 3 2 3 2 3"];
const look = number => ({stroke: `var(--c${number % 4})`,
  "stroke-dasharray": dashes[(number + Math.floor(number / 4)) % dashes.length]});
const seen = {};
function number_of(title, name) {
  const names = seen[title] ||= [];
  return names.includes(name) ? names.indexOf(name) : names.push(name) - 1;
}

function drawn(kind, set) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(set)) made.setAttribute(name, value);
  return made;
}

function mark(number) {
  const made = drawn("svg", {"aria-hidden": true});
  made.append(drawn("line", {x2: "100%", y1: "50%", y2: "50%", ...look(number)}));
  return made;
}

function plot(title, format, totals) {
  const names = [...new Set(history.flatMap(each => Object.keys(each[title])))];
  const series = names.map(name => history.map(each => each[title][name] || 0));
  const most = Math.max(...series.flat(), 1e-9);
  const figure = make("figure", ""), list = make("dl", "");
  const svg = drawn("svg", {viewBox: `0 0 ${kept - 1} 100`, preserveAspectRatio: "none",
    role: "img", "aria-label": `${title}, the last two minutes, at most ${format(most)}`});
  names.forEach((name, i) => {
    const number = number_of(title, name), values = series[i];
    svg.append(drawn("polyline", {...look(number), points: values.map((v, x) =>
      `${kept - values.length + x},${100 - 96 * v / most}`).join(" ")}));
    const item = make("div", ""), term = make("dt", "");
    term.append(mark(number), ` ${name} `);
    item.append(term, make("dd", totals ? totals[name] : format(values.at(-1))));
    list.append(item);
  });
  figure.append(make("figcaption", title), svg, list);
  return figure;
}

function table(state) {
  const rows = state.loops.flatMap((loop, i) => loop.rows.map(row => [i, ...row]));
  document.getElementById("rows").replaceChildren(...rows.map(row => {
    const made = make("tr", "");
    made.append(...row.map((cell, i) =>
      make("td", cell, {className: i === 1 || i === 4 ? "number" : ""})));
    return made;
  }));
  const all = state.loops.reduce((n, loop) => n + loop.channels, 0);
  document.getElementById("more").textContent = `${rows.length} of ${all}`;
}

let last = null;
function show(state) {
  const total = sum(state), late = state.loops.filter(loop => loop.late).length;
  if (last && state.time > last.time) {
    history.push(compare(total, last.total, state, state.time - last.time));
    history.splice(0, history.length - kept);
    const formats = {connections: round, frames: round, bytes, closes: round,
      "turn time": seconds, memory: bytes};
    document.getElementById("plots").replaceChildren(
      ...Object.entries(formats).map(([title, format]) =>
        plot(title, format, title === "closes" ? total.closes : null)));
  }
  last = {time: state.time, total};
  table(state);
  say(late ? "live, but some loops are busy" : "live", `${state.loops.length} loops, ` +
    `${late} of them busy for more than a second; ${total.open} connections`);
}

// Screen readers announce the text, so it has no figures, which change all the time.
const say = (text, figures) => {
  const status = document.getElementById("status");
  if (status.textContent !== text) status.textContent = text;
  document.getElementById("figures").textContent = figures;
};

async function refresh() {
  try {
    const answer = await fetch("/state", {signal: AbortSignal.timeout(5000)});
    if (!answer.ok) throw new Error();
    show(await answer.json());
  } catch {
    last = null; // counters may begin anew
    say("offline: the monitor does not answer", "");
  }
  setTimeout(refresh, 1000);
}
refresh();
</script>
</body>
</html>
)html";

} // namespace monitor

#endif
