// What the reader chooses: data and network, a way to break it, and what to take away.

import { make } from "./elements.js";

export function choicesRoom(desk) {
  const { state, send } = desk;

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
      form.querySelector("button").focus(); // which has it again when the fields are drawn anew
      const asked = {};
      for (const [name, , input] of fields) asked[name] = name === "sizes" ? input.value.split(/[ ,]+/).filter(Boolean).map(Number) : input.type === "number" ? Number(input.value) : input.value;
      send("controls", asked);
    } }, ...fields.map(([, words, input]) => make("label", {}, words, input)), make("button", {}, "Begin anew"));
    const known = make("select", { "aria-label": "Data set", onchange: () => { known.blur(); send("dataset", { name: known.value }); } },
      ...(now.data ? [] : [make("option", { value: "", selected: true, disabled: true }, state.view.lesson && now.fixed ? "this lesson's" : state.view.title)]), ...now.datasets.map((one) => make("option", { selected: one === now.data }, one)));
    return make("details", { id: "controls" }, make("summary", {}, "Data, network and training"),
      make("div", { class: "controls" }, make("label", {}, "data set", known), file()), form, make("p", { class: "soft" }, caps(now.caps)));
  }

  const caps = ({ parameters, layers, neurons, epochs, bytes }) => `At most ${layers} layers of ${neurons.toLocaleString("en")} neurons and `
    + `${parameters.toLocaleString("en")} parameters; a run ends after ${epochs.toLocaleString("en")} epochs; a table has at most ${bytes / 2 ** 20} MB.`;

  function file() { // the reader's own table, which goes to the process on this machine and no further
    const box = make("input", { type: "file", accept: ".csv,.tsv,.txt,.xlsx,.parquet,.gz", "aria-label": "A CSV file of your own", onchange: async () => {
      const [one] = box.files;
      box.blur();
      const most = state.view.controls.caps.bytes;
      if (!one) return;
      if (one.size > most) { desk.problem(`${one.name} has ${(one.size / 2 ** 20).toFixed(1)} MB, and the page takes ${most / 2 ** 20} MB: take a part of its rows, or train with chainrule train.`); return; }
      const url = await new Promise((done) => { const reader = new FileReader(); reader.onload = () => done(reader.result); reader.readAsDataURL(one); });
      send("table", { name: one.name.slice(0, 200), content: url.slice(url.indexOf(",") + 1) });
      desk.wait(`Reading ${one.name} …`);
    } });
    const { data, fixed } = state.view.controls;
    return make("label", { class: "file" }, data || fixed ? "A table of your own (CSV): " : `${state.view.title} is open. Another (CSV): `, box);
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
      ...Object.entries(kinds).map(([what, words]) => make("button", { onclick: () => { send("take", { what }); desk.wait(`Writing the ${words} …`); } }, words)),
      ...(desk.widget ? [] : [make("button", { onclick: () => send("link") }, "link")])), make("p", { class: "soft", role: "status" }, state.linked ?? ""));
  }

  return { controls, file, breaking, takeaway };
}
