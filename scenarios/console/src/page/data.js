"use strict";
// Asking the service, and saying numbers.

const $ = (id) => document.getElementById(id);

const access = { token: sessionStorage.getItem("token") };
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.has("token")) {
  access.token = fragment.get("token");
  sessionStorage.setItem("token", access.token);
  fragment.delete("token");
  history.replaceState(null, "", location.pathname + (fragment.size ? "#" + fragment : ""));
}

class TokenNeeded extends Error {}

async function ask(path) {
  const headers = access.token ? { Authorization: "Bearer " + access.token } : {};
  const response = await fetch(path, { headers, signal: AbortSignal.timeout(30000) });
  if (response.status === 401) throw new TokenNeeded("a token is needed");
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Error(problem.detail || response.statusText);
  }
  return response;
}

const askJson = async (path) => (await ask(path)).json();

// Pictures go the same way as all else, so that a token is sent for them too.
const pictures = new Map();
function picture(path) {
  if (!pictures.has(path)) {
    const made = ask(path).then((r) => r.blob()).then((b) => URL.createObjectURL(b));
    made.catch(() => pictures.delete(path));
    pictures.set(path, made);
    if (pictures.size > 120) {
      const [oldest, url] = pictures.entries().next().value;
      pictures.delete(oldest);
      url.then((u) => URL.revokeObjectURL(u), () => {});
    }
  }
  return pictures.get(path);
}

// An element: attributes, then children; texts are texts.
function make(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "line", "text", "path", "title", "circle"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((c) => c !== null && c !== undefined));
  return element;
}

const STATES = ["done", "open", "failed", "stale", "missing"];
const WORDS = { done: "done", open: "at work", failed: "failed", stale: "stale", missing: "to do" };
const LETTERS = { d: "done", o: "open", f: "failed", s: "stale", m: "missing" };
const whole = (n) => Math.round(n).toLocaleString("en").replace(/,/g, "\u2009");

function figure(n, digits = 3) {
  if (!isFinite(n)) return "–";
  if (Math.abs(n) >= 1000) return whole(n);
  return n === 0 ? "0" : Number(n.toPrecision(digits)).toString();
}

// Text and unit of a length of time.
function span(s) {
  if (s === null || s === undefined) return "–";
  if (s < 100) return figure(s, 2) + " s";
  if (s < 5400) return Math.round(s / 60) + " min";
  if (s < 36 * 3600) return `${Math.floor(s / 3600)} h ${String(Math.round((s % 3600) / 60) % 60).padStart(2, "0")} min`;
  return figure(s / 86400, 2) + " d";
}

function bytes(n) {
  const [value, unit] = [[1e15, "PB"], [1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]].find(([v]) => n >= v) || [1, "B"];
  return [figure(n / value), unit];
}

const many = (n, one, more) => `${whole(n)} ${n === 1 ? one : more || one + "s"}`;
const core = (s) => (s >= 360 ? [figure(s / 3600), "core-h"] : [figure(s), "core-s"]);
const memory = (mb) => (mb >= 1000 ? figure(mb / 1024) + " GiB" : figure(mb) + " MiB");
const two = (n) => String(n).padStart(2, "0");
const hour = (t) => { const d = new Date(1000 * t); return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`; };
const day = (t) => new Date(1000 * t).toLocaleDateString("en-GB", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" });
const second = (t) => `${hour(t)}:${two(new Date(1000 * t).getUTCSeconds())}`;
const moment = (t) => `${day(t)} ${hour(t)} UTC`;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const tip = {
  show(event, text) {
    const box = $("tip");
    box.textContent = text;
    box.hidden = false;
    const [w, h] = [box.offsetWidth, box.offsetHeight];
    box.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - w - 8)) + "px";
    box.style.top = (event.clientY + 18 + h > innerHeight ? event.clientY - h - 12 : event.clientY + 18) + "px";
  },
  hide() { $("tip").hidden = true; },
};

// A canvas in the pixels of the screen, with sizes in those of the page.
function sized(canvas) {
  const box = canvas.getBoundingClientRect();
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(box.width * scale);
  canvas.height = Math.round(box.height * scale);
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  return { pen, width: box.width, height: box.height };
}
