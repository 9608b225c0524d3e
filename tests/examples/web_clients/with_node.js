// A member of web_chat, by the WebSocket of a package: with_node.js PACKAGE URL NAME TEXT
"use strict";
const [kind, url, name, text] = process.argv.slice(2);
const found = require(kind);
const socket = new (kind === "ws" ? found : found.WebSocket)(url);
const pings = kind === "ws" ? 1 : 0;
let pongs = 0;

socket.onopen = () => {
  socket.send(`/nick ${name}`);
  socket.send("/join");
};
socket.onmessage = event => {
  if (event.data === `* ${name} is here` && pings > 0)
    socket.ping("are you there");
  if (event.data === `* ${name} is here`)
    socket.send(text);
  if (event.data === `<${name}> ${text}`)
    socket.send("/quit");
};
if (pings > 0)
  socket.on("pong", data => { pongs += data.toString() === "are you there" ? 1 : 0; });
socket.onclose = event => console.log("closed", pongs === pings ? event.code : "without a pong");
socket.onerror = event => console.log("error", event.message);
setTimeout(() => process.exit(1), 50000).unref();
