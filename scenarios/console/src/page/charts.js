// Charts beside the sky: units over time, chunks, cost by band.

// Bars of units made and failed.
function paceChart(history) {
  const [w, h, left, foot] = [560, 168, 40, 22];
  const svg = make("svg", { viewBox: `0 0 ${w} ${h}`, role: "img" });
  const n = history.made.length;
  if (!n) {
    svg.append(make("text", { x: w / 2, y: h / 2, "text-anchor": "middle" }, "nothing was made yet"));
    return svg;
  }
  const most = Math.max(1, ...history.made.map((m, k) => m + history.failed[k]));
  const y = (v) => (h - foot) - ((h - foot - 8) * v) / most;
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
  svg.append(make("text", { x: left, y: h - 5 }, moment(history.begin)), make("text", { x: w, y: h - 5, "text-anchor": "end" }, moment(end)));
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
    let size = Math.min(34, Math.floor(Math.sqrt((width * height) / n)));
    while (size > 2 && Math.floor(width / size) * Math.floor(height / size) < n) size--;
    this.size = size;
    this.columns = Math.max(1, Math.floor(width / size));
    const gap = size > 8 ? 2 : size > 4 ? 1 : 0;
    const colour = Object.fromEntries(STATES.map((s) => [s, css("--" + s)]));
    const soft = css("--soft");
    pen.clearRect(0, 0, width, height);
    this.chunks.forEach((c, k) => {
      const [x, y, side] = [(k % this.columns) * size, Math.floor(k / this.columns) * size, size - gap];
      pen.fillStyle = soft;
      pen.fillRect(x, y, side, side);
      let from = y + side;
      for (const state of ["done", "open", "failed", "stale"]) {
        if (!c[state]) continue;
        const tall = Math.max(state === "done" ? 1 : Math.min(3, side), (side * c[state]) / c.units);
        pen.fillStyle = colour[state];
        pen.fillRect(x, Math.max(y, from - tall), side, Math.min(tall, from - y));
        from = Math.max(y, from - tall);
      }
    });
    const done = this.chunks.filter((c) => c.done === c.units).length;
    this.canvas.setAttribute("aria-label", `${done} of ${n} chunks done`);
  }
  hit(event) {
    const box = this.canvas.getBoundingClientRect();
    const [i, j] = [event.clientX - box.left, event.clientY - box.top].map((v) => Math.floor(v / (this.size || 1)));
    return i < this.columns ? this.chunks[j * this.columns + i] : null;
  }
}

// A box with whiskers of processor time; the mark is the mean that was expected.
function box(band, most) {
  const [w, h] = [220, 18];
  const svg = make("svg", { viewBox: `0 0 ${w} ${h}`, width: w, height: h, "aria-hidden": "true" });
  const x = (v) => 2 + ((w - 6) * v) / most;
  if (band.cpu_s) {
    const [a, b, c, d, e] = band.cpu_s.map(x);
    svg.append(
      make("line", { class: "whisker", x1: a, x2: e, y1: 9, y2: 9 }),
      make("rect", { class: "box", x: b, width: Math.max(2, d - b), y: 3, height: 12, rx: 2 }),
      make("line", { class: "middle", x1: c, x2: c, y1: 3, y2: 15 }),
      make("path", { class: "planned", d: `M${x(band.expected_s)} 11l4 7h-8z` }),
    );
  }
  return svg;
}

function bandTable(bands) {
  const most = Math.max(1e-9, ...bands.map((b) => Math.max(b.cpu_s ? b.cpu_s[4] : 0, b.timed ? b.expected_s : 0)));
  const heads = ["band", "units", "processor time of a unit (▲ expected)", "median", "longest", "expected", "peak memory", "planned"];
  const head = make("tr", {}, ...heads.map((text, k) => make("th", { class: k === 1 || k > 2 ? "n" : null, scope: "col" }, text)));
  const row = (b) => make("tr", {},
    make("td", {}, make("b", {}, b.group)),
    make("td", { class: "n" }, `${whole(b.timed)} of ${whole(b.units)}`),
    make("td", {}, box(b, most)),
    make("td", { class: "n" }, b.cpu_s ? span(b.cpu_s[2]) : "–"),
    make("td", { class: "n" }, b.cpu_s ? span(b.cpu_s[4]) : "–"),
    make("td", { class: "n" }, b.timed ? span(b.expected_s) : "–"),
    make("td", { class: "n" }, b.peak_mb ? memory(b.peak_mb[4]) : "–"),
    make("td", { class: "n" }, memory(b.planned_mb)));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...bands.map(row)));
}
