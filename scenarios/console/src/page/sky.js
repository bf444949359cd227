// Exposures on the sky: the whole of it, or a region of the plan in its tangent plane. East is left.

const RAD = Math.PI / 180;
const place = (ra, dec) => [Math.cos(dec * RAD) * Math.cos(ra * RAD), Math.cos(dec * RAD) * Math.sin(ra * RAD), Math.sin(dec * RAD)];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const unit = (v) => { const n = Math.hypot(...v) || 1; return v.map((c) => c / n); };
const radec = (v) => [(Math.atan2(v[1], v[0]) / RAD + 360) % 360, Math.asin(Math.max(-1, Math.min(1, v[2]))) / RAD];
const northEast = ([ra, dec]) => [
  [-Math.sin(dec * RAD) * Math.cos(ra * RAD), -Math.sin(dec * RAD) * Math.sin(ra * RAD), Math.cos(dec * RAD)],
  [-Math.sin(ra * RAD), Math.cos(ra * RAD), 0],
];
// Regions nearer to each other than this are one [deg].
const JOIN = 3;
// Footprint where outlines are not known: half a side [deg], as wide as the survey camera's field of 1.1 deg.
const HALF = 0.55;

class Sky {
  constructor(canvas, chosen) {
    this.canvas = canvas;
    this.exposures = [];
    this.regions = [];
    this.view = null;
    canvas.addEventListener("mousemove", (e) => this.hover(e));
    canvas.addEventListener("mouseleave", () => tip.hide());
    canvas.addEventListener("click", (e) => { const hit = this.hit(e); if (hit) chosen(hit); });
  }

  // Nothing is known any more.
  clear() {
    this.exposures = [];
    this.regions = [];
    this.on = null;
  }

  // Takes exposures with a letter of each detector's state.
  set(detectors, exposures) {
    const known = detectors.filter((d) => d.corners_deg);
    this.outlines = known.length === detectors.length ? detectors.map((d) => d.corners_deg) : null;
    const square = [[-HALF, -HALF], [HALF, -HALF], [HALF, HALF], [-HALF, HALF]];
    const corners = this.outlines ? this.outlines.flat() : square;
    const range = (k) => [Math.min(...corners.map((c) => c[k])), Math.max(...corners.map((c) => c[k]))];
    const [[x0, x1], [y0, y1]] = [range(0), range(1)];
    this.hull = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
    this.centre = [(x0 + x1) / 2, (y0 + y1) / 2];
    this.reach = Math.hypot(x1 - x0, y1 - y0) / 2;
    this.shapes = this.outlines || [square];
    const moved = exposures.length !== this.exposures.length || (exposures[0] && exposures[0].obs_id !== this.exposures[0].obs_id);
    this.exposures = exposures.map((e) => {
      const boresight = place(e.ra_deg, e.dec_deg);
      const [north, east] = northEast([e.ra_deg, e.dec_deg]);
      const [s, c] = [Math.sin(e.position_angle_deg * RAD), Math.cos(e.position_angle_deg * RAD)];
      const [x, y] = [north.map((n, k) => s * n - c * east[k]), north.map((n, k) => c * n + s * east[k])];
      const out = { ...e, boresight, x, y, counts: counted(e.states) };
      // The middle of what is seen: cut-outs lie beside the boresight.
      out.sight = unit(this.seen(out, this.centre));
      return out;
    });
    if (moved) this.group();
  }

  // Direction of a place in the mosaic.
  seen(e, [x, y]) {
    return e.boresight.map((c, k) => c + x * RAD * e.x[k] + y * RAD * e.y[k]);
  }

  // Parts the plan into regions: neighbours in a grid of cells as wide as JOIN.
  group() {
    const cell = (v) => v.map((c) => Math.floor(c / (JOIN * RAD))).join();
    const cells = new Map();
    this.exposures.forEach((e, k) => { const key = cell(e.sight); cells.has(key) ? cells.get(key).push(k) : cells.set(key, [k]); });
    const regions = [];
    const seen = new Set();
    for (const first of cells.keys()) {
      if (seen.has(first)) continue;
      const [open, members] = [[first], []];
      seen.add(first);
      while (open.length) {
        const key = open.pop();
        members.push(...cells.get(key));
        const at = key.split(",").map(Number);
        for (let n = 0; n < 27; n++) {
          const near = [at[0] + (n % 3) - 1, at[1] + (Math.floor(n / 3) % 3) - 1, at[2] + Math.floor(n / 9) - 1].join();
          if (cells.has(near) && !seen.has(near)) { seen.add(near); open.push(near); }
        }
      }
      const middle = unit(members.reduce((sum, k) => sum.map((c, i) => c + this.exposures[k].sight[i]), [0, 0, 0]));
      let far = 0;
      for (const k of members) far = Math.max(far, Math.acos(Math.min(1, dot(middle, this.exposures[k].sight))) / RAD);
      regions.push({ members, middle, radius: Math.min(60, Math.max(0.02, far + 1.1 * this.reach)) });
    }
    this.regions = regions.sort((a, b) => b.members.length - a.members.length);
    this.view = this.regions.length === 1 && this.regions[0].radius < 60 ? 0 : "all";
  }

  // Directions to places on the canvas; none behind.
  projection(width, height) {
    if (this.view === "all") {
      const scale = Math.min((width - 70) / (4 * Math.SQRT2), (height - 50) / (2 * Math.SQRT2));
      return {
        scale: scale * RAD,
        // Hammer: equal area, right ascension 180 in the middle.
        to: (v) => {
          const [ra, dec] = radec(v);
          const [l, b] = [(180 - ra) * RAD, dec * RAD];
          const z = Math.sqrt(1 + Math.cos(b) * Math.cos(l / 2));
          return [width / 2 + (scale * 2 * Math.SQRT2 * Math.cos(b) * Math.sin(l / 2)) / z, height / 2 - (scale * Math.SQRT2 * Math.sin(b)) / z];
        },
      };
    }
    const region = this.regions[this.view] || { middle: [1, 0, 0], radius: 1 };
    const [north, east] = northEast(radec(region.middle));
    const scale = Math.min(width - 90, height - 60) / (2 * Math.tan(region.radius * RAD));
    return {
      scale: scale * RAD,
      to: (v) => {
        const w = dot(v, region.middle);
        return w > 0.05 ? [width / 2 + 25 - (scale * dot(v, east)) / w, height / 2 - 12 - (scale * dot(v, north)) / w] : null;
      },
    };
  }

  shown() {
    return this.view === "all" ? this.exposures : (this.regions[this.view] ? this.regions[this.view].members.map((k) => this.exposures[k]) : []);
  }

  draw() {
    const { pen, width, height } = sized(this.canvas);
    if (width < 10) return;
    const on = this.projection(width, height);
    this.on = on;
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = css("--sky");
    pen.fillRect(0, 0, width, height);
    this.grid(pen, width, height, on);
    const colours = Object.fromEntries(STATES.map((s) => [s, css("--" + s)]));
    const list = this.shown();
    const at = (e, place) => on.to(unit(this.seen(e, place)));
    const trace = (e, corners) => {
      const points = corners.map((c) => at(e, c));
      if (points.some((p) => !p)) return false;
      pen.beginPath();
      points.forEach((p, k) => (k ? pen.lineTo(...p) : pen.moveTo(...p)));
      pen.closePath();
      return true;
    };
    const size = Math.sqrt(area(this.shapes[0])) * on.scale;
    const single = this.outlines !== null && size >= 2.5 && list.length * this.shapes.length < 80000;
    // Depth: where all exposures are done, colours add up to nine tenths.
    const region = this.view === "all" ? null : this.regions[this.view];
    const sky = region ? Math.max(1, (list.length * this.shapes.reduce((s, c) => s + area(c), 0)) / (3.2 * region.radius ** 2)) : 1;
    const alpha = Math.max(0.04, 1 - Math.pow(0.1, 1 / sky));
    for (const state of ["missing", "stale", "done", "open", "failed"]) {
      pen.fillStyle = pen.strokeStyle = colours[state];
      const strong = state === "failed" || state === "open";
      pen.globalAlpha = strong ? Math.max(0.5, alpha) : state === "missing" ? Math.min(0.4, alpha) : alpha;
      for (const e of list) {
        if (!e.counts[state]) continue;
        if (single) {
          this.shapes.forEach((corners, k) => { if (LETTERS[e.states[k]] === state && trace(e, corners)) pen.fill(); });
        } else if (this.view === "all") {
          // Failures are points on what is there otherwise.
          if (state !== "failed" && leading({ ...e.counts, failed: 0 }) !== state) continue;
          const p = on.to(e.sight);
          pen.globalAlpha = 0.85;
          pen.beginPath();
          pen.arc(p[0], p[1], state === "failed" ? 1.5 : Math.max(2.2, this.reach * on.scale * 0.7), 0, 2 * Math.PI);
          pen.fill();
        } else if (this.outlines !== null && list.length < 400) {
          // Cut-outs too small to be seen are squares.
          this.shapes.forEach((corners, k) => {
            const p = LETTERS[e.states[k]] === state && at(e, middle(corners));
            if (p) pen.fillRect(p[0] - 4, p[1] - 4, 8, 8);
          });
        } else if (leading(e.counts) === state && trace(e, this.hull)) {
          pen.fill();
        }
      }
    }
    pen.globalAlpha = 1;
    if (this.view !== "all" && list.length < 60) {
      pen.strokeStyle = css("--muted");
      pen.setLineDash([3, 4]);
      for (const e of list) if (trace(e, this.hull)) pen.stroke();
      pen.setLineDash([]);
    }
    const done = this.exposures.filter((e) => e.counts.done && e.counts.done === total(e.counts)).length;
    this.canvas.setAttribute("aria-label", `Sky coverage: ${done} of ${this.exposures.length} exposures complete, in ${this.regions.length} regions`);
  }

  grid(pen, width, height, on) {
    pen.strokeStyle = css("--grid");
    pen.fillStyle = css("--muted");
    pen.font = "12px system-ui, sans-serif";
    pen.lineWidth = 1;
    const line = (points) => {
      pen.beginPath();
      let on_ = false;
      for (const p of points) {
        if (!p) { on_ = false; continue; }
        on_ ? pen.lineTo(...p) : pen.moveTo(...p);
        on_ = true;
      }
      pen.stroke();
    };
    const steps = (a, b, n) => Array.from({ length: n + 1 }, (_, k) => a + ((b - a) * k) / n);
    if (this.view === "all") {
      for (const ra of [0.001, 60, 120, 180, 240, 300, 359.999]) line(steps(-90, 90, 60).map((d) => on.to(place(ra, d))));
      for (const dec of [-60, -30, 0, 30, 60]) line(steps(0.001, 359.999, 120).map((a) => on.to(place(a, dec))));
      pen.textAlign = "center";
      for (const ra of [60, 120, 180, 240, 300]) { const p = on.to(place(ra, 0)); pen.fillText(ra + "°", p[0], p[1] + 14); }
      pen.textAlign = "right";
      for (const dec of [-60, -30, 30, 60]) { const p = on.to(place(359.999, dec)); pen.fillText((dec > 0 ? "+" : "−") + Math.abs(dec) + "°", p[0] - 5, p[1] + 4); }
      pen.textAlign = "left";
      pen.fillText("right ascension and declination (ICRS), equal area", 8, height - 8);
      return;
    }
    const region = this.regions[this.view];
    if (!region) return;
    const [ra0, dec0] = radec(region.middle);
    const nice = (w) => [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30].find((s) => w / s <= 6) || 30;
    const half = (region.radius * Math.max(width, height)) / Math.min(width, height);
    const [low, high] = [Math.max(-90, dec0 - half), Math.min(90, dec0 + half)];
    const wide = high > 85 || low < -85 ? 180 : Math.min(180, half / Math.cos(Math.max(Math.abs(low), Math.abs(high)) * RAD));
    const [dStep, aStep] = [nice(2 * region.radius), nice((2 * region.radius) / Math.max(0.05, Math.cos(dec0 * RAD)))];
    const digits = (s) => Math.max(0, -Math.floor(Math.log10(s) + 1e-9));
    const bottom = height - 24;
    pen.save();
    pen.beginPath();
    pen.rect(58, 0, width - 58, bottom);
    pen.clip();
    const labels = [];
    for (let d = Math.ceil(low / dStep) * dStep; d <= high; d += dStep) {
      const points = steps(ra0 - wide, ra0 + wide, 80).map((a) => on.to(place(a, d)));
      line(points);
      const edge = points.filter(Boolean).reduce((best, p) => (!best || Math.abs(p[0] - 58) < Math.abs(best[0] - 58) ? p : best), null);
      if (edge && edge[1] > 10 && edge[1] < bottom - 4) labels.push(["right", (d < -1e-9 ? "−" : "+") + Math.abs(d).toFixed(digits(dStep)) + "°", 52, edge[1] + 4]);
    }
    for (let a = Math.ceil((ra0 - wide) / aStep) * aStep; a <= ra0 + wide; a += aStep) {
      const points = steps(low, high, 60).map((d) => on.to(place(a, d)));
      line(points);
      const edge = points.filter(Boolean).reduce((best, p) => (!best || Math.abs(p[1] - bottom) < Math.abs(best[1] - bottom) ? p : best), null);
      if (edge && edge[0] > 76 && edge[0] < width - 20) labels.push(["center", ((a + 360) % 360).toFixed(digits(aStep)) + "°", edge[0], height - 8]);
    }
    pen.restore();
    let last = -Infinity;
    for (const [align, text, x, y] of labels.sort((p, q) => p[2] - q[2])) {
      if (align === "center" && x - last < 46) continue;
      if (align === "center") last = x;
      pen.textAlign = align;
      pen.fillText(text, x, y);
    }
    pen.textAlign = "left";
  }

  hit(event) {
    if (!this.on) return null;
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let [best, least] = [null, Math.max(9, this.reach * this.on.scale)];
    for (const e of this.shown()) {
      const p = this.on.to(e.sight);
      const d = p ? Math.hypot(p[0] - x, p[1] - y) : Infinity;
      if (d < least) [best, least] = [e, d];
    }
    return best;
  }

  hover(event) {
    const e = this.hit(event);
    if (!e) return tip.hide();
    const parts = STATES.filter((s) => e.counts[s]).map((s) => `${e.counts[s]} ${WORDS[s]}`);
    tip.show(event, `exposure ${e.obs_id}\nRA ${e.ra_deg.toFixed(4)}°, Dec ${e.dec_deg.toFixed(4)}°\n${parts.join(", ")}`);
  }
}

function counted(states) {
  const counts = {};
  for (const letter of states) if (LETTERS[letter]) counts[LETTERS[letter]] = (counts[LETTERS[letter]] || 0) + 1;
  return counts;
}
const total = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);
// The state that an exposure is shown in where its detectors cannot be told apart.
const leading = (c) => (c.failed ? "failed" : c.open ? "open" : c.stale ? "stale" : c.done && c.done === total(c) ? "done" : c.done ? "open" : "missing");
const area = (c) => Math.abs(c.reduce((s, p, k) => { const q = c[(k + 1) % c.length]; return s + p[0] * q[1] - q[0] * p[1]; }, 0)) / 2;
const middle = (c) => [0, 1].map((k) => c.reduce((s, p) => s + p[k], 0) / c.length);
