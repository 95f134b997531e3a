// Data that are seen: points in their plane, images, and one that the reader draws.

import { make } from "./elements.js";

const hues = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d1f", "#5d3a9b", "#994f00", "#006cd1"];

export function plane(desk) {
  const { state, send } = desk;
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

export function images(desk) {
  const { state, send } = desk;
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

export function painting(desk) {
  const { state, send } = desk;
  const [high, wide] = state.data.shape;
  const pixels = state.painted ?? Array(high * wide).fill(0);
  state.painted = pixels;
  const canvas = make("canvas", { class: "paint", width: wide, height: high, tabindex: "0", role: "application", "aria-label": "Draw a digit: with the mouse, or with the arrow keys and the space bar; Enter asks what it is" });
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
  const pen = state.pen ?? [0, 0]; // row and column of the pixel that the keys are at
  state.pen = pen; // also after this canvas is drawn anew, as it is while the network trains
  const turn = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const type = (event) => {
    if (event.key === "Enter") send("draw", { pixels });
    else if (event.key === " ") pixels[pen[0] * wide + pen[1]] = 1 - Math.round(pixels[pen[0] * wide + pen[1]]);
    else if (turn[event.key]) [high, wide].forEach((size, index) => { pen[index] = Math.max(0, Math.min(size - 1, pen[index] + turn[event.key][index])); });
    else return;
    event.preventDefault();
    event.stopPropagation(); // the arrow keys are no steps here
    show();
  };
  const show = () => {
    draw();
    context.fillStyle = "rgb(213 94 0 / 60%)";
    context.fillRect(pen[1], pen[0], 1, 1);
  };
  canvas.addEventListener("keydown", type);
  canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) show(); });
  canvas.addEventListener("blur", () => draw());
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); paint(event); }); // a stroke may end outside
  canvas.addEventListener("pointermove", paint);
  canvas.addEventListener("pointerup", () => send("draw", { pixels }));
  draw();
  return make("details", { id: "painting", open: true }, make("summary", {}, "Draw one"), canvas,
    make("div", { class: "row" }, make("button", { onclick: () => { pixels.fill(0); draw(); state.read = null; desk.drawView(); } }, "wipe"), make("span", { id: "read", role: "status" }, state.read ?? "")));
}
