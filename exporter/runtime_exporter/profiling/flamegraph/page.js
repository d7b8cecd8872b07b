"use strict";
(() => {
  const profile = JSON.parse(document.getElementById("profile").textContent);
  const element = (id) => document.getElementById(id);
  const chart = element("chart"), tip = element("tip"), search = element("search");
  const ROW = 21, NARROWEST = 0.6, TEXT_FROM = 26, ROWS_OF_TABLE = 200, PACKAGES = 10;
  const HUES = [25, 55, 85, 130, 160, 190, 220, 250, 280, 310, 340, 5];

  // Nodes come parents first, children after their parent; a node is its place in these columns.
  const { depth } = profile, count = depth.length;
  const parent = new Int32Array(count).fill(-1), children = Array.from({ length: count }, () => []);
  for (let node = 1, path = [0]; node < count; node++) {
    path.length = depth[node];
    parent[node] = path[depth[node] - 1];
    children[parent[node]].push(node);
    path[depth[node]] = node;
  }
  const functionOf = (node) => profile.functions[profile.function[node]];
  const nameOf = (node) => (node ? functionOf(node)[0] : "all");

  const state = { type: profile.shown, zoom: 0, focus: 0, flipped: false, query: null, sort: "self", left: null, width: null };

  // --- words

  const SCALES = {
    nanoseconds: [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]],
    microseconds: [[1e6, "s"], [1e3, "ms"], [1, "µs"]],
    milliseconds: [[1e3, "s"], [1, "ms"]],
    bytes: [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]],
  };
  function amount(value) {
    const unit = profile.types[state.type][1];
    const scales = SCALES[unit];
    if (!value) return "0";
    if (!scales) return value.toLocaleString("en") + (unit && unit !== "count" ? " " + unit : "");
    const [divisor, symbol] = scales.find(([least]) => Math.abs(value) >= least) || scales[scales.length - 1];
    return `${(value / divisor).toLocaleString("en", { maximumSignificantDigits: 4 })} ${symbol}`;
  }
  const percent = (part, whole) => (whole ? `${((part / whole) * 100).toFixed(2)} %` : "0 %");
  const total = (node) => profile.totals[state.type][node];
  const own = (node) => profile.self[state.type][node];

  // --- what changed, where the profile is one of two

  const before = profile.before || null;
  const was = (node) => before.totals[state.type][node];
  const wasOwn = (node) => before.self[state.type][node];
  const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "") + amount(Math.abs(value));
  const share = (part, whole) => (whole ? (part / whole) * 100 : 0);
  function points(now, then) {
    const change = share(now, total(0)) - share(then, was(0));
    return `${change > 0 ? "+" : change < 0 ? "−" : ""}${Math.abs(change).toFixed(2)} pp`;
  }
  function growth(now, then) {
    // -1 for what is gone, 0 for what is as it was, 1 for what is new.
    const sum = Math.abs(now) + Math.abs(then), x = sum ? (now - then) / sum : 0, size = Math.abs(x);
    const hue = x > 0 ? 27 : 252, chroma = (0.006 + 0.15 * size).toFixed(3);
    return `light-dark(oklch(${(0.91 - 0.17 * size).toFixed(3)} ${chroma} ${hue}), oklch(${(0.34 + 0.16 * size).toFixed(3)} ${chroma} ${hue}))`;
  }
  const size = (node) => Math.max(0, total(node)) + (before ? Math.max(0, was(node)) : 0);

  // --- colours: one of twelve for each package, nearly always the same one in every profile

  function packageOf([name, file]) {
    const python = name.indexOf(":");
    if (python > 0 && !/^[\w$]*::/.test(name)) return name.slice(0, python).split(".")[0];
    const slash = name.lastIndexOf("/", (name + "(").indexOf("("));
    const dot = name.indexOf(".", slash + 1);
    if (dot > 0) return name.slice(0, dot);
    return name.startsWith("[") ? name : file ? file.split("/").pop() : "other";
  }
  function hash(text) {
    let sum = 2166136261;
    for (const character of text) sum = Math.imul(sum ^ character.codePointAt(0), 16777619) >>> 0;
    return (sum ^ (sum >>> 15)) >>> 0;
  }
  const packages = profile.functions.map(packageOf);
  function hues() {
    // A package's own hue, or the next free one: those that cost most are not to be confused.
    const costs = new Map(), found = new Map(), taken = new Set();
    for (let node = 1; node < count; node++) {
      const name = packages[profile.function[node]];
      costs.set(name, (costs.get(name) || 0) + Math.abs(profile.self[profile.shown][node]));
    }
    for (const [name] of [...costs].sort((a, b) => b[1] - a[1])) {
      let at = hash(name) % HUES.length;
      while (taken.has(at) && taken.size < HUES.length) at = (at + 5) % HUES.length;
      taken.add(at);
      found.set(name, HUES[at]);
    }
    return found;
  }
  const hue = hues();
  const colourOf = (name) => `light-dark(oklch(.84 .085 ${hue.get(name)}), oklch(.46 .085 ${hue.get(name)}))`;
  const colours = packages.map(colourOf);

  // --- where everything is

  function measure() {
    // A child that fell below zero in a difference has no width; neither has what was left out as too small.
    const values = profile.totals[state.type].map((_, node) => size(node));
    const left = new Float64Array(count), width = new Float64Array(count);
    width[0] = 1;
    const place = (node) => {
      const whole = Math.max(values[node], children[node].reduce((sum, child) => sum + values[child], 0));
      let at = left[node];
      for (const child of children[node]) {
        left[child] = at;
        width[child] = whole ? (width[node] * values[child]) / whole : 0;
        at += width[child];
      }
    };
    for (let node = 0; node < count; node++) place(node);
    state.left = left;
    state.width = width;
  }

  // --- the chart

  function draw() {
    const pixels = chart.clientWidth || 1000, from = state.left[state.zoom], span = state.width[state.zoom] || 1;
    const above = new Set();
    for (let node = parent[state.zoom]; node >= 0; node = parent[node]) above.add(node);
    const shown = [];
    const waiting = [0];
    let deepest = 0;
    while (waiting.length) {
      const node = waiting.pop();
      const faded = above.has(node);
      const width = faded ? 1 : state.width[node] / span, left = faded ? 0 : (state.left[node] - from) / span;
      if (width * pixels < NARROWEST && node) continue;
      shown.push(frame(node, left, width, faded, width * pixels));
      deepest = Math.max(deepest, depth[node]);
      if (faded) waiting.push(...children[node].filter((child) => above.has(child) || child === state.zoom));
      else for (let at = children[node].length - 1; at >= 0; at--) waiting.push(children[node][at]);
    }
    for (const div of shown) {
      const level = Number(div.getAttribute("aria-level")) - 1;
      div.style.top = `${(state.flipped ? deepest - level : level) * ROW}px`;
    }
    chart.style.height = `${(deepest + 1) * ROW}px`;
    chart.classList.toggle("searching", state.query !== null);
    chart.replaceChildren(...shown);
    if (size(0) === 0) chart.append(empty());
    element("reset").disabled = state.zoom === 0 && state.query === null;
  }
  function frame(node, left, width, faded, pixels) {
    const div = document.createElement("div");
    div.className = "frame" + (node ? "" : " root") + (faded ? " above" : "") + (pixels < TEXT_FROM ? " narrow" : "");
    if (node) div.style.setProperty("--colour", before ? growth(total(node), was(node)) : colours[profile.function[node]]);
    div.style.left = `${left * 100}%`;
    div.style.width = `${width * 100}%`;
    if (pixels >= TEXT_FROM) div.textContent = nameOf(node);
    if (node && matches(node)) div.classList.add("match");
    div.dataset.node = node;
    div.tabIndex = -1;
    div.setAttribute("role", "treeitem");
    div.setAttribute("aria-level", depth[node] + 1);
    div.setAttribute("aria-label", sentence(node));
    return div;
  }
  function empty() {
    const paragraph = document.createElement("p");
    paragraph.className = "empty";
    paragraph.textContent = `Nothing was measured: the total of ${profile.types[state.type][0]} is 0.`;
    return paragraph;
  }
  const sentence = (node) => (before
    ? `${nameOf(node)}: ${amount(was(node))} before, ${amount(total(node))} after, ${signed(total(node) - was(node))}, ${points(total(node), was(node))}; itself ${signed(own(node) - wasOwn(node))}`
    : `${nameOf(node)}: ${amount(total(node))}, ${percent(total(node), total(0))}; itself ${amount(own(node))}`);

  function zoom(node) {
    state.zoom = node;
    draw();
    focus(node);
  }
  function focus(node) {
    const div = chart.querySelector(`[data-node="${node}"]`);
    if (!div) return false;
    state.focus = node;
    div.focus({ preventScroll: false });
    return true;
  }

  // --- search

  const matches = (node) => state.query !== null && state.query.has(profile.function[node]);
  function find(text) {
    let pattern = null;
    search.classList.remove("wrong");
    if (text) {
      try {
        pattern = new RegExp(text, text === text.toLowerCase() ? "i" : "");
      } catch {
        search.classList.add("wrong");
        pattern = new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
      }
    }
    state.query = pattern && new Set([...profile.functions.keys()].filter((at) => profile.functions[at].some((part) => pattern.test(part))));
    draw();
    list();
    describe();
  }
  function matched(value) {
    // A match within a match is counted already.
    let sum = 0;
    const waiting = [0];
    while (waiting.length) {
      const node = waiting.pop();
      if (node && matches(node)) sum += value(node);
      else waiting.push(...children[node]);
    }
    return sum;
  }
  function next(step) {
    const found = [...chart.querySelectorAll(".match")].map((div) => Number(div.dataset.node)).sort((a, b) => a - b);
    if (!found.length) return;
    const at = found.indexOf(state.focus);
    focus(found[at < 0 ? 0 : (at + step + found.length) % found.length]);
  }

  // --- what is said about a frame

  function describe(node) {
    const details = element("details");
    if (node === undefined) {
      const words = [before ? `${signed(total(0) - was(0))} in all` : `${amount(total(0))} in all`];
      if (state.query && before) words.push(`${signed(matched(total) - matched(was))}, ${points(matched(total), matched(was))} in what matches`);
      else if (state.query) words.push(`${percent(matched(total), total(0))} in what matches`);
      if (profile.leftOut) words.push(`${profile.leftOut.toLocaleString("en")} smallest frames left out`);
      details.textContent = words.join(" · ");
      return;
    }
    const ofZoom = !before && state.zoom && node !== state.zoom ? `, ${percent(total(node), total(state.zoom))} of what is shown` : "";
    details.textContent = sentence(node) + ofZoom;
  }
  function explain(node, x, y) {
    const rows = before
      ? [["Before", amount(was(node)), percent(was(node), was(0))], ["After", amount(total(node)), percent(total(node), total(0))],
        ["Change", signed(total(node) - was(node)), points(total(node), was(node))],
        ["Self", signed(own(node) - wasOwn(node)), points(own(node), wasOwn(node))]]
      : [["Total", total(node)], ["Self", own(node)]].map(([word, value]) => [word, amount(value), percent(value, total(0))]);
    const list_ = document.createElement("dl");
    for (const [word, value, part] of rows) list_.append(cell("dt", word), cell("dd", value), cell("dd", part));
    const file = node ? functionOf(node)[1] : "";
    tip.replaceChildren(cell("b", nameOf(node)), ...(file ? [cell("small", file)] : []), list_);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - box.width - 8))}px`;
    tip.style.top = `${y + 20 + box.height > innerHeight - 44 ? y - box.height - 12 : y + 20}px`;
  }
  function cell(tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  }

  // --- the table: a function counts once in a stack, so that recursion adds nothing to its total

  function sums(own, total) {
    const self = new Map(), all = new Map(), open = new Map(), path = [];
    for (let node = 1; node < count; node++) {
      while (path.length >= depth[node]) {
        const left = path.pop();
        open.set(left, open.get(left) - 1);
      }
      const id = profile.function[node];
      self.set(id, (self.get(id) || 0) + own(node));
      if (!open.get(id)) all.set(id, (all.get(id) || 0) + total(node));
      open.set(id, (open.get(id) || 0) + 1);
      path.push(id);
    }
    return { self, all };
  }
  function list() {
    const now = sums(own, total), then = before ? sums(wasOwn, was) : null;
    const change = (one, other) => new Map([...one].map(([id, value]) => [id, value - other.get(id)]));
    const self = before ? change(now.self, then.self) : now.self, all = before ? change(now.all, then.all) : now.all;
    const rank = before ? Math.abs : (value) => value;
    const orders = {
      self: (a, b) => rank(self.get(b)) - rank(self.get(a)) || rank(all.get(b)) - rank(all.get(a)),
      total: (a, b) => rank(all.get(b)) - rank(all.get(a)) || rank(self.get(b)) - rank(self.get(a)),
      name: (a, b) => profile.functions[a][0].localeCompare(profile.functions[b][0]),
    };
    const shown = [...all.keys()]
      .filter((id) => (all.get(id) || self.get(id)) && (state.query === null || state.query.has(id)))
      .sort(orders[state.sort]);
    element("functions").replaceChildren(...shown.slice(0, ROWS_OF_TABLE).map((id) => line(id, now, then)));
    for (const button of document.querySelectorAll("th button")) {
      const column = button.parentElement, chosen = button.dataset.sort === state.sort;
      if (chosen) column.setAttribute("aria-sort", state.sort === "name" ? "ascending" : "descending");
      else column.removeAttribute("aria-sort");
    }
    legend(self);
  }
  function line(id, now, then) {
    const [name, file] = profile.functions[id];
    const row = document.createElement("tr"), label = document.createElement("td"), dot = document.createElement("i");
    dot.style.setProperty("--colour", before ? growth(now.all.get(id), then.all.get(id)) : colours[id]);
    const button = cell("button", name);
    button.type = "button";
    button.title = `Search for ${name}`;
    button.addEventListener("click", () => set(exactly(name)));
    label.className = "name";
    label.append(dot, button, cell("small", file));
    const columns = [now.self, now.all].map((values, at) =>
      (before ? changed(values.get(id), [then.self, then.all][at].get(id)) : number(amount(values.get(id)), percent(values.get(id), total(0)))));
    row.append(...columns, label);
    return row;
  }
  const changed = (now, then) => number(signed(now - then), points(now, then));
  function number(value, part) {
    const made = cell("td", value + " ");
    made.className = "number";
    made.append(cell("small", part));
    return made;
  }
  function legend(self) {
    const costs = new Map();
    for (const [id, value] of self) costs.set(packages[id], (costs.get(packages[id]) || 0) + value);
    const kept = before ? ([, value]) => value : ([, value]) => value > 0;
    const largest = [...costs].filter(kept).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, PACKAGES);
    element("packages").replaceChildren(...largest.map(([name, value]) => {
      const chip = document.createElement("button"), wanted = "^" + escaped(name) + "(?![\\w])";
      chip.type = "button";
      chip.title = `${name}: ${before ? signed(value) : amount(value)} in its own functions`;
      chip.setAttribute("aria-pressed", search.value === wanted);
      const dot = document.createElement("i");
      dot.style.setProperty("--colour", before ? growth(Math.max(0, value), Math.max(0, -value)) : colourOf(name));
      chip.append(dot, cell("span", name), cell("b", before ? signed(value) : percent(value, total(0))));
      chip.addEventListener("click", () => set(search.value === wanted ? "" : wanted));
      return chip;
    }));
  }
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const exactly = (name) => `^${escaped(name)}$`;
  function set(text) {
    search.value = text;
    find(text);
  }

  // --- what somebody does

  const nodeAt = (event) => {
    const div = event.target.closest(".frame");
    return div ? Number(div.dataset.node) : undefined;
  };
  chart.addEventListener("click", (event) => {
    const node = nodeAt(event);
    if (node !== undefined) zoom(node);
  });
  chart.addEventListener("mousemove", (event) => {
    const node = nodeAt(event);
    if (node === undefined) tip.hidden = true;
    else explain(node, event.clientX, event.clientY);
  });
  chart.addEventListener("mouseleave", () => { tip.hidden = true; });
  chart.addEventListener("focusin", (event) => {
    const node = nodeAt(event);
    if (node === undefined) focus(state.focus) || focus(state.zoom);
    else {
      state.focus = node;
      describe(node);
    }
  });
  chart.addEventListener("focusout", () => describe());

  function beside(step) {
    const row = [...chart.querySelectorAll(`[aria-level="${depth[state.focus] + 1}"]`)]
      .map((div) => Number(div.dataset.node)).sort((a, b) => state.left[a] - state.left[b]);
    const wanted = row[row.indexOf(state.focus) + step];
    if (wanted !== undefined) focus(wanted);
  }
  function below() {
    const drawn = children[state.focus].filter((child) => chart.querySelector(`[data-node="${child}"]`));
    if (drawn.length) focus(drawn.reduce((best, child) => (size(child) > size(best) ? child : best)));
  }
  const MOVES = {
    ArrowLeft: () => beside(-1),
    ArrowRight: () => beside(1),
    ArrowUp: () => (state.flipped ? below() : focus(parent[state.focus])),
    ArrowDown: () => (state.flipped ? focus(parent[state.focus]) : below()),
    Home: () => focus(0),
    Enter: () => zoom(state.focus),
    " ": () => zoom(state.focus),
    Backspace: () => zoom(Math.max(0, parent[state.zoom])),
  };
  chart.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    tip.hidden = true;
    move();
  });
  const flip = () => { state.flipped = !state.flipped; draw(); };
  const shade = () => {
    const root = document.documentElement;
    const dark = root.classList.contains("dark") || (!root.classList.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches);
    root.classList.toggle("dark", !dark);
    root.classList.toggle("light", dark);
  };
  function reset() {
    set("");
    zoom(0);
  }
  const KEYS = {
    "/": () => { search.focus(); search.select(); },
    f: flip,
    t: shade,
    n: () => next(1),
    N: () => next(-1),
    Escape: reset,
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target === search || event.target.tagName === "SELECT";
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape") || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  search.addEventListener("input", () => find(search.value));
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") next(event.shiftKey ? -1 : 1); });
  element("flip").addEventListener("click", flip);
  element("theme").addEventListener("click", shade);
  element("reset").addEventListener("click", reset);
  for (const button of document.querySelectorAll("th button"))
    button.addEventListener("click", () => { state.sort = button.dataset.sort; list(); });
  const type = element("type");
  type.append(...profile.types.map(([name, unit]) => cell("option", unit && unit !== "count" ? `${name} (${unit})` : name)));
  type.selectedIndex = state.type;
  type.hidden = profile.types.length < 2;
  type.addEventListener("change", () => { state.type = type.selectedIndex; show(); });
  new ResizeObserver(draw).observe(chart);

  function show() {
    measure();
    draw();
    list();
    describe();
    const words = before
      ? [`${profile.types[state.type][0]}: ${amount(was(0))} before${before.normalised ? " (scaled)" : ""}, ${amount(total(0))} after`,
        "red grew, blue shrank, a frame is as wide as both together"]
      : [`${amount(total(0))} ${profile.types[state.type][0]}`, `${profile.samples.toLocaleString("en")} stacks`];
    if (profile.time > 0) words.push(new Date(profile.time * 1000).toISOString().replace("T", " ").replace(/\..*/, " UTC"));
    if (profile.duration > 0) words.push(`${Number(profile.duration.toPrecision(4))} s`);
    element("about").textContent = words.join(" · ");
  }
  if (before) for (const button of document.querySelectorAll("th.number button")) button.textContent += " change";
  show();
  if (profile.search) set(exactly(profile.search));
})();
