// The run as a whole: its figures, and what the methods answered, side by side.
"use strict";

function showOverview(open) {
  const { totals, statuses } = overview;
  byId("begun").textContent = `run ${overview.run}, begun ${overview.begun}${overview.finished ? "" : ", not finished"}`;
  byId("warnings").replaceChildren(
    ...overview.warnings.map(text => make("p", { className: "warning", textContent: text, dir: "auto" })));
  const searches = Object.entries(statuses).map(([status, count]) => `${counted(count)} ${status}`).join(", ");
  const figures = [
    ["prompts", counted(overview.prompts)],
    ["searches", searches],
    ["calls", counted(totals.calls)],
    ["nodes", counted(totals.nodes)],
    ["input tokens", `${counted(totals.input_tokens)} (${counted(totals.cached_tokens)} cached)`],
    ["output tokens", counted(totals.output_tokens)],
    ["money", usd(totals.price)],
    ["at work", `${totals.seconds.toFixed(1)} s`],
  ];
  byId("figures").replaceChildren(
    ...figures.map(([name, value]) =>
      make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }))));
  showMethods();
  pairs(byId("probe"), overview.probe);
  byId("settings").textContent = JSON.stringify({ config: overview.config, versions: overview.versions }, null, 1);
  showAnswers(open);
}

function headings(...names) {
  return make("tr", {}, ...names.map(textContent => make("th", { scope: "col", textContent, dir: "auto" })));
}

function showMethods() {
  const gold = overview.gold != null;
  const rows = overview.methods.map(of => [
    of.method, `${of.done} of ${of.searches}`, signed(of.value), ...(gold ? [signed(of.gold)] : []), counted(of.nodes),
    counted(of.calls), counted(of.output_tokens), of.seconds.toFixed(1),
  ]);
  const names = ["method", "done", `mean V${overview.scale ? `, ${overview.scale}` : ""}`, ...(gold ? [`mean gold (${overview.gold})`] : []), "nodes", "calls", "output tokens", "s"];
  byId("methods").replaceChildren(headings(...names), ...rows.map(row =>
    make("tr", {}, ...row.map((textContent, i) => make("td", { textContent, dir: "auto", className: i ? "number" : "" })))));
}

function showAnswers(open) {
  const seeds = new Set(overview.rows.map(row => row.seed)).size > 1;
  const rows = overview.rows.map(row => {
    const prompt = make("td", {}, make("div", { className: "answer prompt", textContent: row.prompt, dir: "auto" }));
    if (seeds) prompt.append(make("div", { className: "hint", textContent: `seed ${row.seed}` }));
    return make("tr", {}, prompt, ...row.cells.map(number => answer(number, open)));
  });
  byId("answers").style.minWidth = `${180 + 210 * overview.methods.length}px`; // more than fit are scrolled
  byId("answers").replaceChildren(headings("prompt", ...overview.methods.map(of => of.method)), ...rows);
}

function answer(number, open) {
  if (number == null) return make("td");
  const search = overview.searches[number];
  const judged = [["V", search.value], ["gold", search.gold]].filter(([, worth]) => worth != null);
  const told = [...judged.map(([name, worth]) => `${name} ${signed(worth)}`), ...(search.status === "done" ? [] : [search.status])];
  const button = make("button", { type: "button", className: "open", title: `Open the tree. ${search.why}` }, told.join(", ") || "open");
  button.addEventListener("click", () => open(number));
  const text = make("div", { className: "answer", textContent: search.text, dir: "auto", tabIndex: 0 });
  text.addEventListener("click", () => open(number));
  return make("td", {}, text, button, ...(search.complete || !search.text ? [] : [make("span", { className: "hint", textContent: " not whole" })]));
}
