// Numbers, sizes and times as people read them. Pure.

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });

export const NONE = "–";

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

// All digits of a whole number, six of a fraction: 1,234,567 and 0.125.
export function number(value) {
  if (!isNumber(value)) return NONE;
  return Number.isInteger(value) && Math.abs(value) < 1e15 ? whole.format(value) : exact.format(value);
}

function scaled(value, base, units) {
  let unit = 0;
  let size = Math.abs(value);
  while (unit + 1 < units.length && size >= base * 0.9995) {
    size /= base;
    ++unit;
  }
  const digits = Number.isInteger(size) || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return `${value < 0 ? "-" : ""}${Number(size.toFixed(digits))}${units[unit]}`;
}

// Three digits: 12.3k.
export function short(value) {
  if (!isNumber(value)) return NONE;
  if (value !== 0 && Math.abs(value) < 0.01) return value.toPrecision(2);
  return scaled(value, 1000, ["", "k", "M", "G", "T", "P"]);
}

export function bytes(value) {
  return isNumber(value) ? scaled(value, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]) : NONE;
}

// Two units at most: 3 h 12 min.
export function duration(ms) {
  if (!isNumber(ms)) return NONE;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 10 && !Number.isInteger(s)) return `${s.toFixed(1)} s`;
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let rest = Math.round(s);
  const words = [];
  for (const [unit, seconds] of parts) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0 && words.length < 2) words.push(`${count} ${unit}`);
    else if (words.length > 0) break;
  }
  return words.join(" ");
}

export const ago = (ms) => (ms < 1500 ? "now" : `${duration(Math.floor(ms / 1000) * 1000)} ago`);

const two = (part) => String(part).padStart(2, "0");

// 14:02:31 of this browser's clock; with the day if that is another.
export function clock(ms, now = Date.now()) {
  const at = new Date(ms);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === new Date(now).toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

// Ticks of a time axis: seconds only where there are some.
export function tick(at) {
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return at.getSeconds() === 0 ? time : `${time}:${two(at.getSeconds())}`;
}

// The next round number that is not below: axes that end there stand still.
export function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 1.2, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value * 0.999);
}

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
