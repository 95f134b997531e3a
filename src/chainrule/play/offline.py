"""The recorded run as one HTML file: the page, its script and its style, and the answers that it can give by itself."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from importlib.resources import files
from typing import Any

import numpy as np

from ..errors import ChainruleError
from .script import script
from .telling import told

__all__ = ["page", "recorded"]

_FRAMES = 60
_MOST = 200  # derivations at the last step, those of the largest gradients first, and at all others together
_LINES = 600  # of which each has about as many as the network has nodes


def recorded(session: Any) -> dict[str, Any]:
    """What the page shows for each of up to 60 frames, each with the derivations of what matters most there."""
    work = session.work
    frames, here = work.frames, work.frames.position
    chosen = [int(i) for i in np.unique(np.linspace(0, len(frames) - 1, min(_FRAMES, len(frames))).round())]
    whole = [*chosen, here] if session.walk.position >= 0 or here != chosen[-1] else chosen
    most = min(_MOST, _LINES // len(list(work.model.network.flat)))
    views, whys = [], []
    for index in whole:
        frames.show(index)
        views.append(session.view())
        whys.append(
            _whys(session, views[-1]["network"], most if len(views) == len(whole) else max(1, most // len(whole)))
        )
    frames.show(here)
    return {"views": views, "data": work.data(), "whys": whys}


def _whys(session: Any, network: dict[str, Any], most: int) -> dict[str, Any]:
    found, shot = {}, session.snapshot()
    for name in list(_drawn(session, network))[:most]:
        try:
            explanation = shot.explain(name, parts=("step",))
        except ChainruleError:
            continue
        found[name] = {"phase": None, "here": [], "term": None, **told(explanation, session.notation, shot)}
    return found


def _drawn(session: Any, network: dict[str, Any]) -> Any:
    """The names of all that can be clicked: units first, then weights by the size of their gradient."""
    place = session.work.place()
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
    style, body = ((static / name).read_text(encoding="utf-8") for name in ("play.css", "index.html"))
    module = script().replace("</script", "<\\/script")
    record = json.dumps(recorded(session), allow_nan=False, separators=(",", ":")).encode()
    data = base64.b64encode(gzip.compress(record, 6, mtime=0)).decode()
    policy = (
        f"default-src 'none'; script-src {_hash(module)}; style-src {_hash(style)}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    inside = body.replace(
        '<link rel="stylesheet" href="/static/play.css">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>',
    )
    return inside.replace(
        '<script type="module" src="/static/play.js"></script>',
        f'<script type="text/plain" id="recorded">{data}</script><script type="module">{module}</script>',
    )


def _hash(text: str) -> str:
    """By which a policy lets this script or style through, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
