// All that is on record of one node: its text so far, its numbers and where they came from, its call and its price.
"use strict";

/** Blue where a chunk added to the value, orange where it took from it. */
function shade(gain, most) {
  const share = Math.min(1, Math.abs(gain) / most);
  return d3.color(gain < 0 ? "#e66100" : "#1a85ff").copy({ opacity: 0.06 + 0.5 * share }).toString();
}

function showNode(place, search, i, choose) {
  const node = search.nodes[i];
  const heading = i === 0 ? "The prompt" : `Level ${node.level}${search.path.has(i) ? ", on the chosen path" : ""}`;
  place.replaceChildren(
    make("h3", { textContent: heading }, " ", make("code", { textContent: node.id.slice(0, 12), title: node.id })),
    textSoFar(search, i, choose),
    ...(i === 0 ? [] : [chunkLegend(search)]),
    numbers(search, i),
    ...calls(search, node),
    ...judged(search, node),
  );
}

function textSoFar(search, i, choose) {
  const text = make("div", { className: "text", id: "text", dir: "auto", tabIndex: 0 });
  text.append(make("bdi", { className: "prompt", textContent: search.prompt }));
  for (const [at, chunk] of search.chunks(i)) {
    const gain = search.gain(at);
    const span = make("bdi", { className: "chunk", textContent: chunk, title: `added ${signed(gain)}` });
    if (gain != null) span.style.backgroundColor = shade(gain, search.mostGain);
    span.addEventListener("click", () => choose(at));
    text.append(span);
  }
  return text;
}

function chunkLegend(search) {
  const swatch = part => {
    const box = make("span", { className: "swatch" });
    box.style.backgroundColor = shade(part * search.mostGain, search.mostGain);
    return box;
  };
  return make("p", { className: "hint", id: "chunk-legend" },
    "Colour of a chunk: what it added to V, ", swatch(-1), ` ${signed(-search.mostGain)} or less to `, swatch(1),
    ` ${signed(search.mostGain)} or more. The record holds no log-ratios of single tokens.`);
}

function numbers(search, i) {
  const node = search.nodes[i], { prior, entropy } = node;
  const bounds = entropy?.bounds ? ` in [${entropy.bounds.map(plain).join(", ")}]` : "";
  const rows = [
    ["value V", `${signed(node.value)}${overview.scale && node.value != null ? ` ${overview.scale}` : ""}`],
    ...Object.entries(node.parts).map(([name, part]) => [`· ${name}`, plain(part)]),
    ["judge J", signed(node.judge)],
    ["prior P", prior && `${plain(prior.value)} (${prior.rung}${prior.approximate ? ", approximate" : ""})`],
    ["entropy H", entropy && `${plain(entropy.value)} bits${bounds} (${entropy.rung})`],
    ["· as the paper's code has it", entropy?.warped != null && `${plain(entropy.warped)} bits`],
    ["visits N", view.mostVisits && !search.note ? counted(view.visits[i]) : ""],
    ["return R, at the end", view.mostVisits && !search.note ? signed(node.returns) : ""],
    ["tokens so far", i ? counted(node.depth) : ""],
    ["ended by", i && `${node.finish}${node.complete ? ", a whole answer" : ""}${node.revision ? ", a revision" : ""}`],
    ["came with step", i && !search.note ? (node.step ? String(search.steps[node.step - 1].number) : "inherited") : ""],
  ];
  const table = make("table", { id: "numbers" });
  pairs(table, rows.filter(([, value]) => value !== "" && value != null && value !== false && value !== 0));
  return table;
}

function calls(search, { call: name }) {
  const found = name ? search.requests(name) : [];
  if (!found.length) return [];
  const others = search.nodes.filter(node => node.call === name).length - 1;
  const inherited = name.startsWith(search.id) ? "" : ", inherited and paid for by the run it was forked from";
  const heading = `The call that brought it${others ? ` and ${others} more` : ""}${inherited}`;
  return [make("h4", { textContent: heading }), ...found.map(exchange)];
}

function judged(search, { judge_call: named }) {
  const found = named ? search.requests(named[0]).filter(call => call.part === named[1]) : [];
  return found.length ? [make("h4", { textContent: "The judge's call" }), ...found.map(exchange)] : [];
}

function exchange(call) {
  const { reply } = call;
  const table = make("table", { className: "call" });
  pairs(table, [
    ["price", reply ? usd(reply.price) : `not answered; ${usd(call.worst_price)} at most`],
    ...(reply ? [["tokens", `${counted(reply.input_tokens)} in (${counted(reply.cached_tokens)} cached), ${counted(reply.output_tokens)} out${reply.estimated ? ", estimated" : ""}`]] : []),
    ...(reply ? [["took", `${reply.latency.toFixed(3)} s`]] : []),
    ["sent", new Date(call.sent).toISOString().replace("T", " ").replace("Z", " UTC")],
    ...(reply?.request_id ? [["request id", reply.request_id]] : []),
    ...(reply?.failure ? [["failed", JSON.stringify(reply.failure)]] : []),
    ["ask, part, attempt", `${call.ask}, ${call.part}, ${call.attempt}`],
  ]);
  return make("div", {}, table,
    unfolding("Request", async () => JSON.stringify(call.request, null, 1)),
    ...(reply ? [unfolding("Raw reply", async () => indented(await inflated(reply.body)))] : []));
}

/** Its text is made when it is first opened. */
function unfolding(heading, tell) {
  const text = make("pre", { dir: "auto" });
  const whole = make("details", {}, make("summary", { textContent: heading }), text);
  whole.addEventListener("toggle", async () => (text.textContent = await tell()), { once: true });
  return whole;
}

async function inflated(base64) {
  const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 1);
  } catch {
    return text;
  }
}
