// Pointing at a number lights all that shows it or is made of it: symbol, neuron, wire, matrix cell, term.

import { make } from "./elements.js";

const namesOf = (one) => [one?.dataset.what, ...(one?.dataset.lights ?? "").split(" ")].filter(Boolean);

export function pointingRoom(page, pixelWords) {
  let lit = []; // the names of what is pointed at

  function relight() {
    if (!lit.length && !page.querySelector(".lit")) return;
    for (const one of page.querySelectorAll("[data-what], [data-lights], .lit")) one.classList.toggle("lit", namesOf(one).some((name) => lit.includes(name)));
  }

  function light(target) {
    const one = target?.closest?.(".wire[data-what], .pixel"); // a thousand wires and pixels need no thousand titles
    if (one) one.replaceChildren(make("title", {}, one.getAttribute("aria-label") ?? (one.matches(".pixel") ? pixelWords(one.dataset.what) : one.dataset.what)));
    const names = namesOf(target?.closest?.("[data-what], [data-lights]"));
    if (names.join(" ") === lit.join(" ")) return;
    lit = names;
    relight();
  }

  for (const kind of ["pointerover", "focusin"]) page.addEventListener(kind, (event) => light(event.target));
  page.addEventListener("pointerleave", () => light(null));
  return relight;
}
