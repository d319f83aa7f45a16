// Charts over time, by dygraphs, and sparklines, by SVG.

import { el, setText, svg } from "./dom.js";
import { clock, niceCeiling, short, tick } from "./format.js";

const { Dygraph } = window;

// Its legend sets style attributes, which our Content-Security-Policy forbids; the readout below is ours.
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const charts = new Set();
addEventListener("theme", () => charts.forEach((chart) => chart.paint()));

// Columns from zero, as wide as a window.
function drawBars({ drawingContext: context, points, dygraph, color }) {
  const base = dygraph.toDomYCoord(0);
  const gap = points.length > 1 ? points[1].canvasx - points[0].canvasx : 8;
  const width = Math.max(1, gap * 0.7);
  context.fillStyle = color;
  for (const { canvasx, canvasy, yval } of points) {
    if (yval === null || Number.isNaN(yval)) continue;
    context.fillRect(canvasx - width / 2, Math.min(canvasy, base), width, Math.max(1, Math.abs(base - canvasy)));
  }
}

function spanOf(rows, isBars) {
  const times = rows.map(([at]) => at.getTime());
  const half = isBars && times.length > 1 ? (times[1] - times[0]) / 2 : 0;
  return [times[0] - half, times.at(-1) + half];
}

// None so far left that it would stand in the corner of the axes, upon the zero.
function tickInside(at, granularity, options, dygraph) {
  return dygraph.toDomXCoord(at.getTime()) - dygraph.getArea().x < 20 ? "" : tick(at);
}

// From zero to a round number, or to a round number below zero too.
function valueRange(rows, visible) {
  let [least, most] = [0, 0];
  for (const [, ...values] of rows) {
    values.forEach((value, at) => {
      if (value === null || !visible[at]) return;
      least = Math.min(least, value);
      most = Math.max(most, value);
    });
  }
  return [least < 0 ? -niceCeiling(-least * 1.05) : 0, most > 0 || least === 0 ? niceCeiling(most * 1.05) : 0];
}

// `fields`: one {name, colour} a line, the colour a custom property of the style sheet. `shape`: line, steps or bars;
// `joins`: over gaps. `onHover` is called with the row that is pointed at, or null.
export class Chart {
  constructor(div, { fields, shape = "line", joins = false }) {
    this.div = div;
    this.fields = fields;
    this.shape = shape;
    this.onHover = () => {};
    this.joins = joins;
    this.visible = fields.map(({ hidden }) => !hidden);
    this.graph = null;
    this.rows = [];
    this.resized = new ResizeObserver(() => div.clientWidth > 0 && this.graph?.resize());
    this.resized.observe(div);
    charts.add(this);
  }

  // `rows`: [Date, value or null, ..], oldest first, at least one. `span`: [from, to] in milliseconds.
  draw(rows, span = spanOf(rows, this.shape === "bars")) {
    this.rows = rows;
    this.span = span;
    if (this.div.clientWidth === 0) return;  // hidden: dygraphs would remember a width of nothing
    const changing = { file: rows, dateWindow: span, valueRange: valueRange(rows, this.visible) };
    if (this.graph) this.graph.updateOptions(changing);
    else this.graph = new Dygraph(this.div, rows, { ...this.#fixed(), ...this.#colours(), ...changing });
  }

  show(at, isVisible) {
    this.visible[at] = isVisible;
    this.graph?.setVisibility(at, isVisible);
    this.draw(this.rows, this.span);
  }

  paint() {
    this.graph?.updateOptions(this.#colours());
  }

  destroy() {
    charts.delete(this);
    this.resized.disconnect();
    this.graph?.destroy();
  }

  #fixed() {
    return {
      labels: ["time", ...this.fields.map(({ name }) => name)],
      visibility: this.visible,
      ...(this.shape === "bars" ? { plotter: drawBars } : {}),
      stepPlot: this.shape === "steps",
      fillGraph: this.shape !== "bars" && this.fields.length === 1,
      fillAlpha: 0.12,
      strokeWidth: 1.5,
      connectSeparatedPoints: this.joins,
      drawGapEdgePoints: true,
      pointSize: 1.5,
      highlightCircleSize: this.shape === "bars" ? 0 : 3,
      interactionModel: {},  // no zoom: a finger on a chart scrolls the page
      axisLabelFontSize: 11,
      gridLineWidth: 1,
      rightGap: 8,
      xRangePad: 0,
      axes: {
        x: { axisLabelFormatter: tickInside, pixelsPerLabel: 64, drawGrid: false, axisLabelWidth: 56 },
        y: { axisLabelFormatter: short, pixelsPerLabel: 28, axisLabelWidth: 40 },
      },
      highlightCallback: (event, x, points, at) => this.onHover(this.rows[at] ?? null),
      unhighlightCallback: () => this.onHover(null),
    };
  }

  #colours() {
    return {
      colors: this.fields.map((field) => colour(field.colour)),
      gridLineColor: colour("line"),
      axisLineColor: colour("line-strong"),
    };
  }
}

// The line under a chart: what is pointed at, else what came last. One button a field shows or hides it.
export function legend(chart) {
  const at = el("span", { class: "legend-time" });
  const keys = chart.fields.map(({ name, colour: tone }, index) => {
    const value = el("b");
    const press = ({ currentTarget: button }) => {
      chart.show(index, !chart.visible[index]);
      button.setAttribute("aria-pressed", chart.visible[index]);
    };
    const button = el("button", { type: "button", class: `key ${tone}`, "aria-pressed": chart.visible[index],
                                  onclick: press }, name, " ", value);
    return { value, button };
  });
  const show = (row) => {
    setText(at, row ? clock(row[0].getTime()) : "");
    keys.forEach(({ value }, index) => setText(value, row ? short(row[index + 1]) : ""));
  };
  const last = () => chart.rows.findLast((row) => row.slice(1).some((value) => value !== null));
  chart.onHover = (row) => show(row ?? last());
  return { node: el("div", { class: "legend" }, at, ...keys.map(({ button }) => button)), update: () => show(last()) };
}

// ---------------------------------------------------------------------------- sparklines

const HEIGHT = 24;
const PADDING = 2;

// Neighbours that were heard, as [first, last]; a lonely one is a run of itself.
function runsOf(values) {
  const runs = [];
  values.forEach((value, at) => {
    if (value === null) return;
    if (at > 0 && values[at - 1] !== null) runs.at(-1)[1] = at;
    else runs.push([at, at]);
  });
  return runs;
}

// Over a zero line, so that a small movement of a large number looks small.
export function spark(values, width = 120) {
  const numbers = values.filter((value) => value !== null);
  const most = Math.max(0, ...numbers);
  const least = Math.min(0, ...numbers);
  const x = (at) => (PADDING + (at * (width - 2 * PADDING)) / Math.max(1, values.length - 1)).toFixed(1);
  const y = (value) => (PADDING + ((most - value) * (HEIGHT - 2 * PADDING)) / (most - least || 1)).toFixed(1);
  let [line, area] = ["", ""];
  for (const [first, last] of runsOf(values)) {
    const places = values.slice(first, last + 1).map((value, at) => `${x(first + at)} ${y(value)}`).join("L");
    line += `M${places}h0`;  // which makes a dot of a lonely one
    area += `M${x(first)} ${y(0)}L${places}L${x(last)} ${y(0)}`;
  }
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, "aria-hidden": "true" },
    svg("path", { class: "spark-area", d: area }), svg("path", { class: "spark-line", d: line }));
}

// Columns, and a hair for nothing: when did something happen.
export function sparkBars(values, width = 300) {
  const most = Math.max(1, ...values.map((value) => value ?? 0));
  const step = width / values.length;
  const bars = values.map((value, at) => {
    const height = value > 0 ? Math.max(3, (value / most) * HEIGHT) : 1;
    return svg("rect", { class: value > 0 ? "bar-some" : "bar-none", x: (at * step).toFixed(1), y: HEIGHT - height,
                         width: (step * 0.7).toFixed(1), height });
  });
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, preserveAspectRatio: "none",
                      "aria-hidden": "true" }, ...bars);
}
