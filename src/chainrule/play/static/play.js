// The page of chainrule play: it draws what the session tells and sends what the reader asks for. It computes nothing
// that stands on it but places and lengths. One module for the browser tab, the notebook widget and the offline file.

const TOLD = ["checked", "curve", "data", "guessed", "nudged", "problem", "proof", "reached", "read", "session",
  "surface", "taken", "view", "why"];
const SVG = "http://www.w3.org/2000/svg";
const UNITS = ["multiplication", "node", "layer", "batch"];

// Making elements

function make(name, attributes = {}, ...children) {
  const element = ["svg", "g", "image", "path", "line", "circle", "rect", "text", "title", "polyline"].includes(name)
    ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const PRESSED = { tabindex: "0", role: "button" }; // what is clicked, or chosen with Enter or the space bar

function onPressed(box, selector, handler) { // one listener for all that a box draws, now and later
  const pressed = (event) => {
    const one = event.target.closest(selector);
    if (!one || (event.type === "keydown" && !["Enter", " "].includes(event.key))) return;
    if (event.type === "keydown") event.preventDefault();
    handler(one);
  };
  for (const kind of ["click", "keydown"]) box.addEventListener(kind, pressed);
}

function short(value, digits = 3) {
  if (value === null || value === undefined) return "not finite";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-4) return value.toExponential(digits - 1).replace("e+", "e").replace("-", "−");
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

function formula(...inner) { // MathML that the library wrote
  const box = make("span", { class: "math" });
  box.innerHTML = `<math>${inner.filter(Boolean).join("")}</math>`;
  return box;
}

function keeping(box, draw) { // what has the focus, what is open and what is scrolled stay so through a new drawing
  const named = (one) => one.id || one.dataset?.what || one.getAttribute("aria-label") || `${one.tagName} ${one.textContent}`;
  const focused = box.contains(document.activeElement) ? named(document.activeElement) : null;
  const open = new Map([...box.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
  draw();
  for (const one of box.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = open.get(one.id);
  if (focused) [...box.querySelectorAll("button, input, select, summary, [tabindex]")].find((one) => named(one) === focused)?.focus({ preventScroll: true });
}

const SINCE = ["open", "href"]; // what an element is given after it was drawn

function become(old, wanted) { // a drawing turns into the next one; what is the same in both stays, and with it the focus
  if (old.isEqualNode(wanted)) return;
  if (old.nodeType !== wanted.nodeType || old.nodeName !== wanted.nodeName || old.id !== wanted.id) { old.replaceWith(wanted); return; }
  if (old.nodeType === Node.TEXT_NODE) { if (old.data !== wanted.data) old.data = wanted.data; return; }
  for (const name of old.getAttributeNames()) if (!wanted.hasAttribute(name) && !SINCE.includes(name)) old.removeAttribute(name);
  for (const name of wanted.getAttributeNames()) {
    const value = wanted.getAttribute(name);
    if (old.getAttribute(name) === value || SINCE.includes(name)) continue;
    if (name === "style") old.style.cssText = value; // which the page's policy allows a script, and the attribute not
    else old.setAttribute(name, value);
  }
  if (!old.firstElementChild && !wanted.firstElementChild) {
    if (old.textContent !== wanted.textContent) old.textContent = wanted.textContent;
    return;
  }
  const left = new Set(old.childNodes);
  const named = new Map([...left].filter((child) => child.id).map((child) => [child.id, child]));
  const others = [...left].filter((child) => !child.id);
  let at = old.firstChild;
  for (const child of [...wanted.childNodes]) {
    const same = child.id ? named.get(child.id) : others.shift();
    left.delete(same);
    if (same && same === at) at = at.nextSibling;
    else old.insertBefore(same ?? child, at);
    if (same) become(same, child);
  }
  for (const child of left) child.remove();
}

// Where messages go: a WebSocket, a widget, or a record

function socketLink(receive) {
  let socket = null;
  let waiting = 250;
  const link = { send: (message) => { if (socket?.readyState === 1) socket.send(JSON.stringify(message)); }, live: true };
  const open = () => {
    socket = new WebSocket(`ws://${location.host}/ws`);
    socket.onopen = () => {
      waiting = 250;
      socket.send(JSON.stringify({ type: "hello", session: sessionStorage.getItem("chainrule") ?? "" }));
    };
    socket.onmessage = (event) => receive(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (event.code === 4429) receive({ type: "problem", says: "Too many tabs are open on this page; close one and reload." });
      else receive({ type: "problem", says: "The server is gone. Start chainrule play again; this page looks for it." });
      waiting = Math.min(waiting * 2, 5000);
      setTimeout(open, waiting);
    };
  };
  open();
  return link;
}

function recordedLink(record, receive) {
  let at = record.views.length - 1;
  const show = () => receive({ type: "view", ...record.views[at], recorded: { position: at, count: record.views.length } });
  const send = (message) => {
    if (message.type === "seek") { at = message.frame; show(); }
    else if (message.type === "go") { at = Math.max(0, Math.min(record.views.length - 1, at + message.way)); show(); }
    else if (message.type === "choose" && record.whys[at][message.what]) receive({ type: "why", ...record.whys[at][message.what] });
    else if (message.type === "choose") receive({ type: "problem", says: "This one was not recorded at this step: choose a stronger wire, a neuron, or the last step." });
    else receive({ type: "problem", says: "This is a recording: step, scrub and click work; for all else run chainrule play." });
  };
  queueMicrotask(() => { show(); receive({ type: "data", ...record.data }); });
  return { send, live: false };
}

// The page

export function mount(root, connect, { widget = false } = {}) {
  const state = { view: null, data: null, why: null, curve: null, mode: "weight", unit: "node", hide: false, guess: null, changes: 0 };
  const told = Object.fromEntries(TOLD.map((kind) => [kind, () => {}]));
  const page = make("div", { class: widget ? "cr-play widget" : "cr-play" });
  const title = make("h1", {}, "chainrule play");
  const lessons = make("nav", { class: "lessons", "aria-label": "Lessons" });
  const problem = make("div", { class: "problem", role: "alert" });
  const drawn = make("div");
  const dataPane = make("section", { class: "pane data", "aria-label": "Data", tabindex: "0" });
  const netPane = make(widget ? "section" : "main", { class: "pane net", "aria-label": "Network", tabindex: "0" }, problem, drawn);
  const whyPane = make("section", { class: "pane why", "aria-label": "Why", tabindex: "0" });
  const foot = make("footer", { "aria-label": "Transport" });
  const spoken = make("div", { class: "spoken", "aria-live": "polite", role: "status" });
  page.append(make("header", {}, title, lessons), dataPane, netPane, whyPane, foot, spoken);
  root.replaceChildren(page);
  const send = (type, fields = {}) => { problem.textContent = ""; link.send({ type, ...fields }); };
  const say = (words) => { spoken.textContent = words; };
  const place = () => {
    const { batch, sample } = state.view;
    const rows = batch.rows.filter((row) => !batch.removed.includes(row));
    return Math.max(0, rows.indexOf(sample.row));
  };
  let lit = []; // the names of what is pointed at
  for (const kind of ["pointerover", "focusin"]) page.addEventListener(kind, (event) => light(event.target));
  page.addEventListener("pointerleave", () => light(null));
  const choose = (what) => { // the answer is drawn before the next picture of what trains
    asked = true;
    clearTimeout(patience);
    patience = setTimeout(answered, 500);
    send("choose", { what, notation: state.view.notation });
  };
  onPressed(netPane, "svg [data-what]", (one) => choose(one.dataset.what));
  onPressed(dataPane, "tr[data-place]", (one) => send("sample", { place: Number(one.dataset.place) }));

  // Network

  function network() {
    const { network: net, walk, chosen } = state.view;
    const columns = net.nodes;
    const wide = 90 + 165 * columns.length;
    const most = Math.max(...columns.map((node) => (node.maps.length ? 6 : node.units.length)), 2);
    const high = Math.max(230, 60 * most + 64);
    const at = new Map();
    columns.forEach((node, column) => {
      const x = 75 + column * ((wide - 160) / Math.max(1, columns.length - 1));
      node.units.forEach((unit, row) => {
        at.set(`${node.name}/${unit.unit}`, [x, 48 + (row + 0.5) * ((high - 64) / node.units.length)]);
      });
      at.set(node.name, [x, high / 2]);
    });
    const svg = make("svg", { class: "network", viewBox: `0 0 ${wide} ${high}`, role: "group", "aria-label": "The network with the numbers of one sample" });
    svg.style.setProperty("--wide", `${wide}px`);
    const seen = new Set(walk.seen.map(([phase, node, unit]) => `${phase}/${node}/${unit}`));
    const walking = walk.position >= 0;
    const moment = walk.moment;
    for (const wire of net.wires) svg.append(...wires(wire, at, moment, chosen));
    for (const node of columns) {
      const [x] = at.get(node.name);
      svg.append(make("text", { x, y: 13, "text-anchor": "middle", class: "value" }, node.name));
      svg.append(make("text", { x, y: 27, "text-anchor": "middle", class: "soft" }, node.kind));
      for (const badge of net.badges.filter((one) => one.node === node.name)) {
        const words = badge.units.length ? `${badge.units.length} ${badge.badge}` : badge.badge;
        const what = badge.units.length ? `${node.name}[${place()},${badge.units[0]}]` : `${node.name}.weights[0,0]`;
        svg.append(make("text", { x, y: 42, "text-anchor": "middle", class: "badge", "aria-label": `${words}: show why`, "data-what": what, ...PRESSED }, words));
      }
      if (node.maps.length) svg.append(image(node, at.get(node.name)));
      for (const unit of node.units) {
        const now = moment && moment.node === node.name && (moment.unit === unit.unit || moment.unit === null);
        const hasValue = !walking || node.name === "inputs" || seen.has(`forward/${node.name}/${unit.unit}`) || (node.name === "loss" && seen.has("loss/loss/0"));
        const hasGradient = !walking || seen.has(`backward/${node.name}/${unit.unit}`);
        svg.append(...neuron(node, unit, at.get(`${node.name}/${unit.unit}`), now && moment.phase, hasValue, hasGradient, !walking || seen.has("loss/loss/0"), chosen));
      }
      if (node.more > 0) svg.append(make("text", { x, y: high - 6, "text-anchor": "middle", class: "soft" }, `${node.more} more`));
    }
    return svg;
  }

  const pictures = new Map(); // of each neuron's own map, drawn once for each surface
  const levels = new Map(); // of all neurons of a layer, each as many bytes as its map has points

  function mapOf(node, unit) { // blue where the neuron is above 0 on the plane, orange where below
    const { maps } = state.data.surface;
    const name = `${node}/${unit}`;
    if (!pictures.has(name)) {
      const { side } = maps;
      if (!levels.has(node)) levels.set(node, Int8Array.from(atob(maps.nodes[node]), (letter) => letter.charCodeAt(0)));
      const canvas = make("canvas", { width: side, height: side });
      const context = canvas.getContext("2d");
      const dots = context.createImageData(side, side);
      levels.get(node).subarray(unit * side * side, (Number(unit) + 1) * side * side).forEach((level, index) => {
        const at = 4 * ((side - 1 - Math.floor(index / side)) * side + (index % side));
        const below = level < 0;
        dots.data[at] = below ? 213 : 0;
        dots.data[at + 1] = below ? 94 : 114;
        dots.data[at + 2] = below ? 0 : 178;
        dots.data[at + 3] = 2 * Math.abs(level);
      });
      context.putImageData(dots, 0, 0);
      pictures.set(name, canvas.toDataURL());
    }
    return pictures.get(name);
  }

  const secret = (what, chosen) => state.hide && what !== null && what === chosen; // the reader predicts it
  const mapped = (node) => Boolean(state.data?.surface?.maps?.nodes[node]);
  const left = (node) => (mapped(node) ? 60 : 29); // where a neuron's drawing begins

  function neuron(node, unit, [x, y], phase, hasValue, hasGradient, hasLoss, chosen) {
    const what = node.name === "loss" ? null : `${node.name}[${place()},${unit.unit}]`;
    const value = hasValue ? short(unit.value) : "·";
    const gradient = hasGradient ? `∂ ${secret(what, chosen) ? "?" : short(unit.gradient)}` : "";
    const caption = unit.caption.startsWith("[") ? "" : unit.caption.slice(0, 16);
    const words = `${[value, gradient].filter(Boolean).join(" ")}: ${gradient ? "value and gradient" : "value"} of ${node.name} ${unit.caption}`;
    const group = make("g", {
      class: ["unit", phase ? `now phase-${phase}` : "", what && what === chosen ? "chosen" : ""].join(" "),
      id: `unit-${node.name}-${unit.unit}`, "data-what": what, "aria-label": words,
      ...(what ? PRESSED : {}),
    });
    group.append(make("title", {}, words), make("rect", { x: x - 29, y: y - 14, width: 58, height: 28, rx: 14 }));
    group.append(make("text", { x, y: y + 4.5, "text-anchor": "middle", class: value.length > 7 ? "value long" : "value" }, value));
    if (mapped(node.name)) group.append(make("image", { "data-map": `${node.name} ${unit.unit}`, x: x - 58, y: y - 13, width: 26, height: 26, preserveAspectRatio: "none" }), make("rect", { class: "frame", x: x - 58, y: y - 13, width: 26, height: 26, rx: 2 }));
    if (gradient) group.append(make("text", { x, y: y + 27, "text-anchor": "middle", class: "gradient" }, gradient));
    const beside = []; // what can be clicked must not lie in what can be clicked
    if (caption) beside.push(make("text", { x, y: y - 18, "text-anchor": "middle", class: "soft" }, caption));
    const bias = unit.notes.find((note) => note.startsWith("bias"));
    if (bias) {
      const name = `${node.name}.biases[0,${unit.unit}]`;
      const says = bias.split(" ∂")[0].replace("-", "−");
      beside.push(make("text", { x: x + 33, y: y - 8, class: name === chosen ? "chosen" : "soft", "data-what": name, "aria-label": `${says}, ${name}`, ...PRESSED }, says));
    }
    const target = unit.notes.find((note) => note.includes("target"));
    if (target) beside.push(make("text", { x: x + 36, y: y + 13, class: "soft" }, (hasLoss ? target : target.replace(/^p [^,]*, /, "")).replaceAll("-", "−")));
    return [group, ...beside];
  }

  function image(node, [x, y]) {
    const one = node.maps[0];
    const size = Math.min(96 / one.values[0].length, 14);
    const [left, top] = [x - (size * one.values[0].length) / 2, y - (size * one.values.length) / 2];
    const flat = one.values.flat();
    const [low, high] = [Math.min(...flat), Math.max(...flat)];
    const group = make("g", { "aria-label": `${node.name}, an image of ${one.values.length} by ${one.values[0].length}` });
    one.values.forEach((line, row) => line.forEach((value, column) => {
      const index = row * line.length + column;
      const what = `${node.name}[${place()},${index}]`;
      const pixel = make("rect", {
        class: "pixel", x: left + column * size, y: top + row * size, width: size, height: size,
        fill: "currentColor", "fill-opacity": ((value - low) / (high - low || 1)).toFixed(3), stroke: "var(--line)", "stroke-width": 0.4,
        "data-what": what,
      });
      pixel.append(make("title", {}, `${node.name}[${row},${column}] = ${short(value)}, gradient ${short(one.gradients[row][column])}`));
      group.append(pixel);
    }));
    return group;
  }

  function apart(from, to, along, taken) { // the place of a label on its wire: the nearest to `along` that is free
    const on = (share) => [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
    const free = ([x, y]) => taken.every(([a, b]) => Math.abs(a - x) > 38 || Math.abs(b - y) > 13);
    const tried = [0, 0.08, -0.08, 0.16, -0.16, 0.24, -0.24, 0.32, -0.32].map((more) => along + more).filter((share) => share > 0.1 && share < 0.9);
    const place = on(tried.find((share) => free(on(share))) ?? along);
    taken.push(place);
    return place;
  }

  function wires(wire, at, moment, chosen) {
    const found = [];
    const [labels, taken] = [[], []];
    const numbers = wire[state.mode] ?? wire.weight;
    const [fromColumn, toColumn] = [at.get(wire.from), at.get(wire.to)];
    if (!wire.sources.length || !wire.readers.length) {
      if (fromColumn && toColumn) found.push(make("path", { class: "wire", d: `M${fromColumn} L${toColumn}`, "stroke-width": 1 }));
      return found;
    }
    const largest = numbers ? Math.max(...numbers.flat().map((n) => Math.abs(n ?? 0)), 1e-12) : 1;
    wire.sources.forEach((source, i) => wire.readers.forEach((reader, j) => {
      if (!numbers && wire.offset !== null && wire.offset !== undefined && source + wire.offset !== reader) return;
      const [a, b] = [at.get(`${wire.from}/${source}`), at.get(`${wire.to}/${reader}`)];
      const number = numbers ? numbers[i][j] : null;
      const what = wire.parameter ? `${wire.parameter}[${source},${reader}]` : null;
      const walks = moment && ((["forward", "loss"].includes(moment.phase) && moment.node === wire.to && (moment.unit === reader || moment.phase === "loss"))
        || (moment.phase === "backward" && moment.node === wire.from && moment.unit === source)
        || (moment.phase === "update" && moment.node === wire.parameter));
      const hidden = state.mode !== "weight" && secret(what, chosen);
      const words = hidden ? "?" : walks && moment.phase === "update" && wire.after ? `${short(wire.weight[i][j], 4)} → ${short(wire.after[i][j], 4)}` : short(number);
      const classes = ["wire", number > 0 ? "plus" : number < 0 ? "minus" : "", walks ? `walk-${moment.phase === "loss" ? "forward" : moment.phase}` : "", what && what === chosen ? "chosen" : ""];
      const thick = number === null ? 1 : 0.6 + 3.2 * Math.abs(number) / largest;
      const line = make("path", {
        class: classes.join(" "), d: `M${a[0] + 29},${a[1]} L${b[0] - left(wire.to)},${b[1]}`, "stroke-width": walks ? Math.max(2.5, thick) : thick.toFixed(2),
        "stroke-opacity": walks ? 1 : 0.75, "data-what": what, id: what ? `wire-${wire.parameter}-${source}-${reader}` : null,
        ...(what ? { ...PRESSED, tabindex: "-1", "aria-label": `${what}: ${state.mode} ${words}` } : {}),
      });
      found.push(line);
      if (number === null || wire.sources.length * wire.readers.length > 16) return;
      const along = 0.2 + 0.6 * (j + 0.5) / wire.readers.length;
      const [x, y] = apart([a[0] + 29, a[1]], [b[0] - 29, b[1]], along, taken);
      labels.push(make("text", { x, y: y + 4, "text-anchor": "middle", class: `label ${number < 0 ? "minus" : "plus"}` }, words));
    }));
    found.push(...labels);
    return found;
  }

  function drawNetwork() {
    const predicted = state.view.network.nodes.some((node) => node.units.some((unit) => unit.notes.some((note) => note.startsWith("p "))));
    const modes = make("div", { class: "row" }, make("span", { class: "soft" }, "Wires show"),
      ...["weight", "gradient", "update"].map((mode) => make("button", { "aria-pressed": String(state.mode === mode), onclick: () => { state.mode = mode; drawNetwork(); } }, mode)),
      make("span", { class: "legend" }, make("span", {}, "blue: above 0"), make("span", {}, "orange, broken: below 0"), make("span", {}, "∂ gradient"), state.view.upstream ? null : make("span", {}, "ℓ: this sample's loss"), predicted ? make("span", {}, "p: predicted probability") : null,
        state.data?.surface?.maps ? make("span", {}, "small pictures: what a neuron says all over the plane") : null));
    const { view, why } = state;
    const lesson = view.lessons.find((one) => one.name === view.lesson);
    const head = make("h2", {}, `${view.title} · ${view.upstream ? "a gradient arrives from the right" : `loss ${short(view.network.loss, 5)}`} · step ${view.step}${view.broken ? " · broken on purpose" : ""}`);
    become(drawn, make("div", {}, head, lesson ? make("p", { class: "brief" }, make("strong", {}, "Your goal: "), lesson.goal) : null, standing(), make("div", { class: "drawing" }, network()), modes,
      why?.matrix && !state.hide ? matrices(why.matrix) : null,
      state.report ? make("details", { id: "report", open: true }, make("summary", {}, "What check says of the broken layer"), make("pre", { tabindex: "0" }, state.report)) : null,
      view.frames.count > 1 ? curves(view.frames.curves) : null));
    for (const one of drawn.querySelectorAll("[data-map]")) {
      const map = mapOf(...one.dataset.map.split(" "));
      if (one.getAttribute("href") !== map) one.setAttribute("href", map);
    }
    relight();
  }

  function matrices(of) { // the row of inputs.T and the column of dvalues that meet in one weight's gradient
    const [row, column] = of.at;
    const [inputs, samples, neurons] = of.sizes;
    const digits = of.rows.length * of.samples.length * of.columns.length === inputs * samples * neurons ? 3 : 2; // a part is narrower
    const some = (shown, all) => (shown.length < all ? `${shown.length} of ${all}` : `${all}`);
    const grid = (caption, tops, sides, numbers, name, met) => make("table", {}, make("caption", {}, caption),
      make("tbody", {}, make("tr", {}, make("td"), ...tops.map((one) => make("th", { scope: "col" }, `${one}`))),
        ...sides.map((side, i) => make("tr", {}, make("th", { scope: "row" }, `${side}`),
          ...tops.map((top, j) => make("td", { "data-what": name(side, top), class: met(side, top) ? "number met" : "number" }, short(numbers[i][j], digits)))))));
    const signed = (sign, matrix) => make("div", { class: "signed" }, sign, matrix);
    return make("details", { id: "matrices", open: true }, make("summary", {}, `dweights = inputs.T · dvalues, in ${of.layer}`),
      make("div", { class: "matrices", tabindex: "0", role: "group", "aria-label": "The matrices" },
        grid(`${of.source}.T, ${some(of.rows, inputs)} × ${some(of.samples, samples)} samples`, of.samples, of.rows, of.inputs, (i, b) => `${of.source}[${b},${i}]`, (i) => i === row),
        signed("·", grid(`dvalues, ${some(of.samples, samples)} samples × ${some(of.columns, neurons)}`, of.columns, of.samples, of.dvalues, (b, j) => `${of.layer}[${b},${j}]`, (b, j) => j === column)),
        signed("=", grid(`dweights, ${some(of.rows, inputs)} × ${some(of.columns, neurons)}`, of.columns, of.rows, of.dweights, (i, j) => `${of.parameter}[${i},${j}]`, (i, j) => i === row && j === column))),
      make("p", { class: "soft" }, `Row ${row} times column ${column}, sample by sample, added up: that is the gradient of this weight${of.samples.length < samples ? "; the samples with the largest products are shown" : ""}.`));
  }

  function standing() { // what to do, or where the walk is
    const { walk, playing, upstream } = state.view;
    const { moment } = walk;
    if (playing) return make("p", { class: "stand" }, "Training. Click any wire or neuron meanwhile: its gradient is derived on the right.");
    if (!moment) {
      const train = upstream || !link.live ? "" : ", or press train";
      return make("p", { class: "stand" }, make("strong", {}, "Press step ▶ or the → key"), ` to go through one training step${train}. Click any wire or number to see its gradient derived.`);
    }
    const phases = { forward: "Forward", loss: "Loss", backward: "Backward", update: "Update" };
    const unit = moment.unit === null || moment.phase === "loss" ? "" : `, number ${moment.unit}`;
    return make("p", { class: `stand phase-${moment.phase}`, id: "stand" }, make("strong", {}, phases[moment.phase]), ` · ${moment.node}${unit} · stop ${walk.position + 1} of ${walk.stops}`);
  }

  // Why

  function drawWhy() {
    const { why } = state;
    if (why && state.dragging === why.of) { // the slider in hand stays; what depends on it is drawn anew
      whyPane.querySelector(".values")?.replaceWith(values(why));
      if (state.curve) whyPane.querySelector("svg.curve")?.replaceWith(curve(state.curve, why));
      return;
    }
    keeping(whyPane, () => whyPane.replaceChildren(...(why ? reasons(why) : [make("h2", {}, "Why?"),
      make("p", { class: "soft" }, "Every number of the network has a gradient: by how much the loss rises when the number does. Click a wire, a neuron, a bias or a pixel, and its gradient is derived here, with the numbers of this network.")])));
    whyPane.querySelector(".step.now")?.scrollIntoView({ block: "nearest" });
    relight();
    clearTimeout(measured);
    measured = setTimeout(() => { // what is wider than the pane is scrolled with the keyboard too
      for (const one of whyPane.querySelectorAll(".formula")) if (one.scrollWidth > one.clientWidth) one.tabIndex = 0;
    }, 100);
  }

  let measured = null;

  function values(why) {
    return make("p", { class: "number values" }, make("span", {}, `value ${short(why.value, 6)} · gradient `),
      make("span", { class: "big", id: "gradient" }, state.hide ? "?" : short(why.gradient, 6)), " ", make("span", { class: "soft", id: "then" }));
  }

  let again = null;

  function outlive() { // a derivation is of one step: it says so where another is shown, and is derived anew at rest
    const { view, why } = state;
    const old = Boolean(why) && why.step !== undefined && why.step !== view.step;
    const slot = whyPane.querySelector("#then");
    if (slot) slot.textContent = old ? `at step ${why.step}` : "";
    clearTimeout(again);
    if (old && !view.playing && link.live) again = setTimeout(() => link.send({ type: "choose", what: why.of }), 150);
  }

  function reasons(why) {
    const hidden = state.hide;
    const notations = make("div", { class: "row" }, make("span", { class: "soft" }, "write it as"), ...["book", "calculus", "numpy"].map((notation) =>
      make("button", { "aria-pressed": String(why.notation === notation), onclick: () => send("choose", { what: why.of, notation }) },
        { book: "dvalues", calculus: "∂L/∂w", numpy: "NumPy" }[notation])));
    const tools = make("div", { class: "row" },
      make("button", { onclick: () => { state.hide = !state.hide; state.guess = null; drawWhy(); drawView(); } }, hidden ? "Show it" : "Predict first"),
      make("button", { onclick: () => send("proof", { what: why.of }) }, "Prove it"), make("span", { id: "proof", class: "proof", role: "status" }));
    const parts = [make("h2", {}, why.title), values(why), link.live ? tools : ""];
    if (hidden) parts.push(predict(why));
    else if (state.guess) parts.push(make("p", { id: "verdict", role: "status" }, state.guess));
    if (why.answer && !hidden) parts.push(make("p", {}, make("strong", {}, why.answer)));
    if (why.kind === "parameter" && link.live && !hidden) parts.push(handle(why));
    if (!hidden && why.strip && why.strip.rows.length + state.view.batch.removed.length > 1) parts.push(strip(why.strip));
    if (hidden) return parts;
    if (link.live) parts.push(notations);
    if (why.update && why.phase === "update") parts.push(update(why.update, true));
    const here = why.steps.filter((one) => why.here.includes(one.id));
    parts.push(...here.map((one) => step(one, true)));
    const others = why.steps.filter((one) => !why.here.includes(one.id));
    if (here.length && others.length) parts.push(make("details", { id: "whole" }, make("summary", {}, "The whole derivation"), ...others.map((one) => step(one, false))));
    else parts.push(...others.map((one) => step(one, false)));
    if (why.update && why.phase !== "update") parts.push(update(why.update, false));
    parts.push(...why.notes.map((note) => make("p", { class: "soft" }, note)));
    return parts;
  }

  const added = (term, plain) => (plain.startsWith("-") ? [" + (", formula(term), ")"] : [" + ", formula(term)]);

  function step(one, now) {
    const { mathml, text } = one;
    const line = make("div", { class: "formula", "data-what": one.what }, formula(mathml.symbol, mathml.formula && `<mo>=</mo>${mathml.formula}`));
    const terms = make("div", { class: "formula" });
    mathml.terms.forEach((term, index) => {
      const at = now && state.why.term === index;
      const lights = one.terms[index]?.lights.join(" ");
      terms.append(make("span", { class: at ? "number now" : "number", tabindex: lights ? "0" : null, "data-lights": lights || null },
        ...(index ? added(term.numbers, text.terms[index].numbers) : ["= ", formula(term.numbers)])), " ");
    });
    if (mathml.rest) terms.append(make("span", { class: "soft" }, ...added(mathml.rest, text.rest), ` (${one.rest[0]} more)`));
    const content = [make("p", {}, one.sentence), line];
    if (mathml.terms.some((term) => term.numbers !== mathml.value)) content.push(terms);
    content.push(make("div", { class: "formula" }, "= ", formula(mathml.value)));
    if (one.numpy && state.why.notation === "numpy") content.push(make("code", { "data-what": one.what }, one.numpy));
    const classes = `step ${one.part}${now ? " now" : ""}`;
    if (one.folded && !now) return make("details", { class: classes, id: one.id }, make("summary", { "data-what": one.what }, `${one.title} = ${text.value}`), ...content);
    return make("div", { class: classes, id: one.id }, make("strong", { "data-what": one.what }, one.title), ...content);
  }

  // Pointing at a number lights all that shows it or is made of it: symbol, neuron, wire, matrix cell, term

  const namesOf = (one) => [one?.dataset.what, ...(one?.dataset.lights ?? "").split(" ")].filter(Boolean);

  function relight() {
    if (!lit.length && !page.querySelector(".lit")) return;
    for (const one of page.querySelectorAll("[data-what], [data-lights], .lit")) one.classList.toggle("lit", namesOf(one).some((name) => lit.includes(name)));
  }

  function light(target) {
    const wire = target?.closest?.(".wire[aria-label]"); // a hundred wires need no hundred titles
    if (wire && !wire.firstChild) wire.append(make("title", {}, wire.getAttribute("aria-label")));
    const names = namesOf(target?.closest?.("[data-what], [data-lights]"));
    if (names.join(" ") === lit.join(" ")) return;
    lit = names;
    relight();
  }

  function update(one, now) {
    const lines = one.lines.map((line) => make("div", { class: "number" }, make("code", {}, `${line.name} = ${line.formula}`), ` = ${short(line.value, 6)} `, make("span", { class: "soft" }, line.note)));
    const words = `${one.optimizer} makes it ${short(one.before, 6)} → ${short(one.after, 6)}`;
    return make("details", { class: "step update", id: "update", open: now }, make("summary", {}, words), ...lines);
  }

  function predict(why) {
    const input = make("input", { type: "number", step: "any", "aria-label": "Your prediction of the gradient" });
    return make("form", { class: "row", onsubmit: (event) => { event.preventDefault(); send("guess", { what: why.of, value: Number(input.value) }); } },
      "The gradient is", input, make("button", {}, "Is it?"), make("p", { id: "verdict", role: "status" }, state.guess ?? ""));
  }

  function handle(why) {
    const box = make("details", { open: state.curve?.of === why.of }, make("summary", {}, "Move it along the loss"));
    box.addEventListener("toggle", () => { if (box.open && state.curve?.of !== why.of) send("curve", { what: why.of }); });
    if (state.curve?.of === why.of) box.append(curve(state.curve, why), slide(state.curve, why));
    return box;
  }

  function curve(of, why) {
    const points = of.points.filter(([, y]) => y !== null);
    const xs = points.map(([x]) => x);
    const ys = points.map(([, y]) => y);
    const [low, high, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const X = (x) => 10 + 280 * ((x - low) / (high - low || 1));
    const Y = (y) => 110 - 100 * ((y - bottom) / (top - bottom || 1));
    const lossAt = why.loss;
    return make("svg", { viewBox: "0 0 300 120", class: "curve", role: "img", "aria-label": `The loss along ${of.of}, with the tangent at ${short(why.value)}` },
      make("polyline", { points: points.map(([x, y]) => `${X(x)},${Y(y)}`).join(" "), fill: "none", stroke: "var(--soft)", "stroke-width": 1.5 }),
      make("line", { x1: X(low), x2: X(high), y1: Y(lossAt + why.gradient * (low - why.value)), y2: Y(lossAt + why.gradient * (high - why.value)), stroke: "var(--backward)", "stroke-width": 1.2 }),
      make("circle", { cx: X(why.value), cy: Y(lossAt), r: 5, fill: "var(--ink)" }));
  }

  function slide(of, why) {
    const xs = of.points.map(([x]) => x);
    const [low, high] = [Math.min(...xs), Math.max(...xs)];
    let waiting = null;
    const slider = make("input", { type: "range", min: low, max: high, step: "any", value: why.value, "aria-label": `Value of ${of.of}`,
      oninput: () => { state.dragging = of.of; clearTimeout(waiting); waiting = setTimeout(() => send("set", { what: of.of, value: Number(slider.value) }), 30); },
      onchange: () => { setTimeout(() => { state.dragging = null; }, 200); } });
    return make("div", {}, slider, make("div", { class: "row" }, make("button", { onclick: () => send("nudge", { what: of.of, by: 0.001 }) }, "nudge by 0.001"), make("span", { id: "nudged", class: "number", role: "status" })),
      make("p", { class: "soft" }, "Grey: the loss at each value. Orange: the slope that the gradient says."));
  }

  function strip(of) {
    const { batch } = state.view;
    const largest = Math.max(...of.pulls.map((pull) => Math.abs(pull ?? 0)), 1e-12);
    const bars = make("div", { class: "strip" });
    const add = (row, pull, out) => {
      const bar = make("i");
      const tall = pull === null ? 4 : 48 * Math.abs(pull) / largest + 2;
      bar.style.height = `${tall}%`;
      bar.style[pull < 0 ? "top" : "bottom"] = "50%";
      const words = out ? `sample ${row} is out; put it back` : `sample ${row} pulls ${short(pull)}${link.live ? "; take it out" : ""}`;
      bars.append(make("button", { class: pull < 0 ? "minus" : "", title: words, "aria-label": words, "aria-pressed": String(out), disabled: !link.live, onclick: () => send("take_out", { row, out: !out }) }, bar));
    };
    of.rows.forEach((row, index) => add(row, of.pulls[index], false));
    batch.removed.filter((row) => batch.rows.includes(row)).forEach((row) => add(row, null, true));
    const rest = of.rest[0] ? `The strongest first; ${of.rest[0]} more add ${short(of.rest[1])}. ` : "";
    return make("div", {}, make("h3", {}, `Each sample's pull, together ${short(of.sum, 6)}`), bars,
      make("p", { class: "soft" }, `${rest}${link.live ? "Click a bar to take its sample out of the batch." : ""}`));
  }

  // Data

  let stands = ""; // all that the left pane depends on, as it was drawn last

  function drawData() {
    const { data, view } = state;
    if (!data || !view) return;
    const depends = JSON.stringify([view.lesson, view.title, view.reached, view.sample, view.batch, view.controls, view.broken, state.changes, state.read]);
    if (depends === stands) return;
    stands = depends;
    const parts = [];
    const lesson = view.lessons.find((one) => one.name === view.lesson);
    if (lesson) parts.push(make("p", {}, lesson.text), goal(lesson));
    if (data.kind === "points") parts.push(plane());
    else if (data.kind === "images") parts.push(images(), link.live ? painting() : "");
    else parts.push(table());
    if (link.live && view.batch.rows.length > 1) parts.push(samples());
    if (link.live) parts.push(controls(), breaking(), takeaway());
    keeping(dataPane, () => dataPane.replaceChildren(...parts));
  }

  function goal(lesson) {
    const { lessons: known, reached } = state.view;
    const next = known[known.indexOf(lesson) + 1];
    return make("div", { class: reached ? "goal reached" : "goal" }, make("strong", {}, reached ? "Reached: " : "Your goal: "), lesson.goal,
      reached && next && link.live ? make("div", { class: "row" }, make("button", { onclick: () => send("lesson", { name: next.name }) }, `Next: ${next.title}`)) : null);
  }

  const hues = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d1f", "#5d3a9b", "#994f00", "#006cd1"];

  function plane() {
    const size = 240;
    const canvas = make("canvas", { width: size, height: size, role: "img", "aria-label": "The data, and what the network says of each point of the plane" });
    const { data } = state;
    const context = canvas.getContext("2d");
    const { low, high, side, values } = data.surface;
    const X = (x) => ((x - low[0]) / (high[0] - low[0])) * size;
    const Y = (y) => size - ((y - low[1]) / (high[1] - low[1])) * size;
    values.forEach((chances, index) => {
      const best = chances.indexOf(Math.max(...chances));
      context.fillStyle = hues[best % hues.length];
      context.globalAlpha = chances.length > 1 ? 0.05 + 0.45 * (chances[best] - 1 / chances.length) / (1 - 1 / chances.length) : 0.3 * chances[0];
      context.fillRect((index % side) * (size / side), size - (Math.floor(index / side) + 1) * (size / side), size / side, size / side);
    });
    context.globalAlpha = 1;
    data.X.forEach(([x, y], index) => {
      context.fillStyle = hues[(Array.isArray(data.y[index]) ? 0 : data.y[index]) % hues.length];
      context.beginPath();
      context.arc(X(x), Y(y), data.rows[index] === state.view.sample.row ? 6 : 2.4, 0, 7);
      context.fill();
    });
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const [x, y] = [((event.clientX - box.left) / box.width) * size, ((event.clientY - box.top) / box.height) * size];
      const inBatch = state.view.batch.rows;
      let [best, distance] = [0, Infinity];
      data.rows.forEach((row, index) => {
        const far = (X(data.X[index][0]) - x) ** 2 + (Y(data.X[index][1]) - y) ** 2;
        if (far < distance && inBatch.includes(row)) [best, distance] = [inBatch.indexOf(row), far];
      });
      send("sample", { place: best });
    });
    return canvas;
  }

  function small(pixels, shape, size = 32) {
    const canvas = make("canvas", { width: shape[1], height: shape[0] });
    canvas.style.width = canvas.style.height = `${size}px`;
    const context = canvas.getContext("2d");
    const top = Math.max(...pixels, 1e-9);
    pixels.forEach((value, index) => {
      const shade = Math.round(255 * (1 - value / top));
      context.fillStyle = `rgb(${shade},${shade},${shade})`;
      context.fillRect(index % shape[1], Math.floor(index / shape[1]), 1, 1);
    });
    return canvas;
  }

  function images() {
    const { data, view } = state;
    const box = make("div", { class: "images" });
    data.X.forEach((pixels, index) => {
      const at = view.batch.rows.indexOf(data.rows[index]);
      if (at < 0) return;
      const name = data.classes[data.y[index]] ?? data.y[index];
      box.append(make("button", { title: `${name}, row ${data.rows[index]}`, "aria-label": `sample ${data.rows[index]}, a ${name}`, "aria-pressed": String(view.sample.place === at), onclick: () => send("sample", { place: at }) }, small(pixels, data.shape)));
    });
    return box;
  }

  function painting() {
    const [high, wide] = state.data.shape;
    const pixels = state.painted ?? Array(high * wide).fill(0);
    state.painted = pixels;
    const canvas = make("canvas", { class: "paint", width: wide, height: high, "aria-label": "Draw a digit with the mouse" });
    const context = canvas.getContext("2d");
    const draw = () => pixels.forEach((value, index) => {
      const shade = Math.round(255 * (1 - value));
      context.fillStyle = `rgb(${shade},${shade},${shade})`;
      context.fillRect(index % wide, Math.floor(index / wide), 1, 1);
    });
    const paint = (event) => {
      if (!event.buttons) return;
      const box = canvas.getBoundingClientRect();
      const [x, y] = [((event.clientX - box.left) / box.width) * wide, ((event.clientY - box.top) / box.height) * high];
      for (let row = 0; row < high; row += 1) for (let column = 0; column < wide; column += 1) {
        const far = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        pixels[row * wide + column] = Math.min(1, pixels[row * wide + column] + Math.max(0, 0.8 - 0.6 * far));
      }
      draw();
    };
    canvas.addEventListener("pointerdown", paint);
    canvas.addEventListener("pointermove", paint);
    canvas.addEventListener("pointerup", () => send("draw", { pixels }));
    draw();
    return make("details", { id: "painting", open: true }, make("summary", {}, "Draw one"), canvas,
      make("div", { class: "row" }, make("button", { onclick: () => { pixels.fill(0); draw(); } }, "wipe"), make("span", { id: "read", role: "status" }, state.read ?? "")));
  }

  function table() {
    const { data, view } = state;
    const names = data.features.length ? data.features : data.X[0].map((_, index) => `x${index}`);
    const some = names.slice(0, 8);
    const rows = data.rows.slice(0, 12).map((row, index) => {
      const at = view.batch.rows.indexOf(row);
      const target = data.classes[data.y[index]] ?? (Array.isArray(data.y[index]) ? data.y[index].map((n) => short(n)).join(", ") : short(data.y[index]));
      return make("tr", { "aria-selected": String(view.sample.row === row), ...(at >= 0 ? { "data-place": at, tabindex: "0" } : {}) },
        ...data.X[index].slice(0, 8).map((value, column) => {
          const cell = make("td", { class: "number" }, short(value));
          if (link.live) cell.addEventListener("dblclick", () => edit(`inputs[${at},${column}]`, value));
          return cell;
        }), make("td", {}, view.upstream ? `∂ ${target}` : target));
    });
    return make("div", {}, make("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "The table" }, make("table", {}, make("thead", {}, make("tr", {}, ...some.map((name) => make("th", {}, name)), make("th", {}, view.upstream ? "arriving" : "target"))), make("tbody", {}, ...rows))),
      link.live ? make("p", { class: "soft" }, "Double-click a number to change it.") : null);
  }

  function edit(what, value) {
    const input = make("input", { type: "number", step: "any", value, "aria-label": `New value of ${what}` });
    const form = make("form", { class: "row", onsubmit: (event) => { event.preventDefault(); send("set", { what, value: Number(input.value) }); } }, what, input, make("button", {}, "set"));
    dataPane.prepend(form);
    input.focus();
  }

  function samples() {
    const { batch, sample } = state.view;
    const picker = make("input", { type: "number", min: 0, max: batch.rows.length - 1, value: sample.place, "aria-label": "Sample of the batch", onchange: () => send("sample", { place: Number(picker.value) }) });
    const ways = [["mean", false, "mean"], ["sum", false, "sum"], ["sum", true, `sum, rate/${batch.divisor}`]];
    return make("div", {}, make("div", { class: "row" }, "Sample", picker, `of ${batch.rows.length}`), state.view.upstream ? null
      : make("div", { class: "row" }, "Loss: their", ...ways.map(([to, divided, words]) => make("button", { "aria-pressed": String(batch.reduction === to && batch.divided === divided), onclick: () => send("reduction", { to, divided }) }, words))));
  }

  function curves(of) {
    const box = make("div", { class: "curves" });
    for (const [name, values] of Object.entries(of)) {
      if (name === "frame" || name === "step" || values.length < 2) continue;
      const known = values.filter((value) => value !== null);
      const [low, high] = [Math.min(...known), Math.max(...known)];
      const points = values.map((value, index) => [index, value]).filter(([, value]) => value !== null)
        .map(([index, value]) => `${(index / (values.length - 1)) * 240},${32 - 30 * ((value - low) / (high - low || 1))}`);
      if (known.length) box.append(make("div", {}, make("div", { class: "soft" }, `${name.replace("gradient of", "size of gradient,")} ${short(known.at(-1), 4)}`), make("svg", { viewBox: "0 0 240 34", role: "img", "aria-label": `${name} over the steps, now ${short(known.at(-1))}` },
        make("polyline", { points: points.join(" "), fill: "none", stroke: name.startsWith("gradient") ? "var(--backward)" : "var(--forward)", "stroke-width": 1.5 }))));
    }
    return make("details", { id: "curves", open: true }, make("summary", {}, "Curves"), box);
  }

  function controls() {
    const now = state.view.controls;
    const field = (name, words, attributes, value = now[name]) => [name, words, make("input", { ...attributes, value })];
    const choice = (name, words, options) => [name, words, make("select", {}, ...options.map((option) => make("option", { selected: now[name] === option }, option)))];
    const fields = [
      ...(now.fixed ? [] : [field("sizes", "neurons of the layers", { type: "text" }, now.sizes.join(", ")), choice("activation", "activation", now.activations)]),
      ...(now.fixed ? [] : [choice("loss", "loss", now.losses)]),
      choice("optimizer", "optimizer", ["sgd", "adam", "adamw", "rmsprop", "adagrad"]),
      field("rate", "learning rate", { type: "number", step: "any", min: 0 }),
      field("batch_size", "batch", { type: "number", min: 1 }),
      ...(now.fixed ? [] : [field("penalty", "L2 penalty", { type: "number", step: "any", min: 0 }), field("dropout", "dropout", { type: "number", step: "any", min: 0, max: 0.95 }),
        field("noise", "noise on the data", { type: "number", step: "any", min: 0 }), field("seed", "seed", { type: "number", min: 0 })]),
    ];
    const form = make("form", { class: "controls", onsubmit: (event) => {
      event.preventDefault();
      document.activeElement?.blur();
      const asked = {};
      for (const [name, , input] of fields) asked[name] = name === "sizes" ? input.value.split(/[ ,]+/).filter(Boolean).map(Number) : input.type === "number" ? Number(input.value) : input.value;
      send("controls", asked);
    } }, ...fields.map(([, words, input]) => make("label", {}, words, input)), make("button", {}, "Begin anew"));
    const file = make("input", { type: "file", accept: ".csv,.tsv,.txt", "aria-label": "A CSV file of your own", onchange: async () => {
      const one = file.files[0];
      file.blur();
      if (one) send("csv", { name: one.name.slice(0, 200), text: await one.text() });
    } });
    const known = make("select", { "aria-label": "Data set", onchange: () => { known.blur(); send("dataset", { name: known.value }); } },
      ...(now.data ? [] : [make("option", { value: "", selected: true, disabled: true }, state.view.lesson ? "this lesson's" : state.view.title)]), ...now.datasets.map((one) => make("option", { selected: one === now.data }, one)));
    return make("details", { id: "controls" }, make("summary", {}, "Data, network and training"),
      make("div", { class: "controls" }, make("label", {}, "data set", known), make("label", { class: "file" }, "or a table of your own (CSV)", file)), form);
  }

  function breaking() {
    const ways = { relu: "Take ReLU's mask away", mean: "Mean for sum", transpose: "Forget the transpose" };
    return make("details", { id: "breaking" }, make("summary", {}, "Break it"), make("div", { class: "row" },
      ...Object.entries(ways).map(([how, words]) => make("button", { "aria-pressed": String(state.view.broken === how), onclick: () => send("break", { how }) }, words)),
      make("button", { disabled: state.view.broken === null, onclick: () => send("break", { how: null }) }, "Mend it")),
      make("p", { class: "soft" }, "The network then trains with wrong gradients; check finds the mistake and names it."));
  }

  function takeaway() {
    const kinds = { model: "model", picture: "picture", code: "Python code", cell: "notebook cell", page: "offline page" };
    return make("details", { id: "takeaway" }, make("summary", {}, "Take it away"), make("div", { class: "row" },
      ...Object.entries(kinds).map(([what, words]) => make("button", { onclick: () => send("take", { what }) }, words)),
      make("button", { onclick: () => { location.hash = encodeURIComponent(JSON.stringify({ lesson: state.view.lesson, data: state.view.lesson ? "" : state.view.controls.data, controls: wanted() })); navigator.clipboard?.writeText(location.href); say("The address of this page has been copied."); } }, "link")));
  }

  function wanted() {
    const { activations, datasets, losses, data, fixed, ...rest } = state.view.controls;
    return fixed ? { optimizer: rest.optimizer, rate: rest.rate, batch_size: rest.batch_size } : rest;
  }

  // Transport

  const scrub = make("input", { class: "scrub", type: "range", min: 0, "aria-label": "The recorded training", oninput: () => seek(Number(scrub.value)) });
  let sought = null; // the frame that was asked for and has not come yet, and the one to ask for after it
  let then = null;

  function seek(frame) {
    then = frame;
    if (sought === null && then !== null) { [sought, then] = [then, null]; send("seek", { frame: sought }); }
  }

  const buttons = make("div", { class: "row" });
  const clock = make("span", { class: "soft number" });
  foot.append(buttons, scrub, clock);

  let shown = ""; // what the buttons say now

  function drawFoot() {
    const { view } = state;
    const recorded = view.recorded ?? view.frames;
    scrub.max = Math.max(0, recorded.count - 1);
    scrub.disabled = recorded.count < 2;
    if (document.activeElement !== scrub || view.playing) scrub.value = recorded.position;
    clock.textContent = `recorded ${recorded.position + 1} of ${recorded.count} · epoch ${view.epoch}`;
    const words = `${view.playing} ${view.upstream} ${state.unit}`;
    if (words === shown) return;
    shown = words;
    keeping(buttons, () => buttons.replaceChildren(
      make("button", { onclick: () => go(-1), "aria-label": "One step back", title: "left arrow" }, "◀ back"),
      make("button", { class: "first", onclick: () => go(1), "aria-label": "One step on", title: "right arrow" }, "step ▶"),
      ...(view.upstream || !link.live ? [] : [make("button", { "aria-pressed": String(view.playing), title: "p", onclick: () => send("play", { on: !view.playing }) }, view.playing ? "pause" : "train")]),
      make("label", {}, make("span", {}, "one step is one "), make("select", { "aria-label": "Size of a step", onchange: (event) => { state.unit = event.target.value; event.target.blur(); } }, ...UNITS.map((unit) => make("option", { selected: state.unit === unit }, unit))))));
  }

  const go = (way) => send("go", { unit: state.unit, way });

  page.addEventListener("keydown", (event) => {
    if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowRight") { event.preventDefault(); go(1); }
    if (event.key === "ArrowLeft") { event.preventDefault(); go(-1); }
    if (event.key === "p" && !state.view?.upstream) send("play", { on: !state.view.playing });
  });
  if (!widget) document.addEventListener("keydown", (event) => { if (event.target === document.body) page.dispatchEvent(new KeyboardEvent("keydown", event)); });

  function drawLessons() {
    const { lessons: known, lesson } = state.view;
    if (lessons.dataset.at === `${lesson}` && lessons.children.length === known.length) return;
    lessons.dataset.at = `${lesson}`;
    keeping(lessons, () => lessons.replaceChildren(...known.map((one) => make("button", { "aria-current": String(one.name === lesson), disabled: !link.live, onclick: () => send("lesson", { name: one.name }) }, one.title))));
  }

  // What is told

  let held = false; // a button that vanished between press and release would not be clicked
  let asked = false; // a derivation, which is on its way
  let patience = null;
  let waits = false;
  const calm = (draw) => { // at most one drawing a picture of the screen
    let planned = false;
    const later = () => {
      if (held || asked) { waits = true; return; }
      if (!planned) { planned = true; requestAnimationFrame(() => { planned = false; if (held || asked) waits = true; else draw(); }); }
    };
    return later;
  };
  const catchUp = () => { if (waits && !held && !asked) { waits = false; drawView(); } };
  const answered = () => { asked = false; clearTimeout(patience); catchUp(); };
  page.addEventListener("pointerdown", () => { held = true; });
  for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => { setTimeout(() => { held = false; catchUp(); }, 0); });
  const drawView = calm(() => { drawLessons(); drawNetwork(); drawFoot(); outlive(); if (!dataPane.querySelector("form")?.contains(document.activeElement)) drawData(); });

  told.session = ({ name }) => {
    sessionStorage.setItem("chainrule", name);
    if (location.hash.length > 1) {
      try {
        const { lesson, data, controls: asked } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
        if (lesson) link.send({ type: "lesson", name: lesson });
        else if (data) link.send({ type: "dataset", name: data });
        if (asked) link.send({ type: "controls", ...asked });
      } catch { /* a hash that is none of ours */ }
      history.replaceState(null, "", location.pathname);
    }
  };
  told.view = (view) => {
    const moment = view.walk.moment;
    if (state.view && (state.view.lesson !== view.lesson || state.view.title !== view.title)) {
      Object.assign(state, { why: null, curve: null, report: null, data: null, read: null, hide: false });
      drawWhy();
    }
    state.view = view;
    sought = null;
    if (then !== null) seek(then);
    if (moment && view.walk.position >= 0 && !view.playing) say(`${moment.phase}, ${moment.node}${moment.unit === null ? "" : `, unit ${moment.unit}`}`);
    drawView();
  };
  told.data = (data) => { state.data = data; state.changes += 1; pictures.clear(); levels.clear(); drawView(); };
  told.surface = ({ surface }) => { if (state.data) { state.data.surface = surface; state.changes += 1; pictures.clear(); levels.clear(); drawView(); } };
  told.why = (why) => {
    state.why = why;
    state.guess = null;
    if (state.view) state.view.chosen = why.of;
    drawWhy();
    answered();
    drawView();
    say(`${why.title}: gradient ${short(why.gradient)}`);
  };
  told.proof = ({ witnesses }) => {
    const judged = witnesses.filter((one) => one.agrees !== null);
    const agree = judged.filter((one) => one.agrees).length;
    const slot = whyPane.querySelector("#proof");
    if (slot) slot.textContent = agree === judged.length ? `✓ ${agree} ways agree` : witnesses.map((one) => `${one.name}: ${one.agrees ? "agrees" : "does not agree"}`).join("; ");
  };
  told.curve = (curve) => { state.curve = curve; drawWhy(); };
  told.nudged = ({ predicted, measured }) => { const slot = whyPane.querySelector("#nudged"); if (slot) slot.textContent = `predicted ${short(predicted, 5)}, measured ${short(measured, 5)}`; };
  told.guessed = ({ close, says }) => { state.guess = says; if (close) state.hide = false; drawWhy(); drawView(); say(says); };
  told.reached = ({ reached }) => { if (state.view) { state.view.reached = reached; drawView(); } };
  told.read = ({ chances, classes }) => {
    const best = chances.indexOf(Math.max(...chances));
    state.read = `The network reads ${classes[best] ?? best} (${Math.round(100 * chances[best])} %).`;
    drawView();
  };
  told.checked = ({ report }) => { state.report = report; drawView(); };
  told.taken = ({ name, kind, content }) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const url = URL.createObjectURL(new Blob([bytes], { type: kind }));
    make("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  };
  told.problem = ({ says }) => { problem.textContent = says; sought = null; answered(); };

  const link = connect((message) => {
    if (!TOLD.includes(message.type)) return;
    if (message.type === "view" && (!message.network || !message.walk)) return;
    told[message.type](message);
  });
  drawWhy();
  return page;
}

export default {
  render({ model, el }) {
    const page = mount(el, (receive) => {
      model.on("msg:custom", receive);
      queueMicrotask(() => model.send({ type: "look" }));
      return { send: (message) => model.send(message), live: true };
    }, { widget: true });
    return () => page.remove();
  },
};

const here = document.getElementById("play");
if (here) {
  const record = document.getElementById("recorded");
  mount(here, record ? (receive) => recordedLink(JSON.parse(record.textContent), receive) : socketLink);
}
