// Charts beside the sky: units over time, chunks, cost by band.

// Bars of units made and failed.
function paceChart(history, width) {
  const [w, h, left, foot] = [Math.max(260, width), 200, 40, 22];
  const svg = make("svg", { viewBox: `0 0 ${w} ${h}`, role: "img" });
  const n = history.made.length;
  if (!n) {
    svg.append(make("text", { x: w / 2, y: h / 2, "text-anchor": "middle" }, "nothing was made yet"));
    return svg;
  }
  const most = Math.max(1, ...history.made.map((m, k) => m + history.failed[k]));
  const y = (v) => (h - foot) - ((h - foot - 22) * v) / most;
  const bar = (w - left) / n;
  for (const v of [0, most / 2, most]) {
    svg.append(make("line", { class: "axis", x1: left, x2: w, y1: y(v), y2: y(v) }));
    if (Number.isInteger(v)) svg.append(make("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, whole(v)));
  }
  history.made.forEach((made, k) => {
    const [x, width] = [left + k * bar, Math.max(1, bar - 1)];
    if (made) svg.append(make("rect", { class: "made", x, width, y: y(made), height: y(0) - y(made) }));
    if (history.failed[k]) svg.append(make("rect", { class: "wrong", x, width, y: y(made + history.failed[k]), height: y(made) - y(made + history.failed[k]) }));
  });
  const end = history.begin + n * history.bin_s;
  const when = end - history.begin < 1200 ? (t) => second(t) + " UTC" : moment;
  svg.append(make("text", { x: left, y: h - 5 }, when(history.begin)), make("text", { x: w, y: h - 5, "text-anchor": "end" }, when(end)));
  const made = history.made.reduce((a, b) => a + b, 0);
  svg.setAttribute("aria-label", `${made} units made in ${span(n * history.bin_s)}, at most ${most} in ${span(history.bin_s)}`);
  svg.append(make("text", { x: left + 4, y: 12 }, `units in ${span(history.bin_s)}`));
  return svg;
}

// Chunks as a grid: each is filled from below by what is done.
class ChunkGrid {
  constructor(canvas, chosen) {
    this.canvas = canvas;
    this.chunks = [];
    canvas.addEventListener("mousemove", (e) => {
      const c = this.hit(e);
      if (!c) return tip.hide();
      const parts = STATES.filter((s) => c[s]).map((s) => `${c[s]} ${WORDS[s]}`);
      tip.show(e, `chunk ${c.chunk}: ${c.units} units\n${parts.join(", ")}\nexpected ${span(c.expected_s)} of a core`);
    });
    canvas.addEventListener("mouseleave", () => tip.hide());
    canvas.addEventListener("click", (e) => { const c = this.hit(e); if (c) chosen(c); });
  }
  draw(chunks) {
    this.chunks = chunks || this.chunks;
    const { pen, width, height } = sized(this.canvas);
    const n = this.chunks.length;
    if (!n || width < 10) return;
    // As many columns as make the cells largest.
    const side = (columns) => Math.min(40, width / columns, height / Math.ceil(n / columns));
    let columns = 1;
    for (let k = 1; k <= n; k++) if (side(k) > side(columns) + 1e-9) columns = k;
    this.columns = columns;
    this.step = [Math.min(48, width / columns), Math.min(48, height / Math.ceil(n / columns))];
    const gap = side(columns) > 8 ? 2 : side(columns) > 4 ? 1 : 0;
    const colour = Object.fromEntries(STATES.map((s) => [s, css("--" + s)]));
    const soft = css("--soft");
    pen.clearRect(0, 0, width, height);
    this.chunks.forEach((c, k) => {
      const [i, j] = [k % columns, Math.floor(k / columns)];
      const [x, y] = [Math.round(i * this.step[0]), Math.round(j * this.step[1])];
      const [w, h] = [Math.round((i + 1) * this.step[0]) - x - gap, Math.round((j + 1) * this.step[1]) - y - gap];
      const part = (state, top, tall) => { pen.fillStyle = colour[state]; pen.fillRect(x, top, w, tall); };
      pen.fillStyle = soft;
      pen.fillRect(x, y, w, h);
      const done = (h * c.done) / c.units;
      if (c.done) part("done", y + h - done, done);
      const open = c.open ? Math.max(2, (h * c.open) / c.units) : 0;
      if (open) part("open", Math.max(y, y + h - done - open), open);
      // One failure among many units has to be seen too.
      if (c.stale) part("stale", y, Math.max(h / 3, (h * c.stale) / c.units));
      if (c.failed) part("failed", y, Math.max(h / 3, (h * c.failed) / c.units));
    });
    const done = this.chunks.filter((c) => c.done === c.units).length;
    this.canvas.setAttribute("aria-label", `${done} of ${n} chunks done`);
  }
  hit(event) {
    const box = this.canvas.getBoundingClientRect();
    if (!this.step) return null;
    const [i, j] = [event.clientX - box.left, event.clientY - box.top].map((v, k) => Math.floor(v / this.step[k]));
    return i < this.columns ? this.chunks[j * this.columns + i] : null;
  }
}

// A box with whiskers of processor time, logarithmic; the mark is the mean that was expected.
function box(band, [least, most]) {
  const [w, h] = [220, 18];
  const svg = make("svg", { viewBox: `0 0 ${w} ${h}`, width: w, height: h, "aria-hidden": "true" });
  const x = (v) => 6 + ((w - 12) * Math.log(Math.max(v, least) / least)) / Math.log(most / least);
  if (band.cpu_s) {
    const [a, b, c, d, e] = band.cpu_s.map(x);
    svg.append(
      make("line", { class: "whisker", x1: a, x2: e, y1: 9, y2: 9 }),
      make("rect", { class: "box", x: b - 3, width: d - b + 6, y: 3, height: 12, rx: 2 }),
      make("line", { class: "middle", x1: c, x2: c, y1: 3, y2: 15 }),
      make("path", { class: "planned", d: `M${x(band.expected_s)} 11l4 7h-8z` }),
    );
  }
  return svg;
}

function bandTable(bands) {
  const timed = bands.filter((b) => b.cpu_s);
  const least = Math.max(1e-4, Math.min(...timed.map((b) => Math.min(b.cpu_s[0], b.expected_s)), 1e3));
  const range = [least, Math.max(2 * least, ...timed.map((b) => Math.max(b.cpu_s[4], b.expected_s)))];
  const heads = ["band", "units", "processor time, logarithmic (▲ expected)", "median", "longest", "expected", "peak memory", "planned"];
  const head = make("tr", {}, ...heads.map((text, k) => make("th", { class: k === 1 || k > 2 ? "n" : null, scope: "col" }, text)));
  const row = (b) => make("tr", {},
    make("td", {}, make("b", {}, b.group)),
    make("td", { class: "n" }, `${whole(b.timed)} of ${whole(b.units)}`),
    make("td", {}, box(b, range)),
    make("td", { class: "n" }, b.cpu_s ? span(b.cpu_s[2]) : "–"),
    make("td", { class: "n" }, b.cpu_s ? span(b.cpu_s[4]) : "–"),
    make("td", { class: "n" }, b.timed ? span(b.expected_s) : "–"),
    make("td", { class: "n" }, b.peak_mb ? memory(b.peak_mb[4]) : "–"),
    make("td", { class: "n" }, memory(b.planned_mb)));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...bands.map(row)));
}
