// The network as it is drawn: neurons with the numbers of one sample, wires, small maps of the plane, images, badges.

import { make, PRESSED, short } from "./elements.js";

export function networkRoom(desk) {
  const { state, place } = desk;

  function network() {
    const { network: net, walk, chosen } = state.view;
    const columns = net.nodes;
    const wide = 90 + 165 * columns.length;
    const most = Math.max(...columns.map((node) => (node.maps.length ? 6 : node.units.length)), 2);
    const top = 48 + 13 * Math.max(0, ...columns.map((node) => net.badges.filter((one) => one.node === node.name).length - 1));
    const high = Math.max(230, 60 * most + top + 16);
    const at = new Map();
    columns.forEach((node, column) => {
      const x = 75 + column * ((wide - 160) / Math.max(1, columns.length - 1));
      node.units.forEach((unit, row) => {
        at.set(`${node.name}/${unit.unit}`, [x, top + (row + 0.5) * ((high - top - 16) / node.units.length)]);
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
      for (const [index, badge] of net.badges.filter((one) => one.node === node.name).entries()) {
        const words = badge.units.length ? `${badge.units.length} ${badge.badge}` : badge.badge;
        svg.append(make("text", { x, y: 42 + 13 * index, "text-anchor": "middle", class: "badge", "aria-label": `${words}: show why`, "data-what": badge.what, ...PRESSED }, words));
      }
      if (node.maps.length) svg.append(...image(node, at.get(node.name), chosen));
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

  let serial = 0; // of all images that were drawn
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

  const secret = (what, chosen, of) => desk.hides() === of && what !== null && what === chosen; // the reader predicts it
  const mapped = (node) => Boolean(state.data?.surface?.maps?.nodes[node]);
  const left = (node) => (mapped(node) ? 60 : 29); // where a neuron's drawing begins

  function neuron(node, unit, [x, y], phase, hasValue, hasGradient, hasLoss, chosen) {
    const what = node.name === "loss" ? null : `${node.name}[${place()},${unit.unit}]`;
    const value = !hasValue ? "·" : secret(what, chosen, "value") ? "?" : short(unit.value);
    const gradient = hasGradient ? `∂ ${secret(what, chosen, "gradient") ? "?" : short(unit.gradient)}` : "";
    const caption = unit.caption.startsWith("[") ? "" : unit.caption.length > 16 ? `${unit.caption.slice(0, 15)}…` : unit.caption;
    const name = `${node.name} ${unit.caption}`;
    const words = state.view.playing ? name : `${[value, gradient].filter(Boolean).join(" ")}: ${gradient ? "value and gradient" : "value"} of ${name}`;
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
      const updates = state.view.walk.moment?.node === `${node.name}.biases`;
    const says = bias.split(" ∂")[0].replace("-", "−") + (updates ? ` → ${short(unit.bias_after, 4)}` : "");
      beside.push(make("text", { x: x + 33, y: y - 8, class: updates ? "updates" : name === chosen ? "chosen" : "soft", "data-what": name, "aria-label": `${says}, ${name}`, ...PRESSED }, says));
    }
    const target = unit.notes.find((note) => note.includes("target"));
    if (target) beside.push(make("text", { x: x + 36, y: y + 13, class: "soft" }, (hasLoss ? target : target.replace(/^p [^,]*, /, "")).replaceAll("-", "−")));
    return [group, ...beside];
  }

  const drawings = new Map(); // of each image, by node; its pixels are drawn anew only when one of them is another

  function image(node, [x, y], chosen) {
    const [one] = node.maps;
    const wide = one.values[0].length;
    const size = Math.min(96 / wide, 14);
    const [left, top] = [x - (size * wide) / 2, y - (size * one.values.length) / 2];
    const depends = [place(), left, top, ...one.values].join();
    if (drawings.get(node.name)?.depends !== depends) drawings.set(node.name, { depends, group: pixels(node.name, one.values, left, top, size) });
    const at = Number(chosen?.match(/\[\d+,(\d+)\]$/)?.[1]);
    const group = drawings.get(node.name).group.cloneNode(true);
    if (!chosen?.startsWith(`${node.name}[`)) return [group];
    const [column, row] = [at % wide, Math.floor(at / wide)];
    return [group, make("rect", { class: "frame met", x: left + column * size, y: top + row * size, width: size, height: size })];
  }

  function pixels(name, values, left, top, size) {
    serial += 1;
    const flat = values.flat();
    const [low, high] = [Math.min(...flat), Math.max(...flat)];
    const group = make("g", { "data-drawn": serial, "aria-label": `${name}, an image of ${values.length} by ${values[0].length}` });
    flat.forEach((value, index) => {
      const [column, row] = [index % values[0].length, Math.floor(index / values[0].length)];
      group.append(make("rect", {
        class: "pixel", x: left + column * size, y: top + row * size, width: size, height: size, fill: "currentColor",
        "fill-opacity": ((value - low) / (high - low || 1)).toFixed(3), stroke: "var(--line)", "stroke-width": 0.4,
        "data-what": `${name}[${place()},${index}]`,
      }));
    });
    return group;
  }

  function pixelWords(what) { // what stands at a pixel that is pointed at
    const [, name, index] = what.match(/^(.+)\[\d+,(\d+)\]$/);
    const [one] = state.view.network.nodes.find((node) => node.name === name).maps;
    const [row, column] = [Math.floor(index / one.values[0].length), index % one.values[0].length];
    return `${name}[${row},${column}] = ${short(one.values[row][column])}, gradient ${short(one.gradients[row][column])}`;
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
      const hidden = state.mode !== "weight" && secret(what, chosen, "gradient");
      const words = hidden ? "?" : walks && moment.phase === "update" && wire.after ? `${short(wire.weight[i][j], 4)} → ${short(wire.after[i][j], 4)}` : short(number);
      const classes = ["wire", number > 0 ? "plus" : number < 0 ? "minus" : "", walks ? `walk-${moment.phase === "loss" ? "forward" : moment.phase}` : "", what && what === chosen ? "chosen" : ""];
      const thick = number === null ? 1 : Number((0.6 + 3.2 * Math.abs(number) / largest).toFixed(1));
      const line = make("path", {
        class: classes.join(" "), d: `M${a[0] + 29},${a[1]} L${b[0] - left(wire.to)},${b[1]}`, "stroke-width": walks ? Math.max(2.5, thick) : thick,
        "data-what": what, id: what ? `wire-${wire.parameter}-${source}-${reader}` : null,
        ...(what ? { ...PRESSED, tabindex: "-1", "aria-label": state.view.playing ? null : `${what}: ${state.mode} ${words}` } : {}), // thirty times a second nobody reads them
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

  function forget() { // the plane is another
    pictures.clear();
    levels.clear();
  }

  return { network, mapOf, pixelWords, forget };
}
