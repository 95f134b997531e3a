"""How fast the page of `chainrule play` answers, in a real browser: clicks while a network trains, pictures, scrubbing.

    python benchmarks/play.py [--clicks 40] [--network both]

A click is timed in the page, from the event to the derivation on the right, on weights chosen one after another.
"""

from __future__ import annotations

import argparse
import shutil
import threading
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from chainrule import Adam, Model, SoftmaxCrossentropy, datasets
from chainrule.play.lessons import Setup
from chainrule.play.rooms import Rooms
from chainrule.play.server import serve
from chainrule.play.session import PlaySession
from chainrule.recipe import dense_network

FRAMES = 10_000

CLICK = """(number) => new Promise((done) => {
    const pane = document.querySelector(".why");
    const wires = [...document.querySelectorAll(".wire[data-what]")];
    const wire = wires[(number * 7) % wires.length];
    const before = pane.querySelector("#gradient");
    const watch = new MutationObserver(() => {
        const after = pane.querySelector("#gradient");
        if (after && after !== before) { watch.disconnect(); done(performance.now() - start); } });
    watch.observe(pane, { childList: true, subtree: true });
    const start = performance.now();
    wire.dispatchEvent(new Event("click", { bubbles: true })); })"""

PICTURES = """(seconds) => new Promise((done) => {
    const step = () => document.querySelector(".net h2").textContent;
    let [last, seen] = [step(), 0];
    const start = performance.now();
    const look = () => {
        if (step() !== last) { last = step(); seen += 1; }
        if (performance.now() - start > 1000 * seconds) done(seen / seconds);
        else requestAnimationFrame(look); };
    requestAnimationFrame(look); })"""

SCRUB = """(moves) => new Promise((done) => {
    const slider = document.querySelector(".scrub");
    const most = Number(slider.max);
    const gaps = [];
    let [moved, last] = [0, performance.now()];
    const move = () => {
        gaps.push(performance.now() - last);
        last = performance.now();
        if (moved === moves) {
            const end = performance.now();
            const wait = () => document.querySelector("footer .soft").textContent.startsWith(`recorded ${most + 1} `)
                ? done({ gaps: gaps.slice(1), after: performance.now() - end }) : setTimeout(wait, 1);
            wait();
            return; }
        moved += 1;
        slider.value = Math.round((most * moved) / moves);
        slider.dispatchEvent(new Event("input"));
        requestAnimationFrame(move); };
    requestAnimationFrame(move); })"""


def spiral() -> Setup:
    X, y = datasets.spiral(samples=100, classes=3)
    model = Model(dense_network([2, 64, 3]), SoftmaxCrossentropy(), Adam(0.02), dtype="float64")
    return Setup("2-64-3, 300 samples", model, np.asarray(X, dtype=np.float64), y)


def pictures() -> Setup:
    random = np.random.default_rng(0)
    X, y = random.random((2000, 784)), random.integers(0, 10, 2000)
    model = Model(dense_network([784, 128, 128, 10]), SoftmaxCrossentropy(), Adam(0.001), dtype="float64")
    return Setup("784-128-128-10, 2,000 samples", model, X, y, samples=64)


def record(session: PlaySession, frames: int) -> None:
    """So many steps of a run, each kept."""
    work = session.work
    while len(work.frames) < frames:
        work.frames.keep(work.frames.now.measured)


def clicks(page: Any, count: int) -> str:
    page.evaluate(CLICK, 0)  # the first one reads formulas
    took = np.array([page.evaluate(CLICK, number) for number in range(1, count + 1)])
    return (
        f"median {np.median(took):.0f} ms, 95th percentile {np.percentile(took, 95):.0f} ms, longest {took.max():.0f}"
    )


def measured(browser: Any, setup: Setup, count: int, scrub: bool) -> None:
    sessions, told, ready = list[PlaySession](), list[str](), threading.Event()

    def opened(_: Any, send: Any) -> PlaySession:
        sessions.append(PlaySession(setup, send))
        return sessions[-1]

    def answer(address: str) -> None:
        told.append(address)
        ready.set()

    threading.Thread(target=lambda: serve(Rooms(opened), ready=answer), daemon=True).start()
    ready.wait(60)
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    page = context.new_page()
    page.goto(told[0])
    page.locator(".unit").first.wait_for()
    print(f"{setup.title}\n  click, at rest: {clicks(page, count)}")
    page.get_by_role("button", name="train", exact=True).click()
    page.get_by_role("button", name="pause", exact=True).wait_for()
    print(f"  pictures while it trains: {page.evaluate(PICTURES, 5):.0f} a second")
    print(f"  click while it trains: {clicks(page, count)}")
    page.get_by_role("button", name="pause", exact=True).click()
    page.get_by_role("button", name="train", exact=True).wait_for()
    if scrub:
        record(sessions[-1], FRAMES)
        page.get_by_label("One step on").click()
        page.locator("#stand").wait_for()
        found = page.evaluate(SCRUB, 300)
        gaps = np.array(found["gaps"])
        print(
            f"  scrubbing {len(sessions[-1].work.frames):,} steps: the page draws every {np.median(gaps):.0f} ms, the "
            f"longest pause {gaps.max():.0f} ms; the last frame stands {found['after']:.0f} ms after the hand"
        )
    context.close()
    sessions[-1].close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", type=int, default=40)
    parser.add_argument("--network", choices=("small", "large", "both"), default="both")
    chosen = parser.parse_args()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if chosen.network != "large":
            measured(browser, spiral(), chosen.clicks, scrub=True)
        if chosen.network != "small":
            measured(browser, pictures(), chosen.clicks, scrub=False)
        browser.close()


if __name__ == "__main__":
    main()
