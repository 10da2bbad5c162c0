// What the controls and keys do.
"use strict";

let search, hits = [];
const view = new TreeView(byId("canvas"), i => i != null && choose(i), hover);

function open(number, scroll = true) {
  search = new Search(number);
  hits = [];
  byId("search").value = number;
  byId("find").value = byId("found").textContent = "";
  view.show(search);
  Object.assign(byId("note"), { textContent: search.note ?? "", hidden: !search.note });
  Object.assign(byId("depth"), { max: view.deepest || 1, value: view.deepest || 1 });
  const [low, high] = search.values;
  Object.assign(byId("least"), { min: low ?? 0, max: high ?? 0, value: low ?? 0, disabled: low === high });
  const last = Math.max(0, search.visits.length - 1);
  Object.assign(byId("step"), { max: last, value: last, disabled: !last });
  curve();
  legend();
  filtered();
  grown();
  choose(search.chosen ?? 0, false);
  if (scroll) byId("tree").scrollIntoView({ block: "start" });
}

function choose(i, bring = true) {
  view.selected = i;
  showNode(byId("details"), search, i, choose);
  if (bring) view.bring(i);
  view.redraw();
}

function hover(i, event) {
  const tip = byId("tip");
  tip.hidden = i == null;
  if (i == null) return;
  const node = search.nodes[i];
  tip.textContent = `\u2068${short(i ? node.text : search.prompt, 120)}\u2069 ${node.value == null ? "" : `V ${signed(node.value)}`}`;
  const [x, y] = d3.pointer(event, byId("canvas"));
  Object.assign(tip.style, { left: `${Math.min(x + 14, view.width - 240)}px`, top: `${y + 16}px` });
}

function grown() {
  const at = Number(byId("step").value), step = search.steps[at - 1];
  view.grow(search.note ? Infinity : at);
  byId("step-shown").textContent = step ? stepTold(step, at) : search.note ? "" : `before step 1 of ${search.steps.length}`;
  byId("numbers")?.replaceWith(numbers(search, view.selected));
}

function stepTold(step, at) {
  const where = step.node == null ? "" : step.node === 0 ? ", the prompt grown" : `, grown: \u2068${short(step.text, 24)}\u2069`;
  const best = step.best == null ? "no whole answer yet" : `best whole answer V ${signed(step.best)}`;
  return `${at} of ${search.steps.length}${where}: ${step.outcome}; ${counted(step.nodes)} nodes, ${best}, ${counted(step.tokens)} tokens, ${step.seconds.toFixed(1)} s`;
}

/** The value of the best whole answer, over steps, above the slider. */
function curve() {
  const known = search.steps.map((step, i) => [i + 1, step.best]).filter(([, best]) => best != null);
  const [width, height] = [1000, 22];
  const x = d3.scaleLinear([0, search.steps.length || 1], [0, width]);
  const y = d3.scaleLinear(d3.extent(known, ([, best]) => best), [height - 2, 2]);
  const line = d3.line(([at]) => x(at), ([, best]) => y(best)).curve(d3.curveStepAfter);
  d3.select("#curve").attr("viewBox", `0 0 ${width} ${height}`).attr("preserveAspectRatio", "none")
    .selectAll("path").data([known]).join("path").attr("d", line);
}

function legend() {
  const [low, high] = search.values, bar = make("span", { className: "gradient" });
  bar.style.background = `linear-gradient(to right, ${d3.quantize(view.shade, 9).join(", ")})`;
  const size = view.mostVisits ? `size: visits, ${counted(view.mostVisits)} at most; ` : "";
  byId("legend").replaceChildren(
    ...(low == null ? [] : ["colour: V ", signed(low), " ", bar, ` ${signed(high)}; `]), size,
    "ringed: a whole answer; ", make("span", { className: "path", textContent: "thick" }), ": the chosen path");
}

function filtered() {
  view.levels = Number(byId("depth").value);
  const { value, min, max } = byId("least");
  view.least = value - min <= (max - min) / 1000 ? -Infinity : Number(value); // a slider's end is not quite its least
  byId("depth-shown").textContent = view.levels;
  byId("least-shown").textContent = view.least === -Infinity ? "any" : signed(view.least);
  view.redraw();
}

function find() {
  hits = search.find(byId("find").value);
  view.hits = new Set(hits);
  byId("found").textContent = byId("find").value ? `${counted(hits.length)} nodes` : "";
  view.redraw();
}

function nextHit() {
  if (!hits.length) return;
  const at = hits.indexOf(view.selected) + 1;
  choose(hits[at % hits.length]);
  byId("found").textContent = `${(at % hits.length) + 1} of ${counted(hits.length)} nodes`;
}

/** The next node of the same level, up or down the screen. */
function beside(i, by) {
  const level = search.nodes[i].level;
  const same = d3.range(search.nodes.length).filter(j => search.nodes[j].level === level && view.shown(j));
  same.sort((a, b) => view.rows[a] - view.rows[b]);
  return same[same.indexOf(i) + by];
}

function slide(by) {
  byId("step").value = Number(byId("step").value) + by;
  grown();
}

function turn() {
  const dark = getComputedStyle(document.documentElement).getPropertyValue("--scheme").trim() === "dark";
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  view.restyle();
  legend();
}

const KEYS = {
  ArrowLeft: () => search.nodes[view.selected].parent,
  ArrowRight: () => search.children[view.selected].find(i => view.shown(i)),
  ArrowUp: () => beside(view.selected, -1),
  ArrowDown: () => beside(view.selected, 1),
  Home: () => 0,
  End: () => search.chosen,
  "[": () => slide(-1),
  "]": () => slide(1),
  "+": () => view.zoomBy(1.5),
  "-": () => view.zoomBy(1 / 1.5),
  f: () => view.fit(),
};

byId("canvas").addEventListener("keydown", event => {
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const to = KEYS[event.key]();
  if (to != null) choose(to);
});
document.addEventListener("keydown", event => {
  if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    byId("find").focus();
  } else if (event.key === "d") turn();
});
byId("find").addEventListener("keydown", event => {
  if (event.key === "Enter") nextHit();
  if (event.key === "Escape") byId("canvas").focus();
});
byId("search").addEventListener("change", event => open(Number(event.target.value), false));
byId("find").addEventListener("input", find);
byId("step").addEventListener("input", grown);
for (const name of ["depth", "least"]) byId(name).addEventListener("input", filtered);
byId("fit").addEventListener("click", () => view.fit());
byId("theme").addEventListener("click", turn);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  view.restyle();
  legend();
});

byId("search").replaceChildren(...overview.searches.map((of, value) =>
  make("option", { value, textContent: `${value + 1}: ${of.method}, \u2068${short(of.prompt, 60)}\u2069` })));
showOverview(open);
// The one that a link names (#search=3, as aligntree show counts them); else the first of those that grew a tree.
const named = Number(new URLSearchParams(location.hash.slice(1)).get("search")) - 1;
const first = overview.searches.findIndex(of => of.nodes > 0 && of.method !== overview.methods[0].method);
if (overview.searches[named]) open(named);
else if (overview.searches.length) open(Math.max(0, first), false);
