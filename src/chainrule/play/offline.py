"""The recorded run as one HTML file: the page, its script and its style, and the answers that it can give by itself."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np

from ..errors import ChainruleError
from .telling import told

__all__ = ["page", "recorded"]

_FRAMES = 60
_WHYS = 400  # derivations, those of the largest gradients first


def recorded(session: Any) -> dict[str, Any]:
    """What the page shows for each of up to 60 frames, and the derivations of what is drawn at the last."""
    frames, here = session.frames, session.frames.position
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(_FRAMES, len(frames))).round().astype(int))
    views = []
    for index in chosen:
        frames.show(int(index))
        views.append({**session._state(), "network": session._network()})
    frames.show(here)
    views.append({**session._state(), "network": session._network()})
    return {"views": views, "data": session.data_message(), "whys": _whys(session, views[-1]["network"])}


def _whys(session: Any, network: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name in list(_drawn(session, network))[:_WHYS]:
        try:
            explanation = session._explained(name, parts=("step",))
        except ChainruleError:
            continue
        found[name] = {"phase": None, "here": [], "term": None, **told(explanation, session.notation)}
    return found


def _drawn(session: Any, network: dict[str, Any]) -> Any:
    """The names of all that can be clicked: units first, then weights by the size of their gradient."""
    place = session.rows.index(session.sample_row())
    for node in network["nodes"]:
        if node["kind"] or node["name"] == "inputs":
            yield from (f"{node['name']}[{place},{unit['unit']}]" for unit in node["units"] if node["name"] != "loss")
    weights = []
    for wire in network["wires"]:
        for i, source in enumerate(wire["sources"]):
            for j, reader in enumerate(wire["readers"]):
                if "parameter" in wire and wire["gradient"] is not None:
                    weights.append((-abs(wire["gradient"][i][j] or 0.0), f"{wire['parameter']}[{source},{reader}]"))
    yield from (name for _, name in sorted(weights))


def page(session: Any) -> str:
    """The file. Nothing in it asks the network for anything."""
    static = files(__package__) / "static"
    style, script, body = (
        (static / name).read_text(encoding="utf-8") for name in ("play.css", "play.js", "index.html")
    )
    script = script.replace("</script", "<\\/script")
    data = json.dumps(recorded(session), allow_nan=False, separators=(",", ":")).replace("</", "<\\/")
    inside = body.replace('<link rel="stylesheet" href="/static/play.css">', f"<style>{style}</style>")
    return inside.replace(
        '<script type="module" src="/static/play.js"></script>',
        f'<script type="application/json" id="recorded">{data}</script><script type="module">{script}</script>',
    )
