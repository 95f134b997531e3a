// What stands below the network: the matrices that meet in a weight, and the curves of the run.

import { make, short } from "./elements.js";

const plural = (samples) => (samples === 1 ? "sample" : "samples");

export function matrices(of) { // the row of inputs.T and the column of dvalues that meet in one weight's gradient
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
      grid(`${of.source}.T, ${some(of.rows, inputs)} × ${some(of.samples, samples)} ${plural(samples)}`, of.samples, of.rows, of.inputs, (i, b) => `${of.source}[${b},${i}]`, (i) => i === row),
      signed("·", grid(`dvalues, ${some(of.samples, samples)} ${plural(samples)} × ${some(of.columns, neurons)}`, of.columns, of.samples, of.dvalues, (b, j) => `${of.layer}[${b},${j}]`, (b, j) => j === column)),
      signed("=", grid(`dweights, ${some(of.rows, inputs)} × ${some(of.columns, neurons)}`, of.columns, of.rows, of.dweights, (i, j) => `${of.parameter}[${i},${j}]`, (i, j) => i === row && j === column))),
    make("p", { class: "soft" }, `Row ${row} times column ${column}, sample by sample, added up: that is the gradient of this weight${of.samples.length < samples ? "; the samples with the largest products are shown" : ""}.`));
}

export function curves(of, measured) {
  const box = make("div", { class: "curves" });
  const whole = Object.keys(of).filter((name) => !["frame", "step"].includes(name) && !name.startsWith("gradient")); // measured beyond the batch that the page shows
  for (const [name, values] of Object.entries(of)) {
    if (name === "frame" || name === "step" || values.length < 2) continue;
    const known = values.filter((value) => value !== null);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const points = values.map((value, index) => [index, value]).filter(([, value]) => value !== null)
      .map(([index, value]) => `${(index / (values.length - 1)) * 240},${32 - 30 * ((value - low) / (high - low || 1))}`);
    if (known.length) box.append(make("div", {}, make("div", { class: "soft" }, `${name.replace("gradient of", "size of gradient,")} ${short(known.at(-1), 4)}`), make("svg", { viewBox: "0 0 240 34", role: "img", "aria-label": `${name} over the steps, now ${short(known.at(-1))}` },
      make("polyline", { points: points.join(" "), fill: "none", stroke: name.startsWith("gradient") ? "var(--backward)" : "var(--forward)", "stroke-width": 1.5 }))));
  }
  return make("details", { id: "curves", open: true }, make("summary", {}, whole.length > 1 ? `Curves; ${whole.join(" and ")} are of ${measured.toLocaleString("en")} samples` : "Curves"), box);
}
