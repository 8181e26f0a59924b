// Forecasts with an ONNX file of lstmforecast, from plain arrays.
//
//   npm install onnxruntime-web
//   node onnx_forecast.mjs model.onnx rows.json
//
// rows.json has the last window_size values of every column, and those of the columns that are known in advance:
//
//   {
//     "series": "north",
//     "rows": {"sales": [12.5, null, ...], "promo": [0, 1, ...], "weather": ["sun", "rain", ...], "kind": "large"},
//     "future": {"promo": [1, 0, ...], "weather": ["sun", "sun", ...]}
//   }
//
// null is a missing value; one value in place of an array is that of every row. "series" is for models of several
// series, "future" for columns that are known in advance. The features of the calendar are columns too. In a browser,
// fetch the two files in place of readFileSync.
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";

const [modelFile, rowsFile] = process.argv.slice(2);
const bytes = readFileSync(modelFile);
const metadata = metadataOf(bytes);
const session = await ort.InferenceSession.create(bytes);
const { forecast } = await session.run(inputsOf(metadata, JSON.parse(readFileSync(rowsFile, "utf8"))));
const values = Array.from(forecast.data);
if (!values.every(Number.isFinite)) throw new Error("the file can't forecast from these values");
const targets = metadata.targets.map((name, i) => [name, values.filter((_, at) => at % metadata.targets.length === i)]);
console.log(JSON.stringify(Object.fromEntries(targets)));

// The inputs of one window, as the metadata describe them.
function inputsOf(metadata, given) {
  const inputs = {};
  for (const [name, { shape, dtype, columns, before_the_series: padded }] of Object.entries(metadata.inputs)) {
    let rows;
    if (name === "scales" || name === "non_negative") {
      rows = [metadata[name][given.series]];
      if (!rows[0]) throw new Error(`expected a series of fit, got ${given.series}`);
    } else {
      rows = rowsOf(columns, given[name === "windows" ? "rows" : "future"] ?? {}, shape[1], padded !== undefined);
    }
    const numbers = dtype === "float32" ? Float32Array.from(rows.flat()) : Float64Array.from(rows.flat());
    inputs[name] = new ort.Tensor(dtype, numbers, [1, ...shape.slice(1)]);
  }
  return inputs;
}

// Rows of numbers, one for each column, from arrays by name.
function rowsOf(columns, table, size, mayBeShorter) {
  const length = Math.max(0, ...Object.values(table).map((values) => (Array.isArray(values) ? values.length : 1)));
  if (length > size || (length < size && !mayBeShorter)) throw new Error(`expected ${size} rows, got ${length}`);
  const byColumn = columns.map((column) => numbersOf(column, columns, table, length));
  const absent = Array.from({ length: size - length }, () => columns.map(() => NaN));
  return [...absent, ...Array.from({ length }, (_, row) => byColumn.map((numbers) => numbers[row]))];
}

// The numbers of a column: as they are, or made of words, or marks of missing values.
function numbersOf(column, columns, table, length) {
  if (column.constant !== undefined) return Array(length).fill(column.constant);
  if (column.marks !== undefined) {
    const marked = columns.find(({ name, source, marks }) => (source ?? name) === column.marks && marks === undefined);
    return numbersOf(marked, columns, table, length).map((value) => (Number.isNaN(value) ? 1 : 0));
  }
  const name = column.source ?? column.name;
  const values = Array.isArray(table[name]) ? table[name] : Array(length).fill(table[name]);
  const categories = columns.filter(({ source }) => source === name).map(({ category }) => category);
  if (values.length !== length) throw new Error(`expected ${length} values of ${name}, got ${values.length}`);
  return values.map((value) => {
    if (value === undefined) throw new Error(`expected a column ${name}`);
    if (value === null && column.nan !== "missing") throw new Error(`expected no missing values in ${name}`);
    if (value === null) return NaN;
    if (column.source === undefined && !["number", "boolean"].includes(typeof value)) {
      throw new Error(`expected numbers in ${name}, got ${value}`);
    }
    if (column.source === undefined) return Number(value);
    if (column.unknown === "error" && !categories.includes(String(value))) throw new Error(`${name} has no ${value}`);
    return String(value) === column.category ? 1 : 0;
  });
}

// The metadata of the file: entries of keys and values (fields 1 and 2) in field 14 of its Protocol Buffers message.
function metadataOf(bytes) {
  const text = new TextDecoder();
  const entries = [...fieldsOf(bytes)].filter(([field]) => field === 14).map(([, entry]) => {
    const parts = Object.fromEntries(fieldsOf(entry));
    return [text.decode(parts[1]), text.decode(parts[2])];
  });
  const plain = ["estimator", "version", "freq", "distribution"];
  return Object.fromEntries(entries.map(([key, value]) => [key, plain.includes(key) ? value : JSON.parse(value)]));
}

function* fieldsOf(bytes) {
  let at = 0;
  const varint = () => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = varint();
    // of a text or message this is the length; other fields are numbers
    if (tag % 8 === 2) yield [Math.floor(tag / 8), bytes.subarray(at, (at += number))];
  }
}
