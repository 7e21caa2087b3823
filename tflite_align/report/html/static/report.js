"use strict";
// Names come from models: they only ever become text nodes and canvas text, never markup.
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const root = document.documentElement;
  const WIDE = 184, HIGH = 66, MOST = 400;
  const redraw = [];

  function make(tag, words, kind) {
    const made = document.createElement(tag);
    if (words !== undefined) made.textContent = words;
    if (kind) made.className = kind;
    return made;
  }
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const dark = () => getComputedStyle(root).colorScheme === "dark";
  const groupColour = (index) => `hsl(${Math.round(index * 137.5 + 205) % 360}, 62%, ${dark() ? 66 : 40}%)`;
  const clipped = (words, most) => (words.length > most ? `${words.slice(0, most - 1)}\u2026` : words);

  // --- light and dark ------------------------------------------------------------------------
  const theme = document.getElementById("theme");
  function showTheme() {
    theme.setAttribute("aria-pressed", String(dark()));
    redraw.forEach((draw) => draw());
  }
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    showTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);

  // --- one model's graph ---------------------------------------------------------------------
  function elementsOf(graph, plan, notes, changed) {
    const first = graph.inputs.length, last = first + plan.items.length;
    const bad = new Map();
    for (const note of notes) {
      if (note.graph === graph.index && bad.get(note.operator) !== "error") bad.set(note.operator, note.severity);
    }
    const vertices = plan.spots.map(([lane, layer], at) => {
      const made = { id: `v${at}`, at };
      if (at < first) Object.assign(made, { label: `input ${at}`, kind: "border" });
      else if (at >= last) Object.assign(made, { label: `output ${at - last}`, kind: "border" });
      else {
        const [from, to] = plan.items[at - first];
        const [name, , , mark] = graph.operators[from];
        made.operator = from;
        if (from === to) {
          Object.assign(made, { label: `${clipped(name, 24)}\n${from}`, far: `${from} ${name}` });
          made.kind = mark || bad.get(from) || changed(from);
        } else {
          const count = `${(to - from + 1).toLocaleString("en")} operators`;
          Object.assign(made, { label: `${count}\n${from} to ${to}, unchanged`, far: count, kind: "run" });
        }
      }
      made.far ??= made.label;
      return { group: "nodes", data: made, position: { x: lane * WIDE, y: layer * HIGH } };
    });
    const edges = plan.edges.map(([source, target, tensor, lane], at) => {
      const made = { id: `e${at}`, source: `v${source}`, target: `v${target}`, tensor, label: "" };
      const group = graph.tensors[tensor] && graph.tensors[tensor].group;
      if (group !== undefined) { made.tie = group; made.label = `group ${group + 1}`; }
      if (lane !== null) {
        // Where the way round turns, told as the library wants it: along the line and off it.
        const [a, b] = [plan.spots[source], plan.spots[target]];
        const dx = (b[0] - a[0]) * WIDE, dy = (b[1] - a[1]) * HIGH, long = Math.hypot(dx, dy);
        const turns = [[lane * WIDE, (a[1] + 0.8) * HIGH], [lane * WIDE, (b[1] - 0.8) * HIGH]].map(([x, y]) => [x - a[0] * WIDE, y - a[1] * HIGH]);
        made.weights = turns.map(([x, y]) => (x * dx + y * dy) / (long * long)).join(" ");
        made.distances = turns.map(([x, y]) => (y * dx - x * dy) / long).join(" ");
      }
      return { group: "edges", data: made };
    });
    return [...vertices, ...edges];
  }

  function styles() {
    const line = (width, name) => ({ "border-width": width, "border-color": colour(name) });
    return [
      { selector: "node", style: { shape: "round-rectangle", width: 160, height: 38, label: "data(label)", "text-valign": "center", "text-wrap": "wrap", "font-size": 11, color: colour("ink"), "background-color": colour("panel"), ...line(1, "edge") } },
      { selector: 'node[kind = "border"]', style: { shape: "ellipse", width: 84, height: 30, "background-color": colour("calm-bg") } },
      { selector: 'node[kind = "error"]', style: { "background-color": colour("bad-bg"), ...line(3, "bad") } },
      { selector: 'node[kind = "warning"]', style: { "background-color": colour("warn-bg"), ...line(3, "warn") } },
      { selector: 'node[kind = "changed"]', style: line(2, "link") },
      { selector: 'node[kind = "repaired"]', style: { "background-color": colour("good-bg"), ...line(2, "good") } },
      { selector: 'node[kind = "added"]', style: { shape: "hexagon", "background-color": colour("warn-bg"), ...line(3, "cut") } },
      { selector: 'node[kind = "removed"]', style: { ...line(2, "soft"), "border-style": "dashed" } },
      { selector: 'node[kind = "run"]', style: { shape: "cut-rectangle", "background-color": colour("calm-bg"), color: colour("calm") } },
      // Too small to be read inside: beside it where there is room, always of the same size.
      { selector: "node.far", style: { label: "" } },
      { selector: "node.told", style: { label: "data(far)", "font-size": "data(size)", "text-halign": "right", "text-margin-x": "data(gap)", "text-wrap": "none", color: colour("ink"), "text-background-color": colour("paper"), "text-background-opacity": 0.9 } },
      { selector: "edge", style: { width: 1.5, "line-color": colour("edge"), "target-arrow-color": colour("edge"), "target-arrow-shape": "triangle", "arrow-scale": 0.8, "curve-style": "bezier" } },
      { selector: "edge[weights]", style: { "curve-style": "segments", "edge-distances": "node-position", "segment-weights": "data(weights)", "segment-distances": "data(distances)" } },
      { selector: "edge[tie >= 0]", style: { width: 4, "line-color": (edge) => groupColour(edge.data("tie")), "target-arrow-color": (edge) => groupColour(edge.data("tie")), label: "data(label)", "font-size": 10, "min-zoomed-font-size": 7, color: colour("ink"), "text-background-color": colour("paper"), "text-background-opacity": 0.85, "text-background-padding": 2 } },
      { selector: "node:selected", style: { "overlay-color": colour("focus"), "overlay-opacity": 0.25, "overlay-padding": 6 } },
    ];
  }

  function startGraph(section, entry) {
    const find = (query) => section.querySelector(query);
    const [canvas, list, detail, search, shown, count] = [".canvas", ".list", ".detail", ".find", ".shown", ".count"].map(find);
    const subgraph = find(".subgraph");
    const changesOf = (key) => entry.changes.filter((change) => change.key === key);
    const touchedKeys = new Set(entry.changes.map((change) => change.key));
    let which = entry.graphs.after ? "after" : "before";
    let repaired = new Set();
    const drawn = find(".drawn-graph"), minimap = find(".minimap"), fold = find(".fold");
    let graph, plan, vertexOf, notes, cy, extent, chosen = -1, rows = [], folds = true;

    const changedAt = (at) => {
      const [, inputs, outputs, mark] = graph.operators[at];
      if (mark) return mark;
      if (repaired.has(`${graph.index}.${graph.operators[at][4]}`)) return "repaired";
      return [...inputs, ...outputs].some((tensor) => touchedKeys.has(`${graph.index}.${tensor}`)) ? "changed" : "";
    };
    const notesAt = (at) => notes.filter((note) => note.graph === graph.index && note.operator === at);

    function draw() {
      const began = performance.now();
      graph = entry.graphs[which][subgraph ? Number(subgraph.value) : 0];
      notes = which === "after" ? entry.left : entry.findings;
      // Operators that had a finding, by their place before the alignment.
      repaired = which === "before" ? new Set() : new Set(entry.findings.map((note) => `${note.graph}.${note.operator}`));
      if (cy) cy.destroy();
      fold.hidden = !graph.folded;
      fold.setAttribute("aria-pressed", String(folds));
      plan = graph.folded && folds ? graph.folded : { ...graph, items: graph.operators.map((_, at) => [at, at]) };
      vertexOf = new Map(plan.items.flatMap(([from, to], number) => (from === to ? [[from, graph.inputs.length + number]] : [])));
      cy = cytoscape({
        container: drawn, elements: elementsOf(graph, plan, notes, changedAt), style: styles(), layout: { name: "preset" },
        minZoom: 0.005, maxZoom: 3, autoungrabify: true, boxSelectionEnabled: false,
        textureOnViewport: graph.operators.length > 500, hideEdgesOnViewport: graph.operators.length > 3000,
      });
      extent = width();
      cy.on("tap", "node", (event) => { const at = event.target.data("operator"); if (at !== undefined) choose(at, event.target.data("kind") === "run"); });
      cy.on("viewport resize", whenIdle);
      cy.on("tap", "edge", (event) => tellTensor(event.target.data("tensor")));
      listed();
      const begin = rows.find((at) => notesAt(at).length || changedAt(at) === "repaired") ?? rows[0] ?? 0;
      cy.fit(undefined, 20);
      if (cy.zoom() < 0.7) { cy.zoom(0.95); centre(begin); } // too small to read: begin where something happened
      else if (cy.zoom() > 1) { cy.zoom(1); cy.center(); }
      if (chosen < 0 && rows.length < graph.operators.length) choose(begin, false); // its why is the example
      legible();
      root.dataset.drawn = String(Math.round(performance.now() - began));
    }

    // --- at every zoom: labels of one size, and where one is ---------------------------------------
    let asked = 0;
    function whenIdle() {
      cancelAnimationFrame(asked);
      asked = requestAnimationFrame(legible);
    }
    function legible() {
      const zoom = cy.zoom(), nodes = cy.nodes(), far = zoom < 0.85;
      cy.batch(() => {
        if (!far) { nodes.removeClass("far told"); return; }
        const taken = new Map(), shown = new Set();
        const important = (node) => (node.selected() ? 0 : ["error", "warning", "repaired", "added", "removed"].includes(node.data("kind")) ? 1 : node.data("kind") === "changed" ? 2 : 3);
        const inside = nodes.filter((node) => { const at = node.renderedPosition(); return at.y > -20 && at.y < cy.height() + 20; });
        for (const node of inside.sort((one, two) => important(one) - important(two))) {
          const at = node.renderedPosition(), left = at.x + 80 * zoom, right = left + 8 + 6.6 * node.data("far").length;
          const lines = [Math.floor((at.y - 8) / 16), Math.floor((at.y + 8) / 16)];
          if (lines.some((line) => (taken.get(line) || []).some(([a, b]) => a < right && left < b))) continue;
          for (const line of lines) taken.set(line, [...(taken.get(line) || []), [left, right]]);
          shown.add(node.id());
        }
        nodes.forEach((node) => {
          node.addClass("far");
          node.toggleClass("told", shown.has(node.id()));
          if (shown.has(node.id())) node.data({ size: 11 / zoom, gap: 5 / zoom });
        });
      });
      drawMinimap();
    }
    function drawMinimap() {
      const box = cy.elements().boundingBox({ includeLabels: false }), view = cy.extent();
      const small = box.w <= view.w * 1.1 && box.h <= view.h * 1.1;
      minimap.hidden = small;
      if (small) return;
      const wide = Math.min(120, cy.width() * 0.16); // a phone's graph is not covered by it
      const scale = Math.min(wide / box.w, (cy.height() - 40) / box.h, 0.25), sharp = devicePixelRatio || 1;
      const size = [Math.max(box.w * scale, 24) + 8, Math.max(box.h * scale, 24) + 8];
      Object.assign(minimap.style, { width: `${size[0]}px`, height: `${size[1]}px` });
      Object.assign(minimap, { width: size[0] * sharp, height: size[1] * sharp });
      const pen = minimap.getContext("2d");
      pen.scale(sharp, sharp);
      const place = (x, y) => [4 + (x - box.x1) * scale, 4 + (y - box.y1) * scale];
      const inks = { error: "bad", warning: "warn", repaired: "good", added: "cut", changed: "link", removed: "soft" };
      for (const plain of [true, false]) {
        cy.nodes().forEach((node) => {
          const ink = inks[node.data("kind")];
          if (plain !== !ink) return;
          const [x, y] = place(node.position().x - 80, node.position().y - 19);
          pen.fillStyle = colour(ink || "edge");
          pen.fillRect(x, y, Math.max(160 * scale, 2), Math.max(38 * scale, ink ? 2.5 : 1));
        });
      }
      const [x, y] = place(Math.max(view.x1, box.x1), Math.max(view.y1, box.y1));
      const [right, below] = place(Math.min(view.x2, box.x2), Math.min(view.y2, box.y2));
      pen.strokeStyle = colour("ink");
      pen.lineWidth = 1.5;
      pen.strokeRect(x, y, Math.max(right - x, 3), Math.max(below - y, 3));
      minimap.onpointerdown = (event) => {
        const go = (moved) => {
          const at = minimap.getBoundingClientRect(), level = cy.zoom();
          const there = { x: box.x1 + (moved.clientX - at.left - 4) / scale, y: box.y1 + (moved.clientY - at.top - 4) / scale };
          cy.pan({ x: cy.width() / 2 - there.x * level, y: cy.height() / 2 - there.y * level });
        };
        minimap.setPointerCapture(event.pointerId);
        minimap.onpointermove = go;
        minimap.onpointerup = () => { minimap.onpointermove = null; };
        go(event);
      };
    }
    function width() {
      let first = 0, last = 0;
      for (const lane of [...plan.spots.map((spot) => spot[0]), ...plan.edges.map((edge) => edge[3] ?? 0)]) {
        first = Math.min(first, lane);
        last = Math.max(last, lane);
      }
      return { x1: (first - 0.5) * WIDE, w: (last - first + 1) * WIDE };
    }
    function centre(at) {
      const node = cy.getElementById(`v${vertexOf.get(at)}`);
      if (cy.zoom() < 0.5 || cy.zoom() > 1.6) cy.zoom(0.95);
      cy.center(node);
      const room = cy.width() - extent.w * cy.zoom();
      if (room > 0) cy.panBy({ x: room / 2 - extent.x1 * cy.zoom() - cy.pan().x, y: 0 }); // all its lanes are seen
    }

    // --- the list -----------------------------------------------------------------------------
    function listed() {
      const words = search.value.trim().toLowerCase();
      const named = (at) => {
        const [name, inputs, outputs] = graph.operators[at];
        const tensors = [...inputs, ...outputs].map((tensor) => (graph.tensors[tensor] ? graph.tensors[tensor].name : ""));
        return [`${at} ${name}`, ...tensors].join("\n").toLowerCase().includes(words);
      };
      const all = graph.operators.map((_, at) => at);
      const touched = all.filter((at) => changedAt(at) || notesAt(at).length);
      const base = words || shown.value === "all" || !touched.length ? all : touched;
      rows = words ? base.filter(named) : base;
      const items = rows.slice(0, MOST).map((at) => {
        const item = make("li", `${at} ${graph.operators[at][0]}`);
        item.id = `${section.id}-o${at}`;
        item.setAttribute("role", "option");
        const told = notesAt(at).length ? "finding" : changedAt(at);
        if (told) item.append(" ", make("span", told, `word ${{ finding: "bad", added: "warn", repaired: "good" }[told] || "calm"}`));
        item.addEventListener("click", () => choose(at, true));
        return item;
      });
      list.replaceChildren(...items);
      count.textContent = `${rows.length.toLocaleString("en")} of ${all.length.toLocaleString("en")} operators${rows.length > MOST ? `, the first ${MOST} listed` : ""}`;
      mark();
    }
    function mark() {
      for (const item of list.children) item.setAttribute("aria-selected", String(item.id === `${section.id}-o${chosen}`));
      const item = list.querySelector('[aria-selected="true"]');
      if (item) {
        list.setAttribute("aria-activedescendant", item.id);
        list.scrollTop = Math.max(0, item.offsetTop - list.offsetTop - list.clientHeight / 2);
      } else list.removeAttribute("aria-activedescendant");
    }
    function choose(at, move) {
      chosen = at;
      if (!vertexOf.has(at)) { folds = false; draw(); move = true; } // it is in a run
      cy.elements().unselect();
      cy.getElementById(`v${vertexOf.get(at)}`).select();
      if (move) centre(at);
      mark();
      tell(at);
    }
    list.addEventListener("keydown", (event) => {
      const at = rows.indexOf(chosen);
      const step = { ArrowDown: at + 1, ArrowUp: Math.max(at - 1, 0), Home: 0, End: rows.length - 1, PageDown: at + 10, PageUp: Math.max(at - 10, 0), Enter: Math.max(at, 0) }[event.key];
      if (step === undefined || !rows.length) return;
      event.preventDefault();
      choose(rows[Math.min(step, rows.length - 1, MOST - 1)], true);
    });
    search.addEventListener("input", listed);
    search.addEventListener("keydown", (event) => {
      if ((event.key === "ArrowDown" || event.key === "Enter") && rows.length) { event.preventDefault(); list.focus(); choose(rows[0], true); }
    });
    shown.addEventListener("change", listed);

    // --- what is said of one operator, of one tensor --------------------------------------------
    function tell(at) {
      const [name, inputs, outputs, mark_] = graph.operators[at];
      const parts = [make("h3", `operator[${at}] ${name}`)];
      if (mark_) parts.push(make("p", mark_ === "added" ? "Inserted by the alignment." : "Removed by the alignment."));
      if (repaired.has(`${graph.index}.${graph.operators[at][4]}`) && !notesAt(at).length) {
        for (const note of entry.findings) {
          if (note.graph === graph.index && note.operator === graph.operators[at][4]) parts.push(make("p", `repaired: ${note.text}`, "note good"));
        }
      }
      for (const note of notesAt(at)) parts.push(make("p", note.text, "note bad"));
      for (const [kind, tensors] of [["inputs", inputs], ["outputs", outputs]]) {
        tensors.forEach((tensor, slot) => { if (tensor >= 0) parts.push(tensorBlock(tensor, `${kind}[${slot}]`, !graph.tensors[tensor].constant)); });
      }
      detail.replaceChildren(...parts);
      detail.scrollTop = 0;
    }
    function tellTensor(tensor) {
      const block = tensorBlock(tensor, "tensor", true);
      block.open = true;
      detail.replaceChildren(make("h3", `tensor[${tensor}]`), block);
    }
    function tensorBlock(tensor, place, open) {
      const held = graph.tensors[tensor], key = `${graph.index}.${tensor}`;
      const block = make("details");
      const why = entry.whys[key] || [], changes = changesOf(key);
      block.open = open && (why.length > 0 || changes.length > 0);
      const head = make("summary");
      head.append(make("strong", place), ` ${tensor} `, make("span", held.name || "(no name)", "mono"));
      block.append(head, make("p", `${held.form}${held.label ? `; (${held.label})` : ""}${held.constant ? "; constant" : ""}`));
      if (held.group !== undefined) {
        const told = make("p", ` Group ${held.group + 1}: ${entry.groups[held.group].rules.join(", ")}`);
        const key_ = make("span", "", "key");
        key_.style.background = groupColour(held.group);
        told.prepend(key_);
        block.append(told);
      }
      for (const change of changes) block.append(make("p", change.text, "note calm"));
      if (why.length) {
        block.append(make("h4", "Why"));
        const steps = make("ol");
        steps.append(...why.slice(1).map((line) => make("li", line)));
        block.append(steps);
      }
      return block;
    }

    // --- the buttons ------------------------------------------------------------------------------
    for (const button of section.querySelectorAll("[data-graph]")) {
      button.addEventListener("click", () => {
        if (which === button.dataset.graph) return;
        const other = chosen >= 0 ? graph.operators[chosen][4] : -1;
        const view = { zoom: cy.zoom(), pan: { ...cy.pan() } };
        which = button.dataset.graph;
        for (const one of section.querySelectorAll("[data-graph]")) one.setAttribute("aria-pressed", String(one === button));
        chosen = -1;
        draw();
        if (other >= 0) choose(other, true); else cy.viewport(view);
      });
    }
    if (subgraph) subgraph.addEventListener("change", () => { chosen = -1; draw(); });
    fold.addEventListener("click", () => { folds = !folds; draw(); if (chosen >= 0 && vertexOf.has(chosen)) choose(chosen, true); });
    section.goTo = (at) => {
      const after = find('[data-graph="after"]');
      if (after && which !== "after") after.click();
      if (graph.operators[at]) choose(at, true);
    };
    find(".fit").addEventListener("click", () => cy.fit(undefined, 20));
    const zoom = (factor) => cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
    find(".nearer").addEventListener("click", () => zoom(1.4));
    find(".farther").addEventListener("click", () => zoom(1 / 1.4));
    redraw.push(() => { cy.style(styles()); legible(); });
    draw();
    section.classList.add("drawn");
  }

  // --- the plots: a place in them leads to its operator ------------------------------------------
  function startPlots(article) {
    const section = article.querySelector("section.graph");
    const go = (at) => {
      if (!section) return;
      start(section);
      section.goTo(at);
      section.scrollIntoView({ block: "start" });
    };
    for (const button of article.querySelectorAll(".goto")) button.addEventListener("click", () => go(Number(button.dataset.operator)));
    for (const plane of article.querySelectorAll(".plane")) {
      plane.addEventListener("click", (event) => {
        const place = plane.getBoundingClientRect(), [low, high] = [Number(plane.dataset.low), Number(plane.dataset.high)];
        go(Math.round(low + ((event.clientX - place.left) / place.width) * (high - low)));
      });
    }
  }
  document.querySelectorAll("article").forEach(startPlots);

  // --- everything starts when it is first seen: a report may hold many models -----------------------
  const waiting = new Set(document.querySelectorAll("section.graph"));
  function start(one) {
    if (!waiting.delete(one)) return;
    seen.unobserve(one);
    const entry = data[Number(one.closest("article").dataset.number)];
    startGraph(one, entry);
  }
  const seen = new IntersectionObserver((entries) => {
    for (const one of entries) if (one.isIntersecting) start(one.target);
  }, { rootMargin: "400px" });
  for (const one of waiting) seen.observe(one);
  addEventListener("beforeprint", () => [...waiting].forEach(start));
  // One model's plots are drawn when there is nothing else to do: a picture of the page has them all.
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  function rest() {
    const next = [...waiting].find((one) => one.offsetParent); // not what is folded away
    if (!next) return;
    start(next);
    idle(rest);
  }
  if (data.length === 1) addEventListener("load", () => idle(rest));
  root.classList.add("scripted");
  showTheme();
})();
