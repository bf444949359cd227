// The page: asks how the run stands, shows it, and asks again.

const POLL_MS = 2000;
const page = { run: fragment.get("run"), mark: null, drawn: 0, exposures: 0, busy: false, seen: 0, offset: 0, frames: "" };
const root = () => "/api/v1/runs/" + encodeURIComponent(page.run);
const sky = new Sky($("sky"), (e) => listUnits(`exposure ${e.obs_id}`, { obs_id: e.obs_id }));
const grid = new ChunkGrid($("chunks"), (c) => listUnits(`chunk ${c.chunk}`, { chunk: c.chunk }, c.chunk));

function alarm(text) {
  $("alarm").textContent = text || "";
  $("alarm").hidden = !text;
}

async function poll() {
  if (page.busy) return;
  page.busy = true;
  try {
    const { runs } = await askJson("/api/v1/runs");
    chooseRuns(runs);
    if (!page.run) {
      $("main").hidden = true;
      $("activity").textContent = "no run";
      alarm("There is no planned run here yet. `skyloop plan SURVEY --out RUN` makes one.");
    } else {
      const run = await askJson(root());
      page.offset = run.now - Date.now() / 1000;
      show(run);
      if (mark(run) !== page.mark) await details(run);
      alarm("");
    }
    page.seen = Date.now();
  } catch (error) {
    if (error instanceof TokenNeeded) askToken();
    else {
      alarm(`No answer: ${error.message}. Figures below are those of the last answer.`);
      $("activity").className = "pill";
    }
  }
  page.busy = false;
}

// What tells a state of a run from others, also after the service was started again.
const mark = (run) => [run.id, run.revision, run.last_event].join(" ");

function chooseRuns(runs) {
  if (!runs.some((r) => r.id === page.run)) page.run = runs.length ? (runs.find((r) => r.activity === "at_work") || runs[0]).id : null;
  $("runs-label").hidden = runs.length < 2;
  const options = runs.map((r) => r.id).join("\n");
  if ($("runs").dataset.options !== options) {
    $("runs").dataset.options = options;
    $("runs").replaceChildren(...runs.map((r) => make("option", { value: r.id }, r.id)));
  }
  $("runs").value = page.run;
}

const ACTIVITY = { waiting: "waiting to begin", at_work: "at work", stopped: "stopped", complete: "complete" };

function show(run) {
  const s = run.status;
  $("main").hidden = false;
  $("name").textContent = run.id;
  $("activity").textContent = ACTIVITY[run.activity];
  $("activity").className = "pill " + run.activity;
  const share = s.units ? s.done / s.units : 0;
  const percent = share === 1 ? "100" : (Math.floor(1000 * share) / 10).toFixed(1);
  document.title = `${percent} % · ${run.id} · Skyloop`;
  $("percent").textContent = percent;
  const counts = run.states;
  const bar = $("bar");
  if (!bar.children.length) bar.append(...STATES.map((state) => make("i", { class: state })));
  STATES.forEach((state, k) => { bar.children[k].style.width = (100 * counts[state]) / Math.max(1, s.units) + "%"; });
  bar.setAttribute("aria-valuenow", percent);
  bar.setAttribute("aria-label", `${s.done} of ${s.units} units done`);
  $("states").replaceChildren(...STATES.map((state) => make("li", {},
    make("button", { type: "button", class: counts[state] ? null : "none", "data-state": state, onclick: () => listUnits(WORDS[state], { state }) },
      make("i", { class: "swatch " + state }), make("b", {}, whole(counts[state])), make("span", {}, WORDS[state])))));
  const complete = run.activity === "complete";
  $("left-label").textContent = complete ? "took" : "time left";
  $("left").textContent = complete ? span(run.last_event - run.begun) : s.left_s === null ? "–" : span(s.left_s);
  $("eta").textContent = complete ? `until ${moment(run.last_event)}` : run.activity === "at_work" && s.left_s ? `done ${moment(run.now + s.left_s)}` : "";
  tiles(run);
  const note = `${s.chunks_done} of ${whole(s.chunks)} done`;
  $("chunks-note").textContent = note;
  $("pace").replaceChildren(paceChart(run.history, $("pace").clientWidth));
  $("bands").replaceChildren(bandTable(run.bands));
  slowest(run);
}

function tiles(run) {
  const { status: s, rates: r } = run;
  const [size, unit] = bytes(s.bytes);
  const factor = s.expected_s > 0 ? s.cpu_s / s.expected_s : null;
  const spent = core(s.cpu_s);
  const list = [
    ["objects per second", figure(r.objects_per_s), null, `${whole(s.objects)} objects in all`],
    ["written per second", figure(r.megabytes_per_s), "MB", `${size} ${unit} in all`],
    ["units per hour", figure(r.units_per_hour), null, `${whole(s.done)} of ${whole(s.units)}`],
    ["cores busy", figure(r.cores, 2), null, `in ${many(run.processes, "process", "processes")}`],
    ["processor time", spent[0], spent[1], (factor === null ? "" : `${figure(factor, 2)} × plan, `) + `planned ${core(run.planned_s).join(" ")}`],
    ["peak memory", s.peak_mb ? memory(s.peak_mb) : "–", null, `planned ${memory(run.planned_mb)} a unit`],
    ["exposures", whole(run.exposures), null, s.retried ? `${many(s.retried, "unit")} tried again` : `in ${many(s.chunks, "chunk")}`],
  ];
  $("tiles").replaceChildren(...list.map(([name, value, unit_, more]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, value, unit_ ? make("small", {}, " " + unit_) : null), make("dd", {}, more))));
}

function slowest(run) {
  if (!run.status.slowest.length) return $("slow").replaceChildren(make("p", { class: "note" }, "No unit is done yet."));
  const head = make("tr", {}, ...["unit", "took", "processor", "expected"].map((t, k) => make("th", { class: k ? "n" : null, scope: "col" }, t)));
  const row = (u) => make("tr", {}, make("td", {}, make("button", { type: "button", onclick: () => showUnit(u.unit) }, u.unit)),
    ...[u.wall_s, u.cpu_s, u.expected_s].map((v) => make("td", { class: "n" }, span(v))));
  $("slow").replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...run.status.slowest.map(row))));
}

// What is dear: asked for when the run has changed, and for large runs not every time.
async function details(run) {
  const pause = run.exposures > 500 ? 15000 : 0;
  const first = page.mark === null;
  await Promise.all([failures(), frames()]);
  if (first || Date.now() - page.drawn > pause || run.activity === "complete") {
    await Promise.all([coverage(), chunks()]);
    page.drawn = Date.now();
    page.mark = page.run === run.id ? mark(run) : null;
  }
}

async function all(path, name) {
  const [items, more] = [[], path.includes("?") ? "&" : "?"];
  for (;;) {
    const part = await askJson(`${root()}/${path}${more}offset=${items.length}`);
    items.push(...part[name]);
    if (!part[name].length || items.length >= part.total) return [items, part];
  }
}

async function coverage() {
  const [exposures, part] = await all("coverage", "exposures");
  sky.set(part.detectors, exposures);
  drawSky();
}

function drawSky() {
  const names = sky.regions.slice(0, 6).map((r, k) => { const [ra, dec] = radec(r.middle); return [k, `${ra.toFixed(1)}° ${dec < 0 ? "−" : "+"}${Math.abs(dec).toFixed(1)}°`]; });
  const views = sky.regions.length > 1 || (sky.regions[0] && sky.regions[0].radius < 60) ? [["all", "all sky"], ...names] : [["all", "all sky"]];
  $("views").replaceChildren(...views.map(([view, text]) =>
    make("button", { type: "button", "aria-pressed": String(view === sky.view), onclick: () => { sky.view = view; drawSky(); } }, text)));
  sky.draw();
  const done = sky.exposures.filter((e) => e.counts.done === total(e.counts)).length;
  const regions = sky.regions.length === 1 ? "one region" : `${sky.regions.length} regions`;
  $("sky-note").textContent = `${whole(done)} of ${whole(sky.exposures.length)} exposures complete, in ${regions}. ` +
    (sky.view === "all" ? "Choose a region to see its detectors." : "Each detector in the colour of its state; brighter where exposures overlap.");
}

async function chunks() {
  const [list] = await all("chunks", "chunks");
  grid.draw(list);
}

async function failures() {
  const { groups } = await askJson(root() + "/failures");
  const units = groups.reduce((sum, g) => sum + g.units, 0);
  $("failures-note").textContent = units ? `${whole(units)} units, ${groups.length} ${groups.length === 1 ? "reason" : "reasons"}` : "";
  const open = new Set([...document.querySelectorAll(".failure[open]")].map((d) => d.dataset.id));
  if (!groups.length) return $("failures").replaceChildren(make("p", { class: "good" }, "None."));
  $("failures").replaceChildren(...groups.map((g) => make("details", { class: "failure", "data-id": g.id, open: open.has(g.id) },
    make("summary", {}, make("b", {}, whole(g.units)), make("span", { class: "class" }, g.class), make("span", { class: "why" }, g.reason),
      make("span", { class: "note" }, g.retried ? "retry takes it up" : "not retried: change the input")),
    make("pre", {}, g.error),
    make("div", { class: "names" }, ...g.first_units.slice(0, 24).map((u) => make("button", { type: "button", onclick: () => showUnit(u.name) }, u.name)),
      make("button", { type: "button", onclick: () => listUnits(`${g.class}: ${g.reason}`, { state: "failed", reason: g.id }) }, `all ${whole(g.units)} …`)))));
}

async function frames() {
  const many = Math.max(6, Math.min(16, 2 * Math.floor($("frames").clientWidth / 180)));
  const { units } = await askJson(`${root()}/units?state=done&sort=recent&limit=${many}`);
  $("frames-note").textContent = units.length ? "raw frames without scans; asinh stretch" : "";
  const now = units.map((u) => `${u.unit} ${u.ended}`).join();
  if (now === page.frames && units.length) return;
  page.frames = now;
  if (!units.length) return $("frames").replaceChildren(make("li", { class: "note" }, "Frames appear here as units are done."));
  $("frames").replaceChildren(...units.map((u) => {
    const image = make("img", { alt: `frame of detector ${u.detector}, band ${u.band}, exposure ${u.obs_id}` });
    fill(image, u, 320);
    return make("li", {}, make("button", { type: "button", onclick: () => showUnit(u.name) }, image,
      make("span", { class: "text" }, make("b", {}, `${u.band} · detector ${two(u.detector)}`), make("br"), `${u.obs_id} · ${hour(u.ended)} UTC`)));
  }));
}

function fill(image, u, side) {
  picture(`${root()}/units/${u.unit}/picture?side=${side}`).then((url) => { image.src = url; }, (error) => {
    image.replaceWith(make("span", { class: "wait", title: error.message }, "no picture"));
  });
}

function dialog(title, ...body) {
  $("more-title").textContent = title;
  $("more-body").replaceChildren(...body);
  if (!$("more").open) $("more").showModal();
}

async function listUnits(title, query, chunk = null, offset = 0) {
  const limit = 20;
  const values = new URLSearchParams({ ...query, limit, offset });
  const { total: count, units } = await askJson(`${root()}/units?${values}`);
  const head = make("tr", {}, ...["unit", "state", "band", "chunk", "took", "peak memory", "objects", "error"].map((t, k) => make("th", { class: k > 3 && k < 7 ? "n" : null, scope: "col" }, t)));
  const row = (u) => make("tr", {},
    make("td", {}, make("button", { type: "button", onclick: () => showUnit(u.name) }, u.name)),
    make("td", {}, make("i", { class: "swatch " + u.state }), " " + WORDS[u.state]),
    make("td", {}, u.band), make("td", {}, String(u.chunk)),
    make("td", { class: "n" }, span(u.wall_s)), make("td", { class: "n" }, u.peak_mb ? memory(u.peak_mb) : "–"),
    make("td", { class: "n" }, u.objects === null ? "–" : whole(u.objects)), make("td", {}, u.error ? u.error.slice(0, 120) : ""));
  const turn = (by) => listUnits(title, query, chunk, offset + by);
  const pager = make("div", { class: "pager" },
    make("button", { type: "button", disabled: offset === 0, onclick: () => turn(-limit) }, "earlier"),
    make("button", { type: "button", disabled: offset + limit >= count, onclick: () => turn(limit) }, "later"),
    make("span", {}, count ? `${whole(offset + 1)} to ${whole(Math.min(count, offset + limit))} of ${whole(count)} units` : "no units"),
    chunk === null ? null : make("button", { type: "button", onclick: () => chunkLog(chunk) }, "log of the chunk"));
  dialog(title, make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...units.map(row)))), pager);
}

async function chunkLog(chunk) {
  const text = await (await ask(`${root()}/chunks/${chunk}/log?limit=500`)).text();
  const lines = text.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
  const said = lines.map((l) => `${moment(l.time)}  ${l.name}  ${l.outcome}${l.wall_s ? " in " + span(l.wall_s) : ""}  ${l.host}${l.error ? "  " + l.class + ": " + l.error : ""}`);
  dialog(`log of chunk ${chunk}`, make("pre", {}, said.join("\n") || "nothing yet"));
}

async function showUnit(name) {
  const u = await askJson(`${root()}/units/${encodeURIComponent(name)}`);
  const facts = [
    ["state", WORDS[u.state]], ["band", u.band], ["detector", u.detector], ["exposure", u.obs_id], ["chunk", u.chunk],
    ["boresight", `RA ${u.ra_deg.toFixed(5)}°, Dec ${u.dec_deg.toFixed(5)}°`], ["attempts", u.attempts], ["took", span(u.wall_s)],
    ["processor", `${span(u.cpu_s)} (expected ${span(u.expected_s)})`], ["peak memory", u.peak_mb ? memory(u.peak_mb) : "–"],
    ["objects", u.objects === null ? "–" : whole(u.objects)], ["host", u.host || "–"], ["file", u.path], ["key", u.key],
  ];
  const image = u.state === "done" ? make("img", { alt: `frame of ${u.name}` }) : null;
  if (image) fill(image, u, 1024);
  const left = image || make("pre", {}, u.error || "There is no frame yet.");
  const list = make("dl", {}, ...facts.flatMap(([k, v]) => [make("dt", {}, k), make("dd", {}, String(v))]));
  const said = u.journal.map((l) => `${moment(l.time)}  attempt ${l.attempt} at chunk ${l.chunk}: ${l.outcome}${l.error ? "\n    " + l.error : ""}`);
  dialog(u.name, make("div", { class: "unit" }, left, list), make("h2", {}, "Journal"), make("pre", {}, said.join("\n") || "nothing yet"));
}

function askToken() {
  $("ask-wrong").textContent = access.token ? "That was not the right one." : "";
  if (!$("ask").open) $("ask").showModal();
}

$("ask-form").addEventListener("submit", (event) => {
  event.preventDefault();
  access.token = $("token").value.trim();
  sessionStorage.setItem("token", access.token);
  $("ask").close();
  poll();
});
$("more-close").addEventListener("click", () => $("more").close());
$("more").addEventListener("click", (event) => { if (event.target === $("more")) $("more").close(); });
$("runs").addEventListener("change", () => {
  page.run = $("runs").value;
  page.mark = null;
  page.frames = "";
  sky.clear();
  history.replaceState(null, "", "#" + new URLSearchParams({ run: page.run }));
  poll();
});
let drawing = 0;
const redraw = () => { cancelAnimationFrame(drawing); drawing = requestAnimationFrame(() => { sky.regions.length && sky.draw(); grid.draw(); }); };
new ResizeObserver(redraw).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
setInterval(() => {
  const now = Date.now() / 1000 + page.offset;
  $("clock").textContent = new Date(1000 * now).toISOString().slice(11, 19) + " UTC";
  const age = page.seen ? (Date.now() - page.seen) / 1000 : 0;
  $("since").textContent = age > 3 * POLL_MS / 1000 ? `no answer for ${span(Math.round(age))}` : day(now);
}, 1000);
setInterval(poll, POLL_MS);
poll();
