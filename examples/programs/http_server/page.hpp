// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_PAGE_HPP
#define HTTP_PAGE_HPP

#include <string_view>

namespace http {

// The server's own page. It requests /server/state each second. It shows the texts of other users
// as text, never as HTML.
inline constexpr std::string_view own_page = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>http_server</title>
<link rel="icon" href="data:,">
<style>
body { font: 16px sans-serif; margin: 2em auto; padding: 0 1em; max-width: 50em; color: #223; }
h1 { border-bottom: 3px solid #36c; }
dl { display: grid; grid-template-columns: repeat(4, 1fr); }
dt { color: #678; }
dd { margin: 0; font-weight: bold; }
table { border-collapse: collapse; width: 100%; font-family: monospace; }
td { border-top: 1px solid #ccd; padding: 0.2em 0.5em; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>http_server</h1>
<dl id="counters"></dl>
<h2>Say something</h2>
<form method="post" action="/server/say">
<input name="text" maxlength="100" size="60" required autofocus>
<button>Say</button>
</form>
<ul id="said"></ul>
<h2>Requests</h2>
<table id="log"></table>
<script>
function fill(id, items, make) {
  document.getElementById(id).replaceChildren(...items.flatMap(make));
}
function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
async function refresh() {
  const state = await (await fetch("/server/state")).json();
  fill("counters", Object.entries(state.counters),
       ([name, count]) => [element("dt", name), element("dd", count)]);
  fill("said", state.said, text => element("li", text));
  fill("log", state.log, row => {
    const made = document.createElement("tr");
    made.append(...row.map(cell => element("td", cell)));
    return made;
  });
}
refresh();
setInterval(refresh, 1000);
</script>
</body>
</html>
)html";

} // namespace http

#endif
