"use strict";

// Reads the text of a CSV file as a window of a request, by the rules of the command line where these apply.

// What pandas reads as a missing value.
const MISSING = new Set(["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
  "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]);
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const WITH_COMMA = /^[-+]?\d*,\d+(e[-+]?\d+)?$/i;

// A function's arguments, as of Math.max, may not be as many as the rows of a file.
const greatest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
const brief = (cell) => `"${cell.slice(0, 40)}"`;

// The separator that the first line has most often outside of quotes.
function separatorOf(text) {
  const first = text.split("\n", 1)[0].replace(/"[^"]*"/g, "");
  return [",", ";", "\t"].reduce((a, b) => (first.split(b).length > first.split(a).length ? b : a));
}

// Rows of cells, empty lines left out; fields may be in quotes.
function readCSV(text) {
  text = text.replace(/^\uFEFF/, "");
  const separator = separatorOf(text);
  const rows = [];
  let row = [], field = "", quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') field += c;
      else if (text[i + 1] === '"') field += text[++i];
      else quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === separator) { row.push(field.trim()); field = ""; }
    else if (c === "\n") { row.push(field.trim()); rows.push(row); row = []; field = ""; }
    else if (c !== "\r") field += c;
  }
  if (quoted) throw new Error("expected a quote at the end of every field that begins with one, got none");
  rows.push([...row, field.trim()]);
  return { rows: rows.filter((each) => each.some((cell) => cell !== "")), separator };
}

// Whether numbers have a decimal comma. A point and a comma in one file could also separate thousands.
function hasDecimalComma(cells, separator) {
  const withComma = cells.filter((cell) => WITH_COMMA.test(cell));
  if (!withComma.length) return false;
  const point = cells.find((cell) => NUMBER.test(cell) && cell.includes("."));
  const thousands = withComma.every((cell) => /^[-+]?[1-9]\d{0,2},\d{3}$/.test(cell));
  if (separator === "," || point !== undefined || (separator === "\t" && thousands)) {
    const other = point === undefined ? "which could be thousands" : `and ${brief(point)}`;
    throw new Error(`expected numbers with one decimal mark, a point, or a comma in a file separated by ; or tab, got ${brief(withComma[0])} ${other}`);
  }
  return true;
}

function toNumber(cell, comma, place) {
  const written = comma ? cell.replace(",", ".") : cell;
  const value = NUMBER.test(written) ? Number(written) : NaN;
  if (!Number.isFinite(value)) throw new Error(`expected a number in ${place}, got ${brief(cell)}`);
  return value;
}

// A value of a covariate: a word, a number, or true and false; null where it is missing.
function toValue(cell, column, comma, place) {
  if (MISSING.has(cell)) return null;
  if (column.kind === "category") return cell;
  if (/^(true|True|TRUE|false|False|FALSE)$/.test(cell)) return cell.toLowerCase() === "true";
  return toNumber(cell, comma, place);
}

const ISO = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?)?$/;
const CLOCK = "(?:(?:T|,?\\s+)(\\d{1,2}):(\\d\\d)(?::(\\d\\d))?)?$";
const YEAR_FIRST = new RegExp(`^(\\d{4})([-/. ])(\\d{1,2})\\2(\\d{1,2})${CLOCK}`);
const YEAR_LAST = new RegExp(`^(\\d{1,2})([-/.])(\\d{1,2})\\2(\\d{4})${CLOCK}`);

// Times as the server reads them. Others than ISO 8601 are rewritten; what is unknown here is left to the server.
function readTimes(cells, kind, place) {
  if (kind === "integer") return cells.map((cell, i) => toNumber(cell, false, `row ${i + 1}, ${place}`));
  if (kind === "period" || cells.every((cell) => ISO.test(cell))) return cells;
  const pattern = [YEAR_FIRST, YEAR_LAST].find((each) => each.test(cells[0]));
  const parts = pattern && cells.map((cell) => pattern.exec(cell));
  if (!pattern || parts.includes(null)) return cells;
  const orders = pattern === YEAR_FIRST ? ["ymd"] : ["dmy", "mdy"];
  const possible = orders.map((order) => parts.map((part) => written(part, order))).filter((each) => !each.includes(null));
  if (!possible.length)
    throw new Error(`expected all times in ${place} in one order of day and month, got others, such as ${brief(cells[0])}`);
  if (possible.every((each) => each.every((time, i) => time === possible[0][i]))) return possible[0];
  const regular = possible.filter(isSeries);
  if (regular.length === 1) return regular[0];
  const row = cells.findIndex((_, i) => possible[0][i] !== possible[1][i]);
  throw new Error(`expected times in ${place} with an unambiguous order of day and month, got ${brief(cells[row])}, which is ${possible[0][row].slice(0, 10)} or ${possible[1][row].slice(0, 10)}`);
}

// A date and a time of day in ISO 8601; null if it doesn't exist.
function written(part, order) {
  const [, first, , middle, last, hour = "0", minute = "00", second = "00"] = part;
  const of = { [order[0]]: Number(first), [order[1]]: Number(middle), [order[2]]: Number(last) };
  const date = new Date(Date.UTC(of.y, of.m - 1, of.d));
  const exists = date.getUTCMonth() === of.m - 1 && date.getUTCDate() === of.d;
  if (!exists || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  return `${date.toISOString().slice(0, 10)}T${hour.padStart(2, "0")}:${minute}:${second}`;
}

// Whether times ascend or descend, mostly at one step, of constant duration or of months.
function isSeries(times) {
  if (times.length < 3) return false;
  const stamps = times.map((time) => Date.parse(`${time}Z`));
  const dates = stamps.map((stamp) => new Date(stamp));
  const oneDay = dates.every((date) => date.getUTCDate() === dates[0].getUTCDate());
  const monthEnds = stamps.every((stamp) => new Date(stamp + 864e5).getUTCDate() === 1);
  const months = dates.map((date) => date.getUTCFullYear() * 12 + date.getUTCMonth());
  return isFilled(stamps) || ((oneDay || monthEnds) && isFilled(months));
}

function isFilled(stamps) {
  const steps = stamps.slice(1).map((stamp, i) => stamp - stamps[i]);
  if (!steps.every((step) => step > 0) && !steps.every((step) => step < 0)) return false;
  const counts = new Map();
  for (const step of steps) counts.set(Math.abs(step), (counts.get(Math.abs(step)) || 0) + 1);
  const most = greatest([...counts.values()]);
  const step = -greatest([...counts.keys()].filter((each) => counts.get(each) === most).map((each) => -each));
  return steps.length * step >= 0.5 * Math.abs(stamps[stamps.length - 1] - stamps[0]);
}

const listed = (names) => names.join(", ");

// The places of the targets, the covariates, the times and the series among the cells of a row.
function placesOf(head, width, model) {
  const find = (name) => head.indexOf(name);
  const given = ["known", "past", "static"].flatMap((role) => model.covariates[role].map((each) => ({ ...each, role, at: find(each.name) })));
  const covariates = given.filter((each) => each.role !== "static" || each.at >= 0);
  let targets = model.variables.map(find);
  const absent = [...model.variables.filter((_, i) => targets[i] < 0), ...covariates.filter((each) => each.at < 0).map((each) => each.name)];
  const wanted = targets.length;
  if (absent.length) {
    if (covariates.length || width < wanted || width > wanted + 1)
      throw new Error(`expected columns named ${listed([...model.variables, ...covariates.map((each) => each.name)])}, got ${listed(head) || `${width} without names`}`);
    targets = model.variables.map((_, i) => i + width - wanted);
  }
  const series = model.series_name === null ? -1 : find(model.series_name);
  const used = new Set([...targets, ...covariates.map((each) => each.at), series]);
  const named = model.time_name === null ? -1 : find(model.time_name);
  const time = named >= 0 ? named : [...Array(width).keys()].find((i) => !used.has(i));
  return { targets, covariates, time: model.times === "none" ? undefined : time, series };
}

// The rows of one series, where the table has a column of series.
function rowsOfSeries(body, at, name) {
  const names = [...new Set(body.map((row) => row[at] ?? ""))];
  const wanted = name === "" && names.length === 1 ? names[0] : name;
  const rows = body.filter((row) => (row[at] ?? "") === wanted);
  if (!rows.length) throw new Error(`expected the name of a series of the table (${listed(names.slice(0, 8))}), got ${brief(name)}`);
  return { rows, series: wanted };
}

// A window of a request, and the times of rows ahead: those after the last target, with known covariates only.
function toWindow(text, model, steps, name = "") {
  const { rows, separator } = readCSV(text);
  if (!rows.length) throw new Error("expected rows of a CSV file, got none");
  const isNumber = (cell) => NUMBER.test(cell) || WITH_COMMA.test(cell);
  const hasNames = model.variables.every((each) => rows[0].includes(each));
  const hasHead = hasNames || (!rows[0].some(isNumber) && rows.length > 1);
  const head = hasHead ? rows[0] : [];
  const whole = hasHead ? rows.slice(1) : rows;
  const long = whole.findIndex((row) => hasHead && row.length > head.length);
  if (long >= 0) throw new Error(`expected at most ${head.length} fields in every row, as in the header, got ${whole[long].length} in row ${long + 1}`);
  const places = placesOf(head, greatest(rows.map((row) => row.length)), model);
  const { rows: body, series } = places.series < 0 ? { rows: whole, series: name } : rowsOfSeries(whole, places.series, name);
  const column = (at) => body.map((row) => row[at] ?? "");
  const placed = (at) => `column ${head[at] || at + 1}`;
  const numeric = [...places.targets, ...places.covariates.filter((each) => each.kind === "number").map((each) => each.at)];
  const comma = hasDecimalComma(numeric.flatMap(column), separator);
  const targets = places.targets.map((at) => column(at).map((cell, i) =>
    MISSING.has(cell) ? null : toNumber(cell, comma, `row ${i + 1}, ${placed(at)}`)));
  const n = body.length - rowsAhead(targets, model, steps);
  const times = places.time === undefined ? null : readTimes(column(places.time), model.times, placed(places.time));
  const window = { values: Array.from({ length: n }, (_, i) => targets.map((each) => each[i])) };
  if (times) window.times = times.slice(0, n);
  if (model.is_panel) window.series = series;
  const end = n + (model.known_steps === null ? 0 : stepsRead(model, steps));
  for (const each of places.covariates) {
    const values = column(each.at).map((cell, i) => toValue(cell, each, comma, `row ${i + 1}, ${placed(each.at)}`));
    window[each.role] = window[each.role] || {};
    if (each.role !== "static") window[each.role][each.name] = values.slice(0, each.role === "known" ? end : n);
    else if (values.slice(0, n).some((value) => value !== values[0]))
      throw new Error(`expected one value in ${placed(each.at)}, which is static, got several`);
    else window.static[each.name] = values[0];
  }
  return { window, ahead: times && model.known_steps !== null ? times.slice(n, end) : [] };
}

// The steps ahead whose known covariates the network reads.
const stepsRead = (model, steps) => Math.ceil(steps / model.known_steps) * model.known_steps;

// The number of rows at the end without targets, for a model with known covariates.
function rowsAhead(targets, model, steps) {
  if (model.known_steps === null) return 0;
  const last = greatest(targets.map((each) => each.findLastIndex((value) => value !== null)));
  const n = targets[0].length - 1 - last, needed = stepsRead(model, steps);
  // more rows may be missing ones of the past
  if (n < needed || (n > needed && model.missing !== "error"))
    throw new Error(`expected ${needed} row${needed === 1 ? "" : "s"} ahead, with ${listed(model.covariates.known.map((each) => each.name))} and without ${listed(model.variables)}, got ${n}`);
  return n;
}

// Whether a time of the file is a time of an answer.
function isSameTime(time, answered, kind) {
  if (kind === "integer") return time === answered;
  if (kind === "period") return time.replace("-Q", "Q").startsWith(answered);
  if (/[T ].*(Z|[+-]\d\d(:?\d\d)?)$/.test(time)) return Date.parse(time) === Date.parse(answered);
  return time.replace(" ", "T") + "T00:00:00".slice(time.length - 10) === answered.slice(0, Math.max(19, time.length));
}

// The last rows of a window: earlier ones aren't read. Of a panel all are needed, for the scale of a new series.
function lastRows(window, model) {
  const start = model.is_panel ? 0 : Math.max(0, window.values.length - 4 * model.window_size);
  const cut = (columns) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.slice(start)]));
  const found = { ...window, values: window.values.slice(start) };
  if (window.times) found.times = window.times.slice(start);
  for (const role of ["known", "past"]) if (window[role]) found[role] = cut(window[role]);
  return found;
}
