// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// What is looked for, as the theme asks its index. Signs of C++ mean something else to the index, or
// are no part of a word there: async_chat::push and close() have to be words first. A sign that
// stands in front of a word, + or -, and quotes keep their meaning. Newer releases of the theme need
// no help with it, and do not ask for this.
var __search = {
    transform: query => query
        .replace(/"([^"]*)"/g, (_, words) => words.replace(/\w+/g, "+$&"))
        .replace(/[^\w\s+-]|(?<=\S)[+-]|[+-](?!\w)/g, " ")
        .trim()
};
