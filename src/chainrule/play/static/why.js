// The right pane: one gradient, derived.

import { formula, keeping, make, short } from "./elements.js";

export function whyRoom(desk, whyPane) {
  const { state, send, choose } = desk;
  const named = make("input", { type: "text", placeholder: "dense_0.weights[0,0]", "aria-label": "The name of a number, such as dense_0.weights[0,0]" });

  function drawWhy() {
    const { why } = state;
    if (why && state.dragging === why.of) { // the slider in hand stays; what depends on it is drawn anew
      whyPane.querySelector(".values")?.replaceWith(values(why));
      if (state.curve) whyPane.querySelector("svg.curve")?.replaceWith(curve(state.curve, why));
      return;
    }
    keeping(whyPane, () => whyPane.replaceChildren(...(why ? reasons(why) : [make("h2", {}, "Why?"),
      make("p", { class: "soft" }, "Every number of the network has a gradient: by how much the loss rises when the number does. Click a wire, a neuron, a bias or a pixel, and its gradient is derived here, with the numbers of this network.")]), naming));
    reveal(whyPane.querySelector(".step.now"));
    desk.relight();
    clearTimeout(measured);
    measured = setTimeout(() => { // what is wider than the pane is scrolled with the keyboard too
      for (const one of whyPane.querySelectorAll(".formula")) if (one.scrollWidth > one.clientWidth) one.tabIndex = 0;
    }, 100);
  }

  function reveal(now) { // within the pane: where the panes lie below each other, the network stays in view
    if (!now || whyPane.scrollHeight <= whyPane.clientHeight) return;
    const [one, seen] = [now.getBoundingClientRect(), whyPane.getBoundingClientRect()];
    if (one.top < seen.top || one.bottom > seen.bottom) whyPane.scrollTop += one.top - seen.top - 8;
  }

  let measured = null;

  function values(why) {
    const hidden = desk.hides();
    const forward = why.phase === "forward"; // whose gradient has not been worked out yet
    const value = hidden === "value" ? "?" : number(why);
    const gradient = forward ? [] : [" · gradient ", make("span", { class: "big", id: "gradient" }, hidden ? "?" : short(why.gradient, 6))];
    return make("p", { class: "number values" }, "value ", forward ? make("span", { class: "big" }, value) : value, ...gradient, " ", make("span", { class: "soft", id: "then" }));
  }

  function number(why) { // a parameter or an input is changed where it stands
    if (!desk.link.live || !(why.kind === "parameter" || why.kind === "input")) return short(why.value, 6);
    const exact = why.value ?? "";
    return make("input", { type: "number", step: "any", value: Number(Number(exact).toPrecision(5)), "aria-label": `Value of ${why.of}, to be changed`, title: `${exact}`,
      onchange: (event) => { if (event.target.value !== "") send("set", { what: why.of, value: Number(event.target.value) }); } });
  }

  let older = null;

  function outlive() { // a derivation is of one step: it says so where another is shown, and is derived anew at rest
    const { view, why } = state;
    const old = Boolean(why) && why.step !== undefined && why.step !== view.step;
    const slot = whyPane.querySelector("#then");
    if (slot) slot.textContent = old ? `at step ${why.step}` : "";
    clearTimeout(older);
    if (old && !view.playing && desk.link.live) older = setTimeout(() => desk.link.send({ type: "choose", what: why.of }), 150);
  }

  function reasons(why) {
    const hidden = desk.hides();
    const notations = make("div", { class: "row" }, make("span", { class: "soft" }, "write it as"), ...["book", "calculus", "numpy"].map((notation) =>
      make("button", { "aria-pressed": String(why.notation === notation), onclick: () => send("choose", { what: why.of, notation }) },
        { book: "dvalues", calculus: "∂L/∂w", numpy: "NumPy" }[notation])));
    const again = () => { state.guess = null; drawWhy(); desk.drawView(); };
    const tools = make("div", { class: "row" },
      make("button", { "aria-pressed": String(state.predicts), title: "Each number stays hidden until you have said it", onclick: () => { state.predicts = !state.predicts; again(); } }, "Predict first"),
      hidden ? make("button", { onclick: () => { state.opened = true; again(); } }, "Show it") : null,
      make("button", { onclick: () => send("proof", { what: why.of }) }, "Prove it"), make("span", { id: "proof", class: "proof", role: "status" }));
    if (why.kind === "lost") return [make("h2", {}, why.title), make("p", {}, make("strong", {}, why.answer)), ...why.notes.map((note) => make("p", { class: "number" }, note))];
    const loss = why.phase === "loss" && !hidden ? why.steps.find((one) => why.here.at(-1) === one.id) : null; // its stop is about no gradient yet
    const head = loss ? [make("h2", {}, loss.title), make("p", { class: "number values" }, "value ", make("span", { class: "big" }, short(loss.value, 6)))] : [make("h2", {}, why.title), values(why)];
    const parts = [...head, desk.link.live ? tools : ""];
    if (hidden) parts.push(predict(why));
    else if (state.guess) parts.push(make("p", { id: "verdict", role: "status" }, state.guess));
    if (why.answer && !hidden) parts.push(make("p", {}, make("strong", {}, why.answer)));
    if (why.kind === "parameter" && desk.link.live && !hidden) parts.push(handle(why));
    if (!hidden && why.strip && why.strip.rows.length + state.view.batch.removed.length > 1) parts.push(strip(why.strip));
    if (hidden) return parts;
    if (desk.link.live) parts.push(notations);
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
    if (one.folded && !now) return make("details", { class: classes, id: one.id }, make("summary", { "data-what": one.what }, `${one.title} = ${text.value.replace("-", "−")}`), ...content);
    return make("div", { class: classes, id: one.id }, make("strong", { "data-what": one.what }, one.title), ...content);
  }

  function update(one, now) {
    const lines = one.lines.map((line) => {
      const [name, written, numbers] = line.mathml;
      return make("div", { class: "number formula" }, formula(name, "<mo>=</mo>", written), ...(Number(line.numbers) === line.value ? [] : [" = ", formula(numbers)]), ` = ${short(line.value, 6)} `, make("span", { class: "soft" }, line.note));
    });
    const words = `${one.optimizer} makes it ${short(one.before, 6)} → ${short(one.after, 6)}`;
    return make("details", { class: "step update", id: "update", open: now }, make("summary", {}, words), ...lines);
  }

  function predict(why) { // a number that the reader says before it is shown
    const of = desk.hides();
    const input = make("input", { type: "number", step: "any", "aria-label": `Your prediction of the ${of}` });
    return make("form", { class: "row", onsubmit: (event) => { event.preventDefault(); if (input.value !== "") send("guess", { what: why.of, value: Number(input.value), of }); } },
      of === "value" ? "It comes to" : "The gradient is", input, make("button", {}, "Is it?"), make("p", { id: "verdict", role: "status" }, state.guess ?? ""));
  }

  const naming = make("form", { class: "row naming", onsubmit: (event) => { event.preventDefault(); if (named.value.trim()) choose(named.value.trim()); } },
    make("span", {}, "Or name one:"), named, make("button", {}, "derive"));

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
      const words = out ? `sample ${row} is out; put it back` : `sample ${row} pulls ${short(pull)}${desk.link.live ? "; take it out" : ""}`;
      bars.append(make("button", { id: `pull-${row}`, class: pull < 0 ? "minus" : "", title: words, "aria-label": words, "aria-pressed": String(out), disabled: !desk.link.live, onclick: () => send("take_out", { row, out: !out }) }, bar));
    };
    of.rows.forEach((row, index) => add(row, of.pulls[index], false));
    batch.removed.filter((row) => batch.rows.includes(row)).forEach((row) => add(row, null, true));
    const rest = of.rest[0] ? `The strongest first; ${of.rest[0]} more add ${short(of.rest[1])}. ` : "";
    return make("div", {}, make("h3", {}, `Each sample's pull, together ${short(of.sum, 6)}`), bars,
      make("p", { class: "soft" }, `${rest}${desk.link.live ? "Click a bar to take its sample out of the batch." : ""}`));
  }

  return { drawWhy, outlive };
}
