// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The theme asks the system for its colours on the first visit only. This asks again whenever the
// system has changed them; until then a choice by the switch stays.
const dark = matchMedia("(prefers-color-scheme: dark)");

function follow() {
    const now = dark.matches ? "dark" : "light";
    if (localStorage.getItem("asynchat.system") === now)
        return;
    localStorage.setItem("asynchat.system", now);
    for (const choice of document.querySelectorAll("input[data-md-color-media]")) {
        if (choice.dataset.mdColorMedia.includes(now))
            choice.click();
    }
}

follow();
dark.addEventListener("change", follow);
