// The left pane: the lesson, the data, and the samples of the batch.

import { choicesRoom } from "./choices.js";
import { keeping, make, short } from "./elements.js";
import { images, painting, plane } from "./pictures.js";

export function dataRoom(desk, dataPane) {
  const { state, send } = desk;
  const choices = choicesRoom(desk);

  let stands = ""; // all that the left pane depends on, as it was drawn last

  function drawData() {
    const { data, view } = state;
    if (!data || !view) return;
    const depends = JSON.stringify([view.lesson, view.title, view.reached, view.sample, view.batch, view.controls, view.broken, state.changes, state.read, state.linked]);
    if (depends === stands) return;
    stands = depends;
    const parts = [];
    const lesson = view.lessons.find((one) => one.name === view.lesson);
    if (lesson) parts.push(make("p", {}, lesson.text), desk.link.live ? goal(lesson) : "");
    if (view.lesson === "table" && desk.link.live) parts.push(choices.file());
    if (data.kind === "points") parts.push(plane(desk));
    else if (data.kind === "images") parts.push(images(desk), desk.link.live ? painting(desk) : "");
    else parts.push(table());
    if (desk.link.live && view.batch.rows.length > 1) parts.push(samples());
    if (desk.link.live) parts.push(choices.controls(), choices.breaking(), choices.takeaway());
    keeping(dataPane, () => dataPane.replaceChildren(...parts));
  }

  function goal(lesson) {
    const { lessons: known, reached } = state.view;
    const next = known[known.indexOf(lesson) + 1];
    return make("div", { class: reached ? "goal reached" : "goal" }, make("strong", {}, reached ? "Reached: " : "Your goal: "), lesson.goal,
      reached && next && desk.link.live ? make("div", { class: "row" }, make("button", { onclick: () => send("lesson", { name: next.name }) }, `Next: ${next.title}`)) : null,
      reached && !next ? make("p", {}, "That was the last lesson. Take it away, below, keeps the network that you have trained.") : null);
  }

  function table() {
    const { data, view } = state;
    const names = data.features.length ? data.features : data.X[0].map((_, index) => `x${index}`);
    const some = names.slice(0, 8);
    const rest = [...(names.length > 8 ? [`${names.length - 8} more columns`] : []), ...(data.rows.length > 12 ? ["more rows"] : [])];
    const first = Math.max(0, Math.min(data.rows.indexOf(view.sample.row) - 5, data.rows.length - 12));
    const cell = (name, value, chosen) => { // a number that is changed by a click where its row is chosen, or by two
      const open = desk.link.live && !name.includes("[-1,"); // a sample that is taken out has no number of its own
      const shown = chosen && open ? make("button", { class: "cell", "aria-label": `Change ${name}, now ${short(value)}`, onclick: (event) => { event.stopPropagation(); edit(name, value); } }, short(value)) : short(value);
      const made = make("td", { class: name.startsWith("targets") && view.upstream ? "number arriving" : "number" }, shown);
      if (open) made.addEventListener("dblclick", () => edit(name, value));
      return made;
    };
    const rows = data.rows.slice(first, first + 12).map((row, place) => {
      const index = first + place;
      const at = view.batch.rows.indexOf(row);
      const chosen = view.sample.row === row;
      const counted = view.batch.rows.filter((one) => !view.batch.removed.includes(one)).indexOf(row);
      const targets = Array.isArray(data.y[index]) ? data.y[index].map((value, column) => cell(`targets[${counted},${column}]`, value, chosen)) : [make("td", {}, data.classes[data.y[index]] ?? short(data.y[index]))];
      const inputs = data.X[index].slice(0, 8).map((value, column) => cell(`inputs[${counted},${column}]`, value, chosen));
      return make("tr", { "aria-selected": String(chosen), "data-place": at, tabindex: "0" }, ...(view.upstream ? [...inputs, ...targets] : [...targets, ...inputs])); // a long table hides its end
    });
    return make("div", {}, make("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "The table" }, make("table", {}, make("thead", {}, make("tr", {}, view.upstream ? null : make("th", { colspan: Array.isArray(data.y[0]) ? data.y[0].length : 1 }, "target"), ...some.map((name) => make("th", {}, name)), view.upstream ? make("th", { colspan: data.y[0].length }, "∂ arriving") : null)), make("tbody", {}, ...rows))),
      make("p", { class: "soft" }, rest.length ? `And ${rest.join(", ")}. ` : "", data.scaled ? "Each column is scaled: 0 is its mean. " : "", desk.link.live ? "Click a number of the chosen row to change it." : ""));
  }

  function edit(what, value) {
    const input = make("input", { type: "number", step: "any", value, "aria-label": `New value of ${what}` });
    dataPane.querySelector("#edited")?.remove();
    const form = make("form", { class: "row", id: "edited", onkeydown: (event) => { if (event.key === "Escape") form.remove(); }, onsubmit: (event) => { event.preventDefault(); form.remove(); if (input.value !== "") send("set", { what, value: Number(input.value) }); } }, what, input, make("button", {}, "set"));
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

  return { drawData };
}
