// What the page was given, and how it is told. Texts of models reach elements through textContent alone.
"use strict";

const read = id => JSON.parse(document.getElementById(id).textContent);
const overview = read("overview");
const byId = id => document.getElementById(id);

/** An element with properties and children (elements or strings). */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const signed = number => (number == null ? "" : typeof number === "number" ? d3.format("+.3f")(number) : number);
const plain = number => (number == null ? "" : typeof number === "number" ? d3.format(".4~g")(number) : number);
const counted = d3.format(",");
const usd = nano => (nano == null ? "price unknown" : `${(nano / 1e9).toFixed(9).replace(/0{1,3}$/, "")} USD`);

/** On one line, and not longer than so many characters. */
function short(text, most) {
  const head = text.slice(0, most * 2).replace(/\r?\n/g, "⏎").replace(/\s+/g, " ");
  return head.length > most || text.length > most * 2 ? `${head.slice(0, most - 1)}…` : head;
}

/** A table's body of names and what they are. */
function pairs(table, entries) {
  table.replaceChildren(
    ...entries.map(([name, value]) =>
      make("tr", {}, make("th", { scope: "row", textContent: name }), make("td", { textContent: value, dir: "auto" }))),
  );
}

/** One search: its nodes, and what is derived of them. */
class Search {
  constructor(number) {
    Object.assign(this, overview.searches[number], read(`tree-${number}`), { number });
    this.children = this.nodes.map(() => []);
    this.nodes.forEach((node, i) => node.parent != null && this.children[node.parent].push(i));
    const worth = i => this.nodes[i].value ?? -Infinity;
    this.children.forEach(below => below.sort((a, b) => worth(b) - worth(a)));
    this.path = new Set(this.chosen == null ? [] : this.up(this.chosen));
    this.values = d3.extent(this.nodes, node => node.value);
    const gains = this.nodes.map((_, i) => Math.abs(this.gain(i) ?? 0)).filter(gain => gain > 0).sort(d3.ascending);
    this.mostGain = d3.quantileSorted(gains, 0.95) || 1;
  }

  /** Node numbers from the root down to this one. */
  up(i) {
    const found = [];
    for (let at = i; at != null; at = this.nodes[at].parent) found.unshift(at);
    return found;
  }

  /** What a chunk added to the value; before the first one it is 0. */
  gain(i) {
    const { parent, value } = this.nodes[i];
    const before = parent === 0 ? (this.nodes[0].value ?? 0) : this.nodes[parent]?.value;
    return value == null || before == null ? null : value - before;
  }

  /** Visits of all nodes after so many steps. */
  visitsAt(step) {
    const visits = new Float64Array(this.nodes.length);
    for (const changed of this.visits.slice(0, step + 1)) for (const [i, count] of changed) visits[i] = count;
    return visits;
  }

  /** The answer up to each node's end, chunk by chunk: [node, text]; what a stop string cut off is left out, and what
   * was revised. */
  chunks(i) {
    let left = this.nodes[i].cut ?? Infinity;
    const path = this.up(i).slice(1);
    return path.slice(Math.max(path.findLastIndex(at => this.nodes[at].revision), 0)).map(at => {
      const text = this.nodes[at].text.slice(0, left);
      left -= text.length;
      return [at, text];
    });
  }

  /** Nodes in whose chunk the text occurs, or ends where it began before. */
  find(text) {
    const wanted = text.toLowerCase();
    const tails = []; // the end of the answer before each node, as long as may matter
    return this.nodes.flatMap((node, i) => {
      const before = node.parent == null || node.revision ? "" : tails[node.parent];
      const whole = before + node.text.toLowerCase();
      tails.push(wanted.length > 1 ? whole.slice(1 - wanted.length) : "");
      return wanted && whole.includes(wanted) ? [i] : [];
    });
  }

  /** The requests of an ask, by the name that nodes have for it. */
  requests(name) {
    this.parsed ??= read(`calls-${this.number}`);
    return this.parsed[name] ?? [];
  }
}
