// The tree on a canvas: d3-hierarchy lays it out, d3-zoom moves it. Levels go to the right, best children first.
"use strict";

const WIDEST = 210, TALLEST = 46, MARGIN = 26; // pixels of a level, of a row, around the tree

class TreeView {
  constructor(canvas, choose, hover) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.hits = new Set();
    this.zoom = d3.zoom().on("zoom", event => this.moved(event));
    d3.select(canvas).call(this.zoom).on("dblclick.zoom", null);
    canvas.addEventListener("click", event => choose(this.at(event)));
    canvas.addEventListener("mousemove", event => hover(this.at(event), event));
    canvas.addEventListener("mouseleave", event => hover(null, event));
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.restyle();
  }

  /** Lay out a search; all of it is shown. */
  show(search) {
    this.search = search;
    const root = d3.hierarchy(0, i => (search.children[i].length ? search.children[i] : null));
    d3.tree().nodeSize([1, 1]).separation((a, b) => (a.parent === b.parent ? 1 : 1.3))(root);
    this.rows = new Float64Array(search.nodes.length);
    root.each(node => (this.rows[node.data] = node.x));
    [this.top, this.bottom] = d3.extent(this.rows);
    this.levels = this.deepest = d3.max(search.nodes, node => node.level);
    this.least = -Infinity;
    this.hits = new Set();
    this.selected = 0;
    this.colours();
    this.grow(search.visits.length - 1);
    this.resize();
    this.fit();
  }

  /** As it was after so many steps. */
  grow(step) {
    this.step = step;
    this.visits = this.search.visitsAt(step);
    this.mostVisits = d3.max(this.visits) || 0;
    this.redraw();
  }

  /** Colours of the theme, and of values in it. */
  restyle() {
    const style = getComputedStyle(document.documentElement);
    const of = name => style.getPropertyValue(name).trim();
    this.ink = { text: of("--text"), faint: of("--faint"), edge: of("--edge"), path: of("--path"), hit: of("--accent"), back: of("--panel") };
    this.dark = of("--scheme") === "dark";
    if (this.search) this.colours();
    this.redraw();
  }

  colours() {
    const [from, to] = this.dark ? [0.22, 1] : [0, 0.92]; // what can be told from the background
    this.shade = t => d3.interpolateViridis(from + (to - from) * t);
    const [low, high] = this.search.values;
    const steps = d3.quantize(this.shade, 32);
    const scale = d3.scaleQuantize(low === high ? [low - 1, high + 1] : [low, high], steps);
    this.colour = this.search.nodes.map(node => (node.value == null ? this.ink.faint : scale(node.value)));
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas, ratio = window.devicePixelRatio || 1;
    if (!width || (this.width === width && this.height === height)) return;
    Object.assign(this, { width, height, ratio });
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    if (this.search) this.fit();
  }

  fit() {
    if (!this.width) return;
    this.rowFit = Math.min(TALLEST, (this.height - 2 * MARGIN) / (this.bottom - this.top || 1));
    this.levelFit = Math.min(WIDEST, (this.width - 2 * MARGIN - 90) / (this.deepest || 1));
    // Rows and levels grow by different powers: where rows can be read, levels are as wide as a label.
    const most = Math.max(4, 30 / this.rowFit);
    this.power = Math.log(Math.max(1.5, WIDEST / this.levelFit)) / Math.log(most);
    this.zoom.scaleExtent([0.5, most]);
    this.left = MARGIN;
    this.over = (this.height - (this.bottom + this.top) * this.rowFit) / 2;
    this.scale = this.last = null;
    d3.select(this.canvas).call(this.zoom.transform, d3.zoomIdentity);
  }

  moved({ transform, sourceEvent }) {
    const last = this.last ?? transform;
    if (transform.k !== last.k) {
      const [x, y] = sourceEvent ? d3.pointer(sourceEvent, this.canvas) : this.middle();
      const by = transform.k / last.k;
      this.left = x - (x - this.left) * by ** this.power;
      this.over = y - (y - this.over) * by;
    } else {
      this.left += transform.x - last.x;
      this.over += transform.y - last.y;
    }
    this.last = transform;
    this.rowHeight = this.rowFit * transform.k;
    this.levelWidth = this.levelFit * transform.k ** this.power;
    this.redraw();
  }

  /** What keys zoom about: the selected node, where it is in sight. */
  middle() {
    const [x, y] = [this.x(this.selected), this.y(this.selected)];
    return x > 0 && x < this.width && y > 0 && y < this.height ? [x, y] : [this.width / 2, this.height / 2];
  }

  zoomBy(factor) {
    d3.select(this.canvas).call(this.zoom.scaleBy, factor);
  }

  x(i) {
    return this.left + this.search.nodes[i].level * this.levelWidth;
  }

  y(i) {
    return this.over + this.rows[i] * this.rowHeight;
  }

  /** Its area grows with visits. */
  radius(i) {
    const least = Math.min(3.5, Math.max(0.9, this.rowHeight * 0.3));
    const most = Math.min(13, Math.max(least, this.levelWidth * 0.4));
    return this.mostVisits ? least + (most - least) * Math.sqrt(Math.max(0, this.visits[i]) / this.mostVisits) : least + 1;
  }

  shown(i) {
    const { step, level } = this.search.nodes[i];
    return step <= this.step && level <= this.levels;
  }

  faint(i) {
    const { value } = this.search.nodes[i];
    return value != null && value < this.least;
  }

  /** The node under the pointer, or none. */
  at(event) {
    if (!this.search) return null;
    const [x, y] = d3.pointer(event, this.canvas);
    const far = i => Math.hypot(this.x(i) - x, this.y(i) - y) - this.radius(i);
    const near = d3.least(d3.range(this.search.nodes.length).filter(i => this.shown(i)), far);
    return near != null && far(near) <= 6 ? near : null;
  }

  /** Where a node is on the screen, moved into sight if it is not. */
  bring(i) {
    const dx = this.x(i) < 40 || this.x(i) > this.width - 60 ? this.width / 2 - this.x(i) : 0;
    const dy = this.y(i) < 20 || this.y(i) > this.height - 20 ? this.height / 2 - this.y(i) : 0;
    this.left += dx;
    this.over += dy;
    this.redraw();
  }

  redraw() {
    this.due ??= requestAnimationFrame(() => {
      this.due = null;
      this.draw();
    });
  }

  draw() {
    const { context, search } = this;
    if (!search || !this.width) return;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const shown = d3.range(search.nodes.length).filter(i => this.shown(i));
    const inSight = shown.filter(i => this.y(i) > -20 && this.y(i) < this.height + 20 && this.x(i) > -WIDEST);
    this.edges(shown.filter(i => i && !search.path.has(i)), this.ink.edge, 1);
    this.edges(shown.filter(i => i && search.path.has(i)), this.ink.path, 3);
    if (this.rowHeight >= 13 && this.levelWidth >= 60) for (const i of inSight) this.label(i);
    for (const i of this.apart(inSight, i => (this.radius(i) < 1.6 ? this.y(i) : -i))) this.node(i);
    for (const i of this.hits) if (this.shown(i)) this.ring(i, this.ink.hit, 3, 2);
    if (this.shown(this.selected)) this.ring(this.selected, this.ink.text, 4, 2.5);
  }

  /** Those of a level that are not on the same pixels as one before, by what they are drawn from. */
  apart(nodes, ...from) {
    if (this.rowHeight >= 1) return nodes;
    const seen = new Set();
    return nodes.filter(i => {
      const place = from.reduce((key, of) => key * 32768 + Math.round(of(i)), this.search.nodes[i].level);
      return !seen.has(place) && seen.add(place);
    });
  }

  edges(edges, colour, width) {
    const { context, search } = this, curved = this.rowHeight > 3;
    const nodes = this.apart(edges, i => this.y(search.nodes[i].parent), i => this.y(i));
    Object.assign(context, { strokeStyle: colour, lineWidth: this.rowHeight < 2 ? width / 2 : width });
    let begun = 0;
    context.beginPath();
    for (const i of nodes) {
      const parent = search.nodes[i].parent;
      const [x1, y1, x2, y2] = [this.x(parent), this.y(parent), this.x(i), this.y(i)];
      if (x2 < 0 || x1 > this.width || Math.max(y1, y2) < 0 || Math.min(y1, y2) > this.height) continue;
      context.moveTo(x1, y1);
      if (curved) context.bezierCurveTo((x1 + x2) / 2, y1, (x1 + x2) / 2, y2, x2, y2);
      else context.lineTo(x2, y2);
      if (++begun % 100 === 0) { // a path of thousands takes longer than its parts
        context.stroke();
        context.beginPath();
      }
    }
    context.stroke();
  }

  node(i) {
    const { context } = this, radius = this.radius(i);
    context.globalAlpha = this.faint(i) ? 0.15 : 1;
    context.fillStyle = this.colour[i];
    if (radius < 1.6) {
      context.fillRect(this.x(i) - radius, this.y(i) - radius, 2 * radius, 2 * radius);
    } else {
      context.beginPath();
      context.arc(this.x(i), this.y(i), radius, 0, 2 * Math.PI);
      context.fill();
      if (this.search.path.has(i)) this.ring(i, this.ink.path, 0, 2);
      if (this.search.nodes[i].complete) this.ring(i, this.ink.text, 1.5, 1);
    }
    context.globalAlpha = 1;
  }

  ring(i, colour, gap, width) {
    const { context } = this;
    Object.assign(context, { strokeStyle: colour, lineWidth: width });
    context.beginPath();
    context.arc(this.x(i), this.y(i), this.radius(i) + gap, 0, 2 * Math.PI);
    context.stroke();
  }

  /** Its chunk, isolated so that marks of writing direction in it turn nothing else. */
  label(i) {
    const { context } = this, ends = !this.search.children[i].some(child => this.shown(child));
    const last = this.search.nodes[i].level === this.deepest;
    const room = last ? Math.min(WIDEST, this.width - this.x(i)) : this.levelWidth;
    const most = Math.floor((room - (ends ? 2 * this.radius(i) + 8 : 0)) / 6.4);
    const text = i ? short(this.search.nodes[i].text, most) : "";
    if (!text || (!ends && this.rowHeight < 24)) return;
    const x = ends ? this.x(i) + this.radius(i) + 5 : this.x(i) - this.radius(i);
    const y = ends ? this.y(i) + 4 : this.y(i) - this.radius(i) - 4;
    Object.assign(context, { font: "11px system-ui, sans-serif", strokeStyle: this.ink.back, lineWidth: 3 });
    context.globalAlpha = this.faint(i) ? 0.25 : 1;
    context.fillStyle = this.ink.text;
    context.strokeText(`\u2068${text}\u2069`, x, y);
    context.fillText(`\u2068${text}\u2069`, x, y);
    context.globalAlpha = 1;
  }
}
