// Making and changing elements.

const SVG = "http://www.w3.org/2000/svg";

export function make(name, attributes = {}, ...children) {
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

export const PRESSED = { tabindex: "0", role: "button" }; // what is clicked, or chosen with Enter or the space bar

export function onPressed(box, selector, handler) { // one listener for all that a box draws, now and later
  const pressed = (event) => {
    const one = event.target.closest(selector);
    const inner = event.target.closest("button, input");
    if (inner && inner !== one && one?.contains(inner)) return; // which acts for itself
    if (!one || (event.type === "keydown" && !["Enter", " "].includes(event.key))) return;
    if (event.type === "keydown") event.preventDefault();
    handler(one);
  };
  for (const kind of ["click", "keydown"]) box.addEventListener(kind, pressed);
}

export function short(value, digits = 3) {
  if (value === null || value === undefined) return "not finite";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-4) return value.toExponential(digits - 1).replace("e+", "e").replace("-", "−");
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

export function formula(...inner) { // MathML that the library wrote
  const box = make("span", { class: "math" });
  box.innerHTML = `<math>${inner.filter(Boolean).join("")}</math>`;
  return box;
}

export function keeping(box, draw) { // what has the focus, what is open and what is scrolled stay so through a new drawing
  const named = (one) => one.id || one.dataset?.what || one.getAttribute("aria-label") || `${one.tagName} ${one.textContent}`;
  const focused = box.contains(document.activeElement) ? named(document.activeElement) : null;
  const open = new Map([...box.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
  draw();
  for (const one of box.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = open.get(one.id);
  if (!focused) return;
  const same = [...box.querySelectorAll("button, input, select, summary, [tabindex]")].find((one) => named(one) === focused);
  (same ?? box).focus({ preventScroll: true }); // a pane itself, where what had the focus is gone
}

const SINCE = ["open", "href"]; // what an element is given after it was drawn

export function become(old, wanted) { // a drawing turns into the next one; what is the same in both stays, and with it the focus
  if (old.dataset?.drawn && old.dataset.drawn === wanted.dataset?.drawn) return; // it says so itself
  if (old.isEqualNode(wanted)) return;
  if (old.nodeType !== wanted.nodeType || old.nodeName !== wanted.nodeName || old.id !== wanted.id) { old.replaceWith(wanted); return; }
  if (old.nodeType === Node.TEXT_NODE) { if (old.data !== wanted.data) old.data = wanted.data; return; }
  for (const { name, value } of wanted.attributes) {
    if (old.getAttribute(name) === value || SINCE.includes(name)) continue;
    if (name === "style") old.style.cssText = value; // which the page's policy allows a script, and the attribute not
    else old.setAttribute(name, value);
  }
  if (old.attributes.length > wanted.attributes.length) {
    for (const name of old.getAttributeNames()) if (!wanted.hasAttribute(name) && !SINCE.includes(name)) old.removeAttribute(name);
  }
  if (!old.firstElementChild && !wanted.firstElementChild) {
    if (old.textContent !== wanted.textContent) old.textContent = wanted.textContent;
    return;
  }
  const left = new Set(old.childNodes);
  const named = new Map([...left].filter((child) => child.id).map((child) => [child.id, child]));
  const others = [...left].filter((child) => !child.id);
  const pairs = [...wanted.childNodes].map((child) => [child.id ? named.get(child.id) : others.shift(), child]);
  for (const [same] of pairs) left.delete(same);
  for (const child of left) child.remove(); // first, so that what follows them need not move
  let at = old.firstChild;
  for (const [same, child] of pairs) {
    if (same && same === at) at = at.nextSibling;
    else old.insertBefore(same ?? child, at);
    if (same) become(same, child);
  }
}
