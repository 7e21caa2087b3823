"use strict";
// Names come from models: they only ever become text nodes.
(() => {
  const read = (name) => JSON.parse(document.getElementById(name).textContent);
  const rows = read("rows"), pages = read("pages");
  const MOST = 500;
  const words = document.getElementById("words"), outcome = document.getElementById("outcome");
  const heads = document.querySelectorAll("#models th");
  const body = document.querySelector("#models tbody"), count = document.getElementById("count");
  const one = document.getElementById("one"), frame = document.getElementById("page");

  function shown() {
    const wanted = words.value.toLowerCase();
    const found = [];
    rows.forEach((row, at) => {
      if (outcome.value && row[1] !== outcome.value) return;
      if (wanted && !`${row[0]} ${row[5]}`.toLowerCase().includes(wanted)) return;
      found.push(at);
    });
    count.textContent = found.length > MOST ? `${found.length} models, the first ${MOST} are shown` : `${found.length} models`;
    body.replaceChildren(...found.slice(0, MOST).map(line));
  }

  function line(at) {
    const made = document.createElement("tr");
    rows[at].forEach((value, column) => {
      const cell = document.createElement("td");
      if (column > 1 && column < 5) cell.dataset.head = heads[column].textContent;
      if (column === 0 && pages[at]) {
        const open = document.createElement("button");
        open.type = "button";
        open.className = "open";
        open.textContent = value;
        open.addEventListener("click", () => show(at));
        cell.append(open);
      } else cell.textContent = column === 3 || column === 4 ? (value || "") : value;
      made.append(cell);
    });
    return made;
  }

  async function show(at) {
    const bytes = Uint8Array.from(atob(pages[at]), (one) => one.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const inside = await new Response(stream).text();
    const scripts = [...document.querySelectorAll('script[type="text/plain"]')];
    const style = document.getElementById("style").textContent;
    frame.srcdoc = [
      '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><style>',
      style, "</style></head><body>", inside,
      ...scripts.map((script) => `<script>${script.textContent}<\/script>`),
      "</body></html>",
    ].join("");
    one.showModal();
  }

  words.addEventListener("input", shown);
  outcome.addEventListener("change", shown);
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("close").addEventListener("click", () => one.close());
  one.addEventListener("close", () => { frame.srcdoc = ""; });
  shown();
})();
