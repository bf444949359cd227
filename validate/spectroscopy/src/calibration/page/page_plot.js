"use strict";
// Canvases that share one axis of detector columns.
const LEFT = 54, RIGHT = 12;
const COLOUR = { used: "#1f6fb2", outlier: "#c77700", overlap: "#c77700", faint: "#98a2af", flagged: "#98a2af", profile: "#98a2af", saturated: "#98a2af", manual: "#c02f3b", added: "#2b8a4b" };
const SIGN = { ink: "#1c2430", soft: "#5b6675", rule: "#e3e8ee" };

class Plot {
  constructor(id) {
    this.canvas = document.getElementById(id);
    this.spots = [];
  }
  begin(x, y, bottom = 22, top = 6) {
    const ratio = window.devicePixelRatio || 1, width = this.canvas.clientWidth, height = +this.canvas.dataset.height;
    this.canvas.style.height = height + "px";
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const c = this.c = this.canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    c.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    this.box = { left: LEFT, right: width - RIGHT, top, bottom: height - bottom };
    this.xr = x;
    this.yr = y;
    this.spots = [];
  }
  px(x) { return this.box.left + (x - this.xr[0]) / (this.xr[1] - this.xr[0]) * (this.box.right - this.box.left); }
  py(y) { return this.box.bottom - (y - this.yr[0]) / (this.yr[1] - this.yr[0]) * (this.box.bottom - this.box.top); }
  x(px) { return this.xr[0] + (px - this.box.left) / (this.box.right - this.box.left) * (this.xr[1] - this.xr[0]); }
  y(py) { return this.yr[0] + (this.box.bottom - py) / (this.box.bottom - this.box.top) * (this.yr[1] - this.yr[0]); }
  inside(px, py) { const b = this.box; return b && px >= b.left && px <= b.right && py >= b.top && py <= b.bottom; }
  axes(label, format = v => v.toString(), bottomLabel = "", yTicks = null) {
    const c = this.c, b = this.box;
    c.lineWidth = 1;
    c.textBaseline = "middle";
    for (const v of yTicks || ticks(this.yr[0], this.yr[1], 5)) {
      const y = Math.round(this.py(v)) + 0.5;
      if (y < b.top - 1 || y > b.bottom + 1) continue;
      c.strokeStyle = SIGN.rule;
      line(c, b.left, y, b.right, y);
      c.fillStyle = SIGN.soft;
      c.textAlign = "right";
      c.fillText(format(v), b.left - 5, y);
    }
    c.textAlign = "center";
    c.textBaseline = "top";
    for (const v of ticks(this.xr[0], this.xr[1], 10)) {
      const x = Math.round(this.px(v)) + 0.5;
      c.strokeStyle = SIGN.soft;
      line(c, x, b.bottom, x, b.bottom + 4);
      c.fillStyle = SIGN.soft;
      c.fillText(v.toString(), x, b.bottom + 6);
    }
    c.strokeStyle = SIGN.soft;
    c.strokeRect(b.left + 0.5, b.top + 0.5, b.right - b.left - 1, b.bottom - b.top - 1);
    c.save();
    c.translate(9, (b.top + b.bottom) / 2);
    c.rotate(-Math.PI / 2);
    c.textAlign = "center";
    c.textBaseline = "middle";
    c.fillText(label, 0, 0);
    c.restore();
    if (bottomLabel) {
      c.textAlign = "right";
      c.textBaseline = "bottom";
      c.fillText(bottomLabel, b.right, b.bottom + 33);
    }
  }
  clip(draw) {
    const b = this.box, c = this.c;
    c.save();
    c.beginPath();
    c.rect(b.left, b.top, b.right - b.left, b.bottom - b.top);
    c.clip();
    draw(c);
    c.restore();
  }
  dot(x, y, error, fate, added, spot) {
    const c = this.c, b = this.box, inside = y >= this.yr[0] && y <= this.yr[1];
    const px = this.px(x), py = Math.min(Math.max(this.py(y), b.top + 5), b.bottom - 5);
    if (px < b.left || px > b.right) return;
    c.strokeStyle = c.fillStyle = added && fate === "used" ? COLOUR.added : COLOUR[fate];
    if (error && inside) line(c, px, Math.max(this.py(y + error), b.top), px, Math.min(this.py(y - error), b.bottom));
    c.beginPath();
    if (inside) c.arc(px, py, 4, 0, 7);
    else { const up = y > this.yr[1] ? -1 : 1; c.moveTo(px - 4, py - 3 * up); c.lineTo(px + 4, py - 3 * up); c.lineTo(px, py + 4 * up); c.closePath(); }
    fate === "used" ? c.fill() : (c.lineWidth = 1.5, c.stroke(), c.lineWidth = 1);
    if (spot) this.spots.push({ px, py, ...spot });
  }
  nearest(px, py, reach = 10) {
    let best = null, least = reach;
    for (const s of this.spots) {
      const d = s.box ? (px >= s.box[0] && px <= s.box[2] && py >= s.box[1] && py <= s.box[3] ? 0 : 1e9) : Math.hypot(s.px - px, s.py - py);
      if (d < least) { least = d; best = s; }
    }
    return best;
  }
}

function line(c, a, b, d, e) { c.beginPath(); c.moveTo(a, b); c.lineTo(d, e); c.stroke(); }

function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough)), step = power * ([1, 2, 5, 10].find(s => s * power >= rough) || 10);
  const out = [];
  for (let k = Math.ceil(low / step); k * step <= high + 1e-9 * step; k++) out.push(+(k * step).toPrecision(10));
  return out;
}

// Value of a polynomial of the engine.
function value(p, x) {
  const u = (x - p.centre) / p.half;
  return p.coefficients.reduceRight((sum, c) => sum * u + c, 0);
}

function percentile(values, share) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : 0;
}

// Largest size among used residuals, for an axis that shows them and leaves outliers at its edge.
function reach(residuals, least) {
  return Math.max(least, 1.6 * Math.max(0, ...residuals.map(Math.abs)));
}
