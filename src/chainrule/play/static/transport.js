// The foot of the page: back, step, train, and the slider through the recorded training.

import { keeping, make } from "./elements.js";

const UNITS = ["multiplication", "node", "layer", "batch"];

export function transportRoom(desk, page, foot) {
  const { state, send, widget } = desk;

  const scrub = make("input", { class: "scrub", type: "range", min: 0, "aria-label": "The recorded training", oninput: () => seek(Number(scrub.value)) });
  let sought = null; // the frame that was asked for and has not come yet, and the one to ask for after it
  let then = null;

  function arrived() { // a picture, or a refusal
    sought = null;
    if (then !== null) seek(then);
  }

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
      make("button", { onclick: () => go(-1), "aria-label": "One step back", title: "left arrow; before the first stop it takes the last change back" }, "◀ back"),
      make("button", { class: "first", onclick: () => go(1), "aria-label": "One step on", title: "right arrow" }, "step ▶"),
      ...(view.upstream || !desk.link.live ? [] : [make("button", { id: "train", "aria-pressed": String(view.playing), title: "p", onclick: () => send("play", { on: !view.playing }) }, view.playing ? "pause" : "train")]),
      desk.link.live ? make("label", {}, make("span", {}, "one step is one "), make("select", { "aria-label": "Size of a step", onchange: (event) => { state.unit = event.target.value; event.target.blur(); } }, ...UNITS.map((unit) => make("option", { selected: state.unit === unit }, unit)))) : ""));
  }

  const go = (way) => send("go", { unit: state.unit, way });

  page.addEventListener("keydown", (event) => {
    if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowRight") { event.preventDefault(); go(1); }
    if (event.key === "ArrowLeft") { event.preventDefault(); go(-1); }
    if (event.key === "p" && desk.link.live && state.view && !state.view.upstream) send("play", { on: !state.view.playing });
  });
  if (!widget) document.addEventListener("keydown", (event) => { if (event.target === document.body) page.dispatchEvent(new KeyboardEvent("keydown", event)); });

  return { drawFoot, arrived };
}
