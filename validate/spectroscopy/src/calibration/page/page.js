// The page: state from the server, four plots, clicks that become choices.
const $ = id => document.getElementById(id);
const plots = { image: new Plot("image"), points: new Plot("points"), spectrum: new Plot("spectrum"), lines: new Plot("lines") };
let session, data = null, rates, flags, history = [], busy = false;

async function get(path) { return answer(await fetch(path)); }
async function post(path, body) { return answer(await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })); }
async function answer(response) {
  const value = await response.json();
  if (!response.ok) throw new Error(value.detail || response.statusText);
  return value;
}
function say(text, bad) { $("message").textContent = text; $("message").className = bad ? "bad" : ""; }
const place = () => `frame=${encodeURIComponent($("frame").value)}&order=${$("order").value}`;
const mode = () => document.querySelector("input[name=mode]:checked").value;
const number = (v, digits) => v === null || v === undefined ? "–" : v.toFixed(digits);

async function load() {
  try {
    data = await get("/api/position?" + place());
    const buffer = await (await fetch("/api/pixels?" + place())).arrayBuffer(), n = data.region.columns * data.region.rows;
    rates = new Float32Array(buffer, 0, n);
    flags = new Uint16Array(buffer, 4 * n, n);
    history = [];
    const chosen = $("feature").value;
    $("feature").replaceChildren(...data.features.map(f => new Option(`${f.name} (${f.wavelength_nm.toFixed(2)} nm)`, f.name)));
    if (data.features.some(f => f.name === chosen)) $("feature").value = chosen;
    say("");
  } catch (e) { data = null; say(e.message, true); }
  show();
}

async function choose(edits, remember = true) {
  if (busy) return;
  busy = true;
  say("measuring …");
  const old = data.edits;
  try {
    data = await post("/api/edits", { frame: data.frame, order: data.order, edits });
    if (remember) history.push(old);
    say("measured again; not saved yet");
  } catch (e) { say(e.message, true); }
  busy = false;
  show();
}

const has = (list, item) => list.includes(item);
const without = (list, item) => list.filter(i => i !== item);

function togglePoint(p) {
  const e = structuredClone(data.edits);
  if (has(e.points_rejected, p.column)) e.points_rejected = without(e.points_rejected, p.column);
  else if (has(e.points_kept, p.column)) e.points_kept = without(e.points_kept, p.column);
  else if (p.added) e.points_added = e.points_added.filter(c => binOf(c.x) !== p.column);
  else if (p.fate === "used") e.points_rejected.push(p.column);
  else e.points_kept.push(p.column);
  choose(e);
}
const binOf = x => Math.floor(Math.round(x) / session.settings.bin) * session.settings.bin;

function toggleLine(l) {
  const e = structuredClone(data.edits);
  if (has(e.lines_rejected, l.name)) e.lines_rejected = without(e.lines_rejected, l.name);
  else if (has(e.lines_kept, l.name)) e.lines_kept = without(e.lines_kept, l.name);
  else if (l.added) e.lines_added = e.lines_added.filter(a => a.name !== l.name);
  else if (l.fate === "used") e.lines_rejected.push(l.name);
  else e.lines_kept.push(l.name);
  choose(e);
}

const range = () => [data.region.x - 0.5, data.region.x + data.region.columns - 0.5];
const fitRow = x => { const t = data.measurement && data.measurement.trace; return t ? data.y0 + value(t.polynomial, x - data.x0) : null; };

function show() {
  const present = data && data.measurement;
  document.querySelectorAll("canvas").forEach(c => c.style.visibility = present ? "visible" : "hidden");
  for (const id of ["figures", "linetable", "choices"]) $(id).replaceChildren();
  $("problem").textContent = "";
  $("undo").disabled = !history.length;
  if (!present) return;
  $("place").textContent = `detector ${session.detector}, ${session.band}`;
  drawImage();
  drawPoints();
  drawSpectrum();
  drawLines();
  tables();
}

function drawImage() {
  const r = data.region, p = plots.image, c0 = $("contrast").value / 100, straight = $("straight").checked && data.measurement.trace;
  p.begin(range(), straight ? [-28.5, 28.5] : [r.y - 0.5, r.y + r.rows - 0.5]);
  const all = Array.from(rates), low = percentile(all, 0.25), spread = Math.max(percentile(all, 0.84) - percentile(all, 0.5), 1e-6);
  const high = low + spread * 10 ** (3 - 2.6 * c0), kind = $("stretch").value;
  const scale = v => {
    const u = Math.max(0, (v - low + 2 * spread) / (high - low + 2 * spread));
    return Math.min(1, kind === "linear" ? u : kind === "sqrt" ? Math.sqrt(u) : Math.asinh(12 * u) / Math.asinh(12));
  };
  const rows = straight ? 57 : r.rows, picture = new ImageData(r.columns, rows);
  for (let j = 0; j < rows; j++) for (let i = 0; i < r.columns; i++) {
    const row = straight ? Math.round(fitRow(r.x + i)) + j - 28 - r.y : j, k = row * r.columns + i, o = 4 * ((rows - 1 - j) * r.columns + i);
    const there = row >= 0 && row < r.rows, g = there ? 255 - 255 * scale(rates[k]) : 225, bad = there && $("showflags").checked && flags[k];
    picture.data.set(bad ? [214, 72, 72, 255] : [g, g, g, 255], o);
  }
  const buffer = document.createElement("canvas");
  buffer.width = r.columns;
  buffer.height = rows;
  buffer.getContext("2d").putImageData(picture, 0, 0);
  p.clip(c => {
    c.imageSmoothingEnabled = false;
    c.drawImage(buffer, p.box.left, p.box.top, p.box.right - p.box.left, p.box.bottom - p.box.top);
    const trace = data.measurement.trace;
    if (!trace) return;
    const bottom = x => straight ? Math.round(fitRow(x)) : 0;
    for (const side of [-7, 0, 7]) {
      c.strokeStyle = side ? "rgba(31,111,178,.85)" : "rgba(31,111,178,.45)";
      c.beginPath();
      for (let x = r.x; x < r.x + r.columns; x += 2) c.lineTo(p.px(x), p.py(fitRow(x) - bottom(x) + side));
      c.setLineDash(side ? [2, 4] : []);
      c.stroke();
    }
    c.setLineDash([]);
    for (const q of trace.points) {
      const x = q.dx + data.x0;
      if (q.fate !== "faint") p.dot(x, q.dy + data.y0 - bottom(x), 0, q.fate, q.added, { point: q });
    }
  });
  p.axes(straight ? "row - fit" : "row");
}

function drawPoints() {
  const trace = data.measurement.trace, p = plots.points, points = trace ? trace.points : [];
  const top = reach(points.filter(q => q.fate === "used").map(q => q.residual), 0.15);
  p.begin(range(), [-top, top]);
  p.axes("pixel", v => v.toFixed(2));
  // Faint points far off say nothing: they stay off the plot.
  for (const q of points.filter(q => q.fate !== "faint" || Math.abs(q.residual) < top)) p.dot(q.dx + data.x0, q.residual, q.error, q.fate, q.added, { point: q });
}

function drawSpectrum() {
  const s = data.measurement.spectrum, p = plots.spectrum;
  if (!s) { p.begin(range(), [0, 1]); p.axes("electron/s"); return; }
  const top = Math.max(...s.rate.filter(Number.isFinite)), log = $("log").checked, base = Math.max(top * 3e-4, 0.3);
  const f = v => log ? Math.asinh(Math.max(v, -base) / base) : v;
  const all = s.rate.filter(Number.isFinite).map(f);
  p.begin(range(), [Math.min(0, ...all), f(top) * 1.5]);
  const decades = log ? [0, ...Array.from({ length: 7 }, (_, k) => 10 ** (k - 1)).filter(v => v > base && v < 2 * top)] : null;
  if (log) p.axes("electron/s", v => String(+(base * Math.sinh(v)).toPrecision(1)), "", decades.map(f)); else p.axes("electron/s");
  p.clip(c => {
    c.strokeStyle = SIGN.ink;
    c.beginPath();
    let pen = false;
    s.rate.forEach((v, i) => {
      if (v === null) { pen = false; return; }
      const y = p.py(f(v)), x = s.from + i;
      if (!pen) c.moveTo(p.px(x - 0.5), y); else c.lineTo(p.px(x - 0.5), y);
      c.lineTo(p.px(x + 0.5), y);
      pen = true;
    });
    c.stroke();
  });
  labels(p);
}

// Labels in rows above the spectrum, moved apart, each with a leader to its line.
function labels(p) {
  const d = data.measurement.dispersion, c = p.c;
  if (!d) return;
  const ends = [];
  c.textBaseline = "middle";
  c.textAlign = "center";
  for (const l of [...d.lines].sort((a, b) => a.dx - b.dx)) {
    const x = p.px(l.dx + data.x0), text = l.name + (l.blended.length > 1 ? " +" : ""), width = c.measureText(text).width + 8;
    if (x < p.box.left || x > p.box.right) continue;
    const middle = Math.min(Math.max(x, p.box.left + width / 2 + 2), p.box.right - width / 2 - 2);
    let level = 0;
    while (level < 5 && (ends[level] || 0) > middle - width / 2) level++;
    ends[level] = middle + width / 2 + 2;
    const y = p.box.top + 9 + 15 * level, colour = l.added && l.fate === "used" ? COLOUR.added : COLOUR[l.fate];
    c.strokeStyle = c.fillStyle = colour;
    c.globalAlpha = 0.35;
    line(c, x, y + 7, x, p.box.bottom);
    c.globalAlpha = 1;
    c.fillStyle = "#fff";
    c.fillRect(middle - width / 2, y - 7, width, 14);
    c.strokeRect(middle - width / 2, y - 7, width, 14);
    c.fillStyle = colour;
    c.fillText(text, middle, y);
    if (l.fate === "manual") line(c, middle - width / 2, y, middle + width / 2, y);
    p.spots.push({ px: middle, py: y, box: [middle - width / 2, y - 7, middle + width / 2, y + 7], line: l });
  }
}

function drawLines() {
  const d = data.measurement.dispersion, p = plots.lines, all = d ? d.lines : [];
  const top = reach(all.filter(l => l.fate === "used").map(l => l.residual_px), 0.15);
  p.begin(range(), [-top, top], 34);
  p.axes("pixel", v => v.toFixed(2), "column on the detector [pixel]");
  for (const l of all) p.dot(l.dx + data.x0, l.residual_px, l.error_px, l.fate, l.added, { line: l });
}

function row(cells, head) {
  const tr = document.createElement("tr");
  for (const cell of cells) { const td = document.createElement(head ? "th" : "td"); td.textContent = cell; tr.append(td); }
  return tr;
}
const wrong = f => Object.values(f.points_left).reduce((a, b) => a + b, 0);

function tables() {
  const b = data.before, n = data.now, m = data.measurement;
  $("figures").replaceChildren(row(["", "without choices", "now"], true),
    row(["reference column, row [pixel]", data.x0.toFixed(2), data.y0.toFixed(2)]),
    row(["trace points used", b.points_used, n.points_used]), row(["… not used", wrong(b), wrong(n)]),
    row(["trace rms [pixel]", number(b.trace_rms_px, 4), number(n.trace_rms_px, 4)]),
    row(["lines used", b.lines_used.length, n.lines_used.length]), row(["… not used", b.lines_left.length, n.lines_left.length]),
    row(["line rms [pixel]", number(b.line_rms_px, 4), number(n.line_rms_px, 4)]),
    row(["line rms [nm]", number(b.line_rms_nm, 4), number(n.line_rms_nm, 4)]),
    ...(m.dispersion ? [row(["shift from the guess [pixel]", "", number(m.dispersion.shift_scale[0], 1)]), row(["scale of the guess", "", number(m.dispersion.shift_scale[1], 4)])] : []));
  $("problem").textContent = m.problem || "";
  const lines = m.dispersion ? [...m.dispersion.lines].sort((a, c) => a.wavelength_nm - c.wavelength_nm) : [];
  $("linetable").replaceChildren(row(["line", "nm (vacuum)", "S/N", "residual", ""], true), ...lines.map(l => {
    const tr = row([l.name, l.wavelength_nm.toFixed(3), Math.round(l.snr), number(l.residual_px, 3), l.fate]);
    tr.className = "clickable" + (l.fate === "used" ? "" : " off");
    tr.title = l.blended.length > 1 ? "fitted together: " + l.blended.join(", ") : "click to reject or take back";
    tr.onclick = () => toggleLine(l);
    return tr;
  }));
  const e = data.edits, items = [];
  const item = (text, change) => items.push([text, change]);
  e.points_rejected.forEach(v => item(`point at column ${v} rejected`, c => c.points_rejected = without(c.points_rejected, v)));
  e.points_kept.forEach(v => item(`point at column ${v} kept`, c => c.points_kept = without(c.points_kept, v)));
  e.points_added.forEach((v, i) => item(`point added at (${v.x.toFixed(1)}, ${v.y.toFixed(1)})`, c => c.points_added.splice(i, 1)));
  e.lines_rejected.forEach(v => item(`${v} rejected`, c => c.lines_rejected = without(c.lines_rejected, v)));
  e.lines_kept.forEach(v => item(`${v} kept`, c => c.lines_kept = without(c.lines_kept, v)));
  e.lines_added.forEach((v, i) => item(`${v.name} identified at ${v.x.toFixed(1)}`, c => c.lines_added.splice(i, 1)));
  $("choices").replaceChildren(...(items.length ? items : [["none", null]]).map(([text, change]) => {
    const li = document.createElement("li");
    li.textContent = text;
    if (change) {
      const button = document.createElement("button");
      button.textContent = "×";
      button.title = "take this choice back";
      button.onclick = () => { const copy = structuredClone(data.edits); change(copy); choose(copy); };
      li.append(button);
    }
    return li;
  }));
}

async function fitField() {
  $("fitfield").disabled = true;
  say("measuring all positions …");
  try {
    const f = await get("/api/field?order=" + $("order").value), cv = (v, k, q) => v[k] ? v[k].cross_validation[q] : null;
    const rows = [row(["", "without choices", "now"], true)];
    const add = (text, pick, digits) => rows.push(row([text, number(pick(f.before), digits), number(pick(f.now), digits)]));
    add("positions used", v => v.wavelength ? v.wavelength.positions_used.length : null, 0);
    add("left out: wavelength rms [pixel]", v => cv(v, "wavelength", "rms_px"), 4);
    add("… [nm]", v => cv(v, "wavelength", "rms_nm"), 4);
    add("… [km/s]", v => cv(v, "wavelength", "rms_km_s"), 1);
    add("… worst [pixel]", v => cv(v, "wavelength", "worst_px"), 3);
    add("left out: trace rms [pixel]", v => cv(v, "trace", "rms_px"), 4);
    $("field").replaceChildren(...rows);
    say(f.now.problem || "", !!f.now.problem);
  } catch (e) { say(e.message, true); }
  $("fitfield").disabled = false;
}

function clicked(name, event) {
  if (!data || !data.measurement || busy) return;
  const p = plots[name], px = event.offsetX, py = event.offsetY;
  if (mode() === "add" && name === "image" && p.inside(px, py)) {
    const x = p.x(px), e = structuredClone(data.edits), y = p.y(py) + ($("straight").checked && data.measurement.trace ? Math.round(fitRow(x)) : 0);
    e.points_added = e.points_added.filter(c => binOf(c.x) !== binOf(x));
    e.points_added.push({ x: +x.toFixed(2), y: +y.toFixed(2) });
    choose(e);
  } else if (mode() === "identify" && name === "spectrum" && p.inside(px, py)) {
    const e = structuredClone(data.edits), line = $("feature").value;
    e.lines_added = e.lines_added.filter(l => l.name !== line);
    e.lines_added.push({ name: line, x: +p.x(px).toFixed(2) });
    choose(e);
  } else if (mode() === "toggle") {
    const spot = p.nearest(px, py);
    if (spot && spot.point) togglePoint(spot.point);
    if (spot && spot.line) toggleLine(spot.line);
  }
}

function hovered(name, event) {
  const p = plots[name];
  if (!data || !data.measurement || !p.inside(event.offsetX, event.offsetY)) return;
  const x = p.x(event.offsetX), m = data.measurement, parts = [`column ${x.toFixed(1)}`], spot = p.nearest(event.offsetX, event.offsetY);
  if (m.dispersion) parts.push(`${value(m.dispersion.polynomial, x - data.x0).toFixed(2)} nm`);
  if (name === "image" && !$("straight").checked) {
    const y = Math.round(p.y(event.offsetY)), k = (y - data.region.y) * data.region.columns + Math.round(x) - data.region.x;
    parts.push(`row ${y}`, `rate ${(rates[k] ?? NaN).toFixed(3)} electron/s`, `flags ${flags[k] ?? "–"}`);
  }
  if (m.spectrum) { const v = m.spectrum.rate[Math.round(x) - m.spectrum.from]; if (v !== undefined && v !== null) parts.push(`spectrum ${v.toFixed(2)} electron/s`); }
  if (spot && spot.point) parts.push(`point ${spot.point.column}: residual ${spot.point.residual.toFixed(3)} px, S/N ${spot.point.snr.toFixed(0)}, ${spot.point.fate}`);
  if (spot && spot.line) parts.push(`${spot.line.name}: residual ${spot.line.residual_px.toFixed(3)} px, S/N ${spot.line.snr.toFixed(0)}, ${spot.line.fate}`);
  $("readout").textContent = parts.join("   ·   ");
}

async function start() {
  session = await get("/api/session");
  $("frame").replaceChildren(...session.frames.map(f => new Option(`${f.name} (${f.calibrator.replace("_", " ")})`, f.name)));
  $("order").replaceChildren(...session.orders.map(o => new Option(o > 0 ? "+" + o : o, o)));
  const asked = new URLSearchParams(location.search);
  for (const id of ["frame", "order"]) if (asked.get(id)) $(id).value = asked.get(id);
  for (const id of ["frame", "order"]) $(id).onchange = load;
  for (const id of ["stretch", "contrast", "straight", "showflags", "log"]) $(id).oninput = show;
  const step = by => { const s = $("frame"); s.selectedIndex = (s.selectedIndex + by + s.length) % s.length; load(); };
  $("previous").onclick = () => step(-1);
  $("next").onclick = () => step(1);
  document.onkeydown = e => { if (!/INPUT|SELECT/.test(e.target.tagName)) { if (e.key === "ArrowLeft") step(-1); if (e.key === "ArrowRight") step(1); } };
  for (const name in plots) { const c = plots[name].canvas; c.onclick = e => clicked(name, e); c.onmousemove = e => hovered(name, e); }
  $("undo").onclick = () => { if (history.length && !busy) choose(history.pop(), false); };
  $("clear").onclick = () => { const e = structuredClone(data.edits); for (const k in e) e[k] = []; choose(e); };
  $("save").onclick = async () => { try { say("saved to " + (await post("/api/save", {})).saved); } catch (e) { say(e.message, true); } };
  $("save").disabled = !session.edits_path;
  $("finish").onclick = async () => { try { await post("/api/finish", {}); say("finished: this page can be closed"); document.querySelectorAll("button").forEach(b => b.disabled = true); } catch (e) { say(e.message, true); } };
  $("fitfield").onclick = fitField;
  window.onresize = show;
  await load();
  if (asked.get("field")) await fitField();
}
start().catch(e => say(e.message, true));
