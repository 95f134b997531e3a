// The page of chainrule play: it draws what the session tells and sends what the reader asks for. It computes nothing
// that stands on it but places and lengths. These rooms are joined into one module, which is the browser tab, the
// notebook widget and the offline file.

import { curves, matrices } from "./beside.js";
import { dataRoom } from "./data.js";
import { become, keeping, make, onPressed, short } from "./elements.js";
import { fits, recordedLink, socketLink } from "./links.js";
import { networkRoom } from "./network.js";
import { pointingRoom } from "./pointing.js";
import { transportRoom } from "./transport.js";
import { whyRoom } from "./why.js";

const NONE = { why: null, curve: null, report: null, data: null, read: null, guess: null, painted: null, pen: null, linked: null };

export function mount(root, connect, { widget = false } = {}) {
  const state = { view: null, mode: "weight", unit: "node", predicts: false, opened: false, changes: 0, ...NONE };
  const told = {};
  const page = make("div", { class: widget ? "cr-play widget" : "cr-play" });
  const title = make("h1", {}, make("span", {}, "chainrule "), "play");
  const lessons = make("nav", { class: "lessons", "aria-label": "Lessons" });
  const problem = make("div", { class: "problem", role: "alert" });
  const drawn = make("div");
  const dataPane = make("section", { class: "pane data", "aria-label": "Data", tabindex: "0" });
  const netPane = make(widget ? "section" : "main", { class: "pane net", "aria-label": "Network", tabindex: "0" }, problem, drawn);
  const whyPane = make("section", { class: "pane why", "aria-label": "Why", tabindex: "0" });
  const beneath = make("div", { class: "brief" });
  const foot = make("footer", { "aria-label": "Transport" }, beneath);
  const spoken = make("div", { class: "spoken", "aria-live": "polite", role: "status" });
  page.append(make("header", {}, title, lessons), dataPane, netPane, whyPane, foot, spoken);
  root.classList.add("cr-room"); // whose width decides how the panes lie
  root.replaceChildren(page);

  // What the rooms share

  const notice = (words, waits = false) => {
    if (problem.textContent !== words) problem.textContent = words;
    problem.classList.toggle("waits", waits);
  };
  const desk = {
    state, widget,
    link: { live: true },
    send: (type, fields = {}) => { if (desk.link.send({ type, ...fields })) notice(""); },
    say: (words) => { spoken.textContent = words; },
    problem: (words) => notice(words),
    wait: (words) => { if (!problem.textContent) notice(words, true); },
    place: () => {
      const { batch, sample } = state.view;
      const rows = batch.rows.filter((row) => !batch.removed.includes(row));
      return Math.max(0, rows.indexOf(sample.row));
    },
    hides: () => { // the number that the reader is to say first: the value on the way forward, else the gradient
      if (!state.predicts || state.opened || !state.why) return null;
      return state.why.phase === "forward" ? "value" : "gradient";
    },
    choose: (what) => { // the answer is drawn before the next picture of what trains
      asked = true;
      clearTimeout(patience);
      patience = setTimeout(answered, 500);
      desk.send("choose", { what, notation: state.view.notation });
    },
    drawView: () => drawView(),
    relight: () => relight(),
  };
  const { send, say, choose } = desk;
  const { network, mapOf, pixelWords, forget } = networkRoom(desk);
  const relight = pointingRoom(page, pixelWords);
  const { drawWhy, outlive } = whyRoom(desk, whyPane);
  const { drawData } = dataRoom(desk, dataPane);
  const { drawFoot, arrived } = transportRoom(desk, page, foot);
  onPressed(netPane, ":is(svg, .matrices) [data-what]", (one) => choose(one.dataset.what));
  onPressed(dataPane, "tr[data-place]", (one) => send("sample", { place: Number(one.dataset.place) }));

  // The middle

  function drawNetwork() {
    const predicted = state.view.network.nodes.some((node) => node.units.some((unit) => unit.notes.some((note) => note.startsWith("p "))));
    const modes = make("div", { class: "row" }, make("span", { class: "soft" }, "Wires show"),
      ...["weight", "gradient", "update"].map((mode) => make("button", { "aria-pressed": String(state.mode === mode), onclick: () => { state.mode = mode; drawNetwork(); } }, mode)),
      make("span", { class: "legend" }, make("span", {}, "blue: above 0"), make("span", {}, "orange, broken: below 0"), make("span", {}, "∂ gradient"), state.view.upstream ? null : make("span", {}, "ℓ: this sample's loss"), predicted ? make("span", {}, "p: predicted probability") : null,
        state.data?.surface?.maps ? make("span", {}, "small pictures: what a neuron says all over the plane") : null));
    const { view, why } = state;
    const lesson = view.lessons.find((one) => one.name === view.lesson);
    const head = make("h2", {}, `${view.title} · ${view.upstream ? "a gradient arrives from the right" : `loss ${short(view.network.loss, 5)}`} · step ${view.step}${view.broken ? " · broken on purpose" : ""}`);
    become(drawn, make("div", {}, head, lesson && desk.link.live ? brief(lesson) : null, standing(), make("div", { class: "drawing" }, network()), modes,
      why?.matrix && !desk.hides() ? matrices(why.matrix) : null,
      state.report ? make("details", { id: "report", open: true }, make("summary", {}, "What check says of the broken layer"), make("pre", { tabindex: "0" }, state.report)) : null,
      view.frames.count > 1 ? curves(view.frames.curves, view.measured) : null));
    for (const one of drawn.querySelectorAll("[data-map]")) {
      const map = mapOf(...one.dataset.map.split(" "));
      if (one.getAttribute("href") !== map) one.setAttribute("href", map);
    }
    desk.relight();
    follow();
  }

  let followed = ""; // the stop that a narrow page has been scrolled to

  function follow() { // a step is seen, also where the drawing is wider than the page
    const at = state.view.walk.position;
    const box = drawn.querySelector(".drawing");
    const now = box.querySelector(".unit.now");
    if (`${at}` === followed || !now) return;
    followed = `${at}`;
    const [unit, seen] = [now.getBoundingClientRect(), box.getBoundingClientRect()];
    if (unit.left < seen.left || unit.right > seen.right) box.scrollLeft += unit.left - seen.left - (seen.width - unit.width) / 2;
  }

  function brief(lesson) { // of the left pane, which lies far below on a phone
    const { reached, lessons: known } = state.view;
    const next = known[known.indexOf(lesson) + 1];
    return make("p", { class: reached ? "brief reached" : "brief" }, make("strong", {}, reached ? "Reached: " : "Your goal: "), `${lesson.goal} `,
      reached && next ? make("button", { onclick: () => send("lesson", { name: next.name }) }, `Next: ${next.title}`) : null);
  }

  function summary() { // of the right pane, likewise
    const { why } = state;
    if (!why) { beneath.replaceChildren(); return; }
    const words = desk.hides() ? "predict it" : why.phase === "forward" ? `value ${short(why.value)}` : `gradient ${short(why.gradient)}`;
    const says = `${why.title}: ${words} · why ↓`;
    if (beneath.textContent !== says) beneath.replaceChildren(make("button", { onclick: () => whyPane.scrollIntoView({ block: "start" }) }, says));
  }

  function standing() { // what to do, or where the walk is
    const { walk, playing, upstream } = state.view;
    const { moment } = walk;
    if (playing) return make("p", { class: "stand" }, "Training. Click any wire or neuron meanwhile: its gradient is derived on the right.");
    if (!desk.link.live && !moment) return make("p", { class: "stand" }, make("strong", {}, "Press step ▶ or the → key"), " to go through the recorded training, or draw the slider. Click any wire or number to see its gradient derived.");
    if (!moment) {
      const train = upstream ? "" : ", or press train";
      return make("p", { class: "stand" }, make("strong", {}, "Press step ▶ or the → key"), ` to go through one training step${train}. Click any wire or number to see its gradient derived.`);
    }
    const phases = { forward: "Forward", loss: "Loss", backward: "Backward", update: "Update" };
    const unit = moment.unit === null || moment.phase === "loss" ? "" : `, ${moment.node === "inputs" ? "input" : "neuron"} ${called(moment)}`;
    return make("p", { class: `stand phase-${moment.phase}`, id: "stand" }, make("strong", {}, phases[moment.phase]), `${moment.phase === "loss" ? "" : ` · ${moment.node}`}${unit} · stop ${walk.position + 1} of ${walk.stops}`);
  }

  function called({ node, unit }) { // a neuron by its name, or its number
    const caption = state.view.network.nodes.find((one) => one.name === node)?.units.find((one) => one.unit === unit)?.caption ?? "[";
    return caption.startsWith("[") ? unit : caption;
  }

  function drawLessons() {
    const { lessons: known, lesson } = state.view;
    if (lessons.dataset.at === `${lesson}` && lessons.children.length === known.length) return;
    lessons.dataset.at = `${lesson}`;
    keeping(lessons, () => lessons.replaceChildren(...known.map((one) => make("button", { "aria-current": String(one.name === lesson), disabled: !desk.link.live, onclick: () => send("lesson", { name: one.name }) }, one.title))));
    const current = lessons.querySelector("[aria-current=true]");
    if (current) lessons.scrollLeft = current.offsetLeft - lessons.offsetLeft - 40;
  }

  // What is told

  let held = false; // a button that vanished between press and release would not be clicked
  let asked = false; // a derivation, which is on its way
  let patience = null;
  let waits = false;
  const calm = (draw) => { // one drawing for all that arrives together; at once, for waiting for the next frame costs pictures
    let planned = false;
    const later = () => {
      if (held || asked) { waits = true; return; }
      if (!planned) { planned = true; setTimeout(() => { planned = false; if (held || asked) waits = true; else draw(); }); }
    };
    return later;
  };
  const catchUp = () => { if (waits && !held && !asked) { waits = false; drawView(); } };
  const answered = () => { asked = false; clearTimeout(patience); catchUp(); };
  page.addEventListener("pointerdown", () => { held = true; });
  for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => { setTimeout(() => { held = false; catchUp(); }, 0); });
  const drawView = calm(() => {
    if (!state.view) return;
    drawLessons();
    drawNetwork();
    drawFoot();
    summary();
    outlive();
    const writing = document.activeElement.closest("form");
    if (!dataPane.contains(writing) || document.activeElement.matches("form.controls > button")) drawData();
  });

  told.session = ({ name }) => {
    notice("");
    const again = sessionStorage.getItem("chainrule") === name;
    sessionStorage.setItem("chainrule", name);
    if (!again || location.hash !== sessionStorage.getItem("chainrule-link")) openLink(); // the session is further than its own link
  };
  const openLink = () => { // what stands behind the # of the address, once
    if (location.hash.length < 2) return;
    const text = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
    try {
      desk.link.send({ ...JSON.parse(decodeURIComponent(text)), type: "open" });
    } catch { notice("This link holds no state of the page: copy it whole, from http to its end."); }
  };
  if (!widget) window.addEventListener("hashchange", () => { if (desk.link.live) openLink(); });
  told.link = async ({ fragment, says }) => {
    history.replaceState(null, "", `#${fragment}`);
    sessionStorage.setItem("chainrule-link", location.hash);
    const copied = await navigator.clipboard?.writeText(location.href).then(() => ", and copied", () => "") ?? "";
    state.linked = `It is in the address bar${copied}. ${says}`;
    drawView();
  };
  told.view = (view) => {
    const moment = view.walk.moment;
    if (state.view && (state.view.lesson !== view.lesson || state.view.title !== view.title)) {
      Object.assign(state, NONE);
      drawWhy();
    }
    state.view = view;
    arrived();
    if (moment && view.walk.position >= 0 && !view.playing) say(`${moment.phase}, ${moment.node}${moment.unit === null ? "" : `, unit ${moment.unit}`}`);
    drawView();
  };
  told.data = (data) => { state.data = data; state.changes += 1; forget(); drawView(); };
  told.surface = ({ surface }) => { if (state.data) { state.data.surface = surface; state.changes += 1; forget(); drawView(); } };
  told.why = (why) => {
    if (state.why?.of !== why.of || state.why.phase !== why.phase || state.why.term !== why.term) state.opened = false;
    state.why = why;
    state.guess = null;
    if (state.view) state.view.chosen = why.of;
    drawWhy();
    answered();
    drawView();
    say(`${why.title}: ${desk.hides() ? `predict its ${desk.hides()}` : why.phase === "forward" ? `value ${short(why.value)}` : `gradient ${short(why.gradient)}`}`);
  };
  told.proof = ({ witnesses }) => {
    const judged = witnesses.filter((one) => one.agrees !== null);
    const agree = judged.filter((one) => one.agrees).length;
    const slot = whyPane.querySelector("#proof");
    if (slot) slot.textContent = agree === judged.length ? `✓ ${agree} ways agree` : witnesses.map((one) => `${one.name}: ${one.agrees ? "agrees" : "does not agree"}`).join("; ");
  };
  told.curve = (curve) => { state.curve = curve; drawWhy(); };
  told.nudged = ({ predicted, measured }) => { const slot = whyPane.querySelector("#nudged"); if (slot) slot.textContent = `predicted ${short(predicted, 5)}, measured ${short(measured, 5)}`; };
  told.guessed = ({ close, says }) => { state.guess = says; if (close) state.opened = true; drawWhy(); drawView(); say(says); };
  told.reached = ({ reached }) => { if (state.view && state.view.reached !== reached) { state.view.reached = reached; drawView(); } };
  told.read = ({ chances, classes }) => {
    const best = chances.indexOf(Math.max(...chances));
    const { target } = state.view.sample;
    state.read = `The network reads ${classes[best] ?? best} (${Math.round(100 * chances[best])} %). The target is still ${classes[target] ?? target}, of the sample whose place it took.`;
    drawView();
  };
  told.checked = ({ report }) => {
    state.report = report;
    drawNetwork();
    drawn.querySelector("#report")?.scrollIntoView({ block: "nearest" });
  };
  told.taken = ({ name, kind, content }) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const url = URL.createObjectURL(new Blob([bytes], { type: kind }));
    make("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  };
  told.problem = ({ says }) => { notice(says); arrived(); answered(); };
  desk.link = connect((message) => {
    if (!fits(message)) { notice("This page and its server are not of one version: reload the page."); return; }
    if (problem.classList.contains("waits") && ["data", "problem", "taken", "view"].includes(message.type)) notice("");
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
      return { send: (message) => { model.send(message); return true; }, live: true };
    }, { widget: true });
    return () => page.remove();
  },
};

const here = document.getElementById("play");
if (here) {
  const record = document.getElementById("recorded");
  mount(here, record ? (receive) => recordedLink(record.textContent, receive) : socketLink);
}
