"use strict";

// The page: sends rows of a CSV file to /predict, and draws the answer.

const at = (id) => document.getElementById(id);
let models = [];

function headers() {
  const key = at("key").value;
  return Object.assign({ "Content-Type": "application/json" }, key ? { "X-API-Key": key } : {});
}

function say(words, wrong = false) {
  at("message").textContent = words;
  at("message").className = wrong ? "wrong" : "";
}

async function ask(path, options = {}) {
  const answer = await fetch(path, { headers: headers(), ...options });
  if (answer.status === 401) at("key-label").hidden = false;
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.detail);
  return found;
}

async function listModels() {
  models = (await ask("/models")).models;
  at("model").replaceChildren(...models.map((model) => new Option(model.name, model.name)));
  showNeeds();
  say("");
}

const chosen = () => models.find((model) => model.name === at("model").value);

function showNeeds() {
  const model = chosen();
  const times = model.times === "none" ? "" : `, after a column of times${model.freq ? ` (step: ${model.freq})` : ""}`;
  const names = (role) => listed(model.covariates[role].map((each) => each.name));
  const beside = ["known", "past", "static"].filter(names).map((role) => `${names(role)} (${role})`);
  const ahead = model.known_steps === null ? "" : ` Rows ahead have ${names("known")}, and no ${listed(model.variables)}.`;
  at("needs").textContent =
    `${model.name} needs at least ${model.least_rows} rows of ${listed([...model.variables, ...beside])}${times}, the newest last.${ahead}`;
  at("horizon").value = model.horizon;
  at("series-label").hidden = !model.is_panel;
}

async function forecast() {
  const model = chosen(), steps = Number(at("horizon").value);
  const { window: whole, ahead } = toWindow(at("csv").value, model, steps, at("series").value);
  const window = lastRows(whole, model);
  // all steps for which the network reads known covariates, so that their times can be compared
  const horizon = model.known_steps === null ? steps : stepsRead(model, steps);
  const asked = { model: model.name, windows: [window], horizon };
  if (at("coverage").value) asked.coverage = Number(at("coverage").value);
  const answer = await ask("/predict", { method: "POST", body: JSON.stringify(asked) });
  const found = answer.forecasts[0];
  const wrong = ahead.findIndex((time, i) => !isSameTime(time, found.times[i], model.times));
  if (wrong >= 0) throw new Error(`expected ${found.times[wrong]} in row ${wrong + 1} of those ahead, got "${ahead[wrong]}"`);
  show(model, window, firstSteps(found, steps));
}

const firstSteps = (found, n) => ({
  times: found.times && found.times.slice(0, n),
  values: found.values.slice(0, n),
  intervals: found.intervals.map((each) => ({ ...each, lower: each.lower.slice(0, n), upper: each.upper.slice(0, n) })),
});

const column = (rows, i) => rows.map((row) => (Array.isArray(row) ? row[i] : row));

function show(model, window, found) {
  const past = Math.min(window.values.length, Math.max(48, 3 * found.values.length));
  const interval = found.intervals[0];
  at("charts").replaceChildren(...model.variables.map((name, i) => draw({
    name,
    past: column(window.values, i).slice(-past),
    ahead: column(found.values, i),
    lower: interval && column(interval.lower, i),
    upper: interval && column(interval.upper, i),
    times: [...(window.times ? window.times.slice(-past) : Array(past).fill("")), ...(found.times || found.values.map((_, k) => `+${k + 1}`))],
  })));
  at("table").textContent = table(model, found);
  at("table-box").hidden = false;
  say(`${found.values.length} steps ahead${interval ? `, with the ${Math.round(100 * interval.coverage)} % prediction interval` : ""}`);
}

function table(model, found) {
  const interval = found.intervals[0];
  const names = model.variables.flatMap((name) => (interval ? [name, `${name} lower`, `${name} upper`] : [name]));
  const rows = found.values.map((_, k) => {
    const each = model.variables.flatMap((_, i) =>
      [found.values, ...(interval ? [interval.lower, interval.upper] : [])].map((rows) => column(rows, i)[k]));
    return [found.times ? found.times[k] : k + 1, ...each].join(",");
  });
  return [["time", ...names].join(","), ...rows].join("\n");
}

const SVG = "http://www.w3.org/2000/svg";
const W = 900, H = 300, LEFT = 64, RIGHT = 12, TOP = 28, BOTTOM = 28;

function make(tag, attributes, words) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (words !== undefined) element.textContent = words;
  return element;
}

// About five round numbers, at steps of 1, 2 or 5.
function ticks(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(value);
  return found;
}

function draw({ name, past, ahead, lower, upper, times }) {
  const known = [...past, ...ahead, ...(lower || []), ...(upper || [])].filter((value) => value !== null);
  let low = Math.min(...known), high = Math.max(...known);
  if (low === high) { low -= 1; high += 1; }
  const n = past.length + ahead.length;
  const x = (i) => LEFT + (i / Math.max(1, n - 1)) * (W - LEFT - RIGHT);
  const y = (value) => TOP + ((high - value) / (high - low)) * (H - TOP - BOTTOM);
  const point = (value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`;
  const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `Forecast of ${name}` });
  svg.append(make("text", { x: LEFT, y: 16, class: "title" }, name));
  for (const value of ticks(low, high)) {
    svg.append(make("line", { x1: LEFT, x2: W - RIGHT, y1: y(value), y2: y(value), class: "grid" }));
    svg.append(make("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, Number(value.toPrecision(6))));
  }
  const roomy = x(past.length) - LEFT > 250 && W - x(past.length) > 250;
  for (const [i, anchor] of [[0, "start"], ...(roomy ? [[past.length, "middle"]] : []), [n - 1, "end"]])
    svg.append(make("text", { x: x(i), y: H - 8, "text-anchor": anchor }, times[i]));
  if (lower) {
    const edge = (values) => values.map((value, k) => point(value, past.length + k));
    svg.append(make("polygon", { points: [...edge(upper), ...edge(lower).reverse()].join(" "), class: "band" }));
  }
  svg.append(make("path", { d: path(past, 0, point), class: "past" }));
  const joined = past[past.length - 1] === null ? 0 : 1;
  const line = joined ? [past[past.length - 1], ...ahead] : ahead;
  svg.append(make("path", { d: path(line, past.length - joined, point), class: "ahead" }));
  showAtPointer(svg, { past, ahead, lower, upper, times, x, n });
  return svg;
}

// A line with gaps where values are missing.
function path(values, start, point) {
  let pen = "M";
  return values.map((value, i) => {
    if (value === null) { pen = "M"; return ""; }
    const part = pen + point(value, start + i);
    pen = "L";
    return part;
  }).join("");
}

// Shows time, value and bounds at the pointer.
function showAtPointer(svg, { past, ahead, lower, upper, times, x, n }) {
  const cursor = make("line", { y1: TOP, y2: H - BOTTOM, class: "cursor", visibility: "hidden" });
  const words = make("text", { x: W - RIGHT, y: 16, "text-anchor": "end" }, "");
  svg.append(cursor, words);
  const short = (value) => (value === null ? "missing" : Number(value.toPrecision(5)));
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const share = ((event.clientX - box.left) * (W / box.width) - LEFT) / (W - LEFT - RIGHT);
    const i = Math.min(n - 1, Math.max(0, Math.round(share * (n - 1)))), k = i - past.length;
    cursor.setAttribute("x1", x(i));
    cursor.setAttribute("x2", x(i));
    cursor.setAttribute("visibility", "visible");
    const bounds = k >= 0 && lower ? ` (${short(lower[k])} to ${short(upper[k])})` : "";
    words.textContent = `${times[i]}  ${short(k < 0 ? past[i] : ahead[k])}${bounds}`;
  });
}

async function tried(action) {
  try {
    await action();
  } catch (error) {
    say(error.message, true);
  }
}

async function readFile(file) {
  at("csv").value = await file.text();
  await tried(forecast);
}

at("form").addEventListener("submit", (event) => { event.preventDefault(); tried(forecast); });
at("file").addEventListener("change", (event) => event.target.files[0] && readFile(event.target.files[0]));
at("model").addEventListener("change", showNeeds);
at("key").addEventListener("change", () => tried(listModels));
document.addEventListener("dragover", (event) => { event.preventDefault(); at("csv").classList.add("over"); });
document.addEventListener("dragleave", () => at("csv").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  at("csv").classList.remove("over");
  if (event.dataTransfer.files[0]) readFile(event.dataTransfer.files[0]);
});
tried(listModels);
