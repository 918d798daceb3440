"""The page that shows an observed pipeline: one file with everything in it; ``%STATE%`` is what it shows first."""

from __future__ import annotations

from typing import Final

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>pipeline</title>
<style>
  :root { --busy: #d64545; --blocked: #e0a526; --starved: #c9ced6; --ink: #1d2733; --soft: #66707d; --paper: #f7f8fa }
  @media (prefers-color-scheme: dark) {
    :root { --busy: #e25c5c; --blocked: #d9a83a; --starved: #4a525e; --ink: #e8ecf1; --soft: #9aa4b1; --paper: #171b21 }
  }
  body { margin: 0; padding: 1.2rem; background: var(--paper); color: var(--ink); font: 15px/1.4 system-ui, sans-serif }
  h1 { margin: 0; font-size: 1.3rem }
  p { margin: .2rem 0 1rem; color: var(--soft) }
  #verdict { color: var(--busy); font-weight: 600 }
  svg { display: block; max-width: 100%; height: auto }
  text { fill: var(--ink); font-size: 13px } text.soft { fill: var(--soft); font-size: 11px }
  .name { font-weight: 600; font-size: 14px }
  .box { fill: none; stroke: var(--soft); stroke-width: 1 }
  .bottleneck .box { stroke: var(--busy); stroke-width: 4 }
  .busy { fill: var(--busy) } .blocked { fill: var(--blocked) } .starved { fill: var(--starved) }
  .pipe { fill: none; stroke: var(--starved); stroke-width: 10 }
  .filling { fill: none; stroke: var(--blocked); stroke-width: 10 }
  .spark { fill: none; stroke: var(--ink); stroke-width: 1.5 }
  .legend span { margin-right: 1rem } .legend i { display: inline-block; width: .8em; height: .8em; margin-right: .3em }
</style>
</head>
<body>
<h1 id="title"></h1>
<p><span id="verdict"></span> <span id="progress"></span></p>
<svg id="picture" role="img" aria-label="the stages of the pipeline"></svg>
<p class="legend"><span><i style="background: var(--busy)"></i>busy</span>
<span><i style="background: var(--blocked)"></i>blocked</span>
<span><i style="background: var(--starved)"></i>starved</span></p>
<script id="state" type="application/json">%STATE%</script>
<script>
"use strict";
const WIDTH = 190, HEIGHT = 120, GAP = 70, SPACE = 24, KEPT = 60;
const rates = new Map();
let updates = 0;

function element(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function place(stage) {
  return {x: 4 + stage.column * (WIDTH + GAP), y: 4 + stage.row * (HEIGHT + SPACE)};
}

function short(text, most) { return text.length > most ? text.slice(0, most - 1) + "\\u2026" : text; }

function pipe(from, to) {
  const start = place(from), end = place(to);
  const [x, y, toX, toY] = [start.x + WIDTH, start.y + HEIGHT / 2, end.x, end.y + HEIGHT / 2];
  const path = `M ${x} ${y} C ${x + GAP / 2} ${y}, ${toX - GAP / 2} ${toY}, ${toX} ${toY}`;
  const full = Math.min(1, to.mark > 0 ? to.queued / to.mark : to.queued > 0 ? 1 : 0);
  const dashes = `${100 * full} 200`;
  const filling = element("path", {class: "filling", d: path, pathLength: 100, "stroke-dasharray": dashes});
  return [element("path", {class: "pipe", d: path}), ...(full > 0 ? [filling] : [])];
}

function spark(name, rate, x, y) {
  const kept = rates.get(name) ?? [];
  kept.push(rate);
  rates.set(name, kept.slice(-KEPT));
  const most = Math.max(...kept, 1e-9), step = (WIDTH - 20) / KEPT;
  const points = kept.slice(-KEPT).map((value, index) => `${x + index * step},${y + 22 - 22 * value / most}`);
  return element("polyline", {class: "spark", points: points.join(" ")});
}

function box(stage, slowest) {
  const {x, y} = place(stage), bar = WIDTH - 20;
  const group = element("g", {"data-stage": stage.name, class: stage.name === slowest ? "stage bottleneck" : "stage"});
  let left = x + 10;
  for (const state of ["busy", "blocked", "starved"]) {
    const width = bar * stage[state];
    group.append(element("rect", {class: state, x: left, y: y + 30, width, height: 14}));
    left += width;
  }
  const percent = (share) => Math.round(100 * share) + " %";
  const shares = `busy ${percent(stage.busy)}, blocked ${percent(stage.blocked)}`;
  group.append(
    element("rect", {class: "box", x, y, width: WIDTH, height: HEIGHT, rx: 8}),
    element("text", {class: "name", x: x + 10, y: y + 20}, short(stage.name, 22)),
    element("text", {class: "soft", x: x + 10, y: y + 58}, shares),
    element("text", {class: "soft", x: x + 10, y: y + 73}, `${stage.rate}/s, queue ${stage.queue}`),
    element("text", {class: "soft", x: x + 10, y: y + 88}, short(stage.details, 30)),
    spark(stage.name, stage.chunksPerSecond, x + 10, y + 92),
    element("title", {}, `${stage.name} (${stage.kind})`),
  );
  return group;
}

function show(state) {
  const named = new Map(state.stages.map((stage) => [stage.name, stage]));
  const picture = document.getElementById("picture");
  const columns = Math.max(0, ...state.stages.map((stage) => stage.column)) + 1;
  const rows = Math.max(0, ...state.stages.map((stage) => stage.row)) + 1;
  const width = columns * (WIDTH + GAP) - GAP + 8, height = rows * (HEIGHT + SPACE) - SPACE + 8;
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  picture.setAttribute("width", width);
  const parts = [];
  for (const stage of state.stages)
    for (const before of stage.from) if (named.has(before)) parts.push(...pipe(named.get(before), stage));
  for (const stage of state.stages) parts.push(box(stage, state.bottleneck));
  picture.replaceChildren(...parts);
  document.title = document.getElementById("title").textContent = state.name;
  document.getElementById("verdict").textContent =
    state.bottleneck === null ? "no stage holds the others up" : `held up by ${state.bottleneck}`;
  document.getElementById("progress").textContent = state.progress;
  document.body.dataset.updates = ++updates;
}

show(JSON.parse(document.getElementById("state").textContent));
const events = new EventSource("events");
events.onmessage = (event) => show(JSON.parse(event.data));
events.addEventListener("end", () => events.close());
</script>
</body>
</html>
"""
