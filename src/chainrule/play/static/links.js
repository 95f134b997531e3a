// Where messages go and come from: a WebSocket, a notebook's widget, or a record; and what they may be.

const TOLD = {
  "checked": ["how", "report"],
  "curve": ["of", "points", "at", "slope"],
  "data": ["kind", "rows", "features", "classes", "scaled", "X", "y", "shape?", "surface"],
  "guessed": ["of", "guess", "right", "close", "says"],
  "link": ["fragment", "says"],
  "nudged": ["of", "by", "predicted", "measured"],
  "problem": ["says"],
  "proof": ["of", "witnesses"],
  "reached": ["reached"],
  "read": ["chances", "classes"],
  "session": ["name"],
  "surface": ["surface"],
  "taken": ["name", "kind", "content"],
  "view": [
    "title", "lesson", "lessons", "reached", "sample", "batch", "chosen", "notation", "walk", "frames", "step",
    "epoch", "measured", "broken", "controls", "upstream", "playing", "network"],
  "why": [
    "of", "title", "kind", "value", "gradient", "loss", "samples", "answer", "notes", "notation", "steps", "update",
    "phase", "here", "term", "step?", "strip?", "matrix?"]
};

const CLOSED = {
  1009: "That was more than the page takes in one message.",
  4429: "Too many tabs are open on this page; close one and reload.",
};
const GONE = "chainrule play is not running any more. Start it again and open the new address that it prints; what this page shows stays until it is closed.";

export function fits(message) { // whether a message has the fields of its kind
  const fields = Object.hasOwn(TOLD, message.type ?? "") ? TOLD[message.type] : null;
  return Boolean(fields) && fields.every((name) => name.endsWith("?") || name in message);
}

export function socketLink(receive) {
  let socket = null;
  let waiting = 250;
  const send = (message) => {
    if (socket?.readyState !== 1) return false;
    socket.send(JSON.stringify(message));
    return true;
  };
  const open = () => {
    socket = new WebSocket(`ws://${location.host}/ws`);
    socket.onopen = () => {
      waiting = 250;
      socket.send(JSON.stringify({ type: "hello", session: sessionStorage.getItem("chainrule") ?? "" }));
    };
    socket.onmessage = (event) => receive(JSON.parse(event.data));
    socket.onclose = (event) => {
      receive({ type: "problem", says: CLOSED[event.code] ?? GONE });
      waiting = Math.min(waiting * 2, 5000);
      setTimeout(open, waiting);
    };
  };
  open();
  return { send, live: true };
}

async function unpacked(text) { // a record, as JSON in gzip in base64
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

export function recordedLink(text, receive) {
  let [record, at] = [null, 0];
  const show = () => receive({ type: "view", ...record.views[at], recorded: { position: at, count: record.views.length } });
  const asked = {
    seek: ({ frame }) => { at = frame; show(); },
    go: ({ way }) => { at = Math.max(0, Math.min(record.views.length - 1, at + way)); show(); },
    choose: ({ what }) => receive(record.whys[at][what] ? { type: "why", ...record.whys[at][what] }
      : { type: "problem", says: "This one was not recorded at this step: choose a stronger wire, a neuron, or the last step." }),
  };
  const send = (message) => {
    if (record && asked[message.type]) asked[message.type](message);
    else if (record) receive({ type: "problem", says: "This is a recording: step, scrub and click work; for all else run chainrule play." });
    return Boolean(record);
  };
  unpacked(text).then((found) => {
    [record, at] = [found, found.views.length - 1];
    show();
    receive({ type: "data", ...record.data });
  }).catch(() => receive({ type: "problem", says: "This browser cannot unpack the recording; open the file in a newer one." }));
  return { send, live: false };
}
