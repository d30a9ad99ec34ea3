import { join } from "node:path";
import { scaleBand, scaleLog } from "d3-scale";
import { type Figure, type Results, type Row, reach, readResults, short } from "./report.ts";

/** Draws results as one SVG; run as a script, it draws bench/results.json to stdout. */
const WIDTH = 1_000;
const MARGIN = 20;
const LABELS = 400;
const BAR = 20;
const TITLE = 34;
const AXIS = 26;
const COLORS: Readonly<Record<string, string>> = {
  product: "#0f766e",
  "raw-loop": "#a8a29e",
  "naive-ws": "#78716c",
  "socket-io": "#d6d3d1",
};
const REACHED = "#0f766e";
const MISSED = "#b91c1c";
const CHARTED_MEMBERS = 1_000;

/** What is drawn, from y downwards, and how high it is. */
interface Panel {
  readonly height: number;
  readonly svg: string;
}

/** Results as an SVG: fan-out by server, and how far each figure is from what it has to reach. */
export function drawChart(results: Results): string {
  const panels: ((y: number) => Panel)[] = [];
  const fanOut = (results["fan-out"]?.tables[0]?.rows ?? []).filter((row) => row.members === CHARTED_MEMBERS);
  if (fanOut.length > 0) panels.push((y) => fanOutPanel(fanOut, y));
  const figures = Object.values(results)
    .flatMap((result) => result.figures)
    .filter((figure) => Number.isFinite(reach(figure)) && (reach(figure) ?? 0) > 0);
  if (figures.length > 0) panels.push((y) => figuresPanel(figures, y));
  let y = MARGIN;
  const drawn = panels.map((panel) => {
    const { svg, height } = panel(y);
    y += height + MARGIN;
    return svg;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" font-family="system-ui, sans-serif" font-size="12"><title>Deliveries per second by server, and the figures against what they have to reach</title>`,
    `<rect width="${WIDTH}" height="${y}" fill="#ffffff"/>`,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

/** One bar for each server and number of messages in flight, on a logarithmic axis. */
function fanOutPanel(rows: readonly Row[], top: number): Panel {
  const groups = [...new Set(rows.map((row) => `${row["in flight"]}`))];
  const servers = [...new Set(rows.map((row) => `${row.server}`))];
  const rates = rows.map((row) => Number(row["deliveries/s"]));
  const height = groups.length * (servers.length * BAR + BAR);
  const y0 = top + TITLE;
  const x = scaleLog()
    .domain([10 ** Math.floor(Math.log10(Math.min(...rates))), Math.max(...rates)])
    .range([LABELS, WIDTH - MARGIN - 180]);
  const group = scaleBand()
    .domain(groups)
    .range([y0, y0 + height])
    .paddingInner(0.15);
  const bar = scaleBand().domain(servers).range([0, group.bandwidth()]).padding(0.1);
  const bars = rows.map((row) => {
    const rate = Number(row["deliveries/s"]);
    const server = `${row.server}`;
    const y = (group(`${row["in flight"]}`) ?? 0) + (bar(server) ?? 0);
    const shown = `${short(rate)}  (${Number(row["× naive-ws"]).toFixed(2)} × naive-ws)`;
    return horizontal({
      y,
      height: bar.bandwidth(),
      from: x.range()[0] ?? 0,
      to: x(rate),
      color: COLORS[server],
      shown,
    });
  });
  const labels = rows.map((row) => {
    const y = (group(`${row["in flight"]}`) ?? 0) + (bar(`${row.server}`) ?? 0) + bar.bandwidth() / 2;
    return text(LABELS - 8, y, `${row["in flight"]} in flight: ${row.server}`, "end");
  });
  const heading = title(
    top,
    `Deliveries per second of one core, a room of ${CHARTED_MEMBERS.toLocaleString("en")} (logarithmic)`,
  );
  return { height: TITLE + height, svg: [heading, ...bars, ...labels].join("\n") };
}

/** How many times over each figure reaches what it has to; 1 is a line. */
function figuresPanel(figures: readonly Figure[], top: number): Panel {
  const reached = figures.map((figure) => reach(figure) ?? 1);
  const height = figures.length * (BAR + 6);
  const y0 = top + TITLE;
  const x = scaleLog()
    .domain([Math.min(0.5, ...reached), Math.max(2, ...reached)])
    .range([LABELS, WIDTH - MARGIN - 190]);
  const band = scaleBand<number>()
    .domain(figures.keys())
    .range([y0, y0 + height])
    .padding(0.2);
  const rows = figures.map((figure, index) => {
    const y = band(index) ?? 0;
    const times = reached[index] ?? 1;
    const shown = `${short(figure.value)} ${figure.unit} (${wanted(figure)})`;
    const color = times >= 1 ? REACHED : MISSED;
    return [
      text(LABELS - 8, y + band.bandwidth() / 2, figure.name, "end"),
      horizontal({ y, height: band.bandwidth(), from: x.range()[0] ?? 0, to: x(times), color, shown }),
    ].join("\n");
  });
  const one = `<line x1="${x(1)}" x2="${x(1)}" y1="${y0}" y2="${y0 + height}" stroke="#1c1917" stroke-dasharray="4 3"/>`;
  const heading = title(top, "How far each figure is beyond what it has to reach, the dashed line (logarithmic)");
  return { height: TITLE + height + AXIS, svg: [heading, one, ...rows].join("\n") };
}

function wanted({ atLeast, atMost }: Figure): string {
  return atLeast !== undefined ? `≥ ${short(atLeast)}` : `≤ ${short(atMost ?? 0)}`;
}

function title(top: number, words: string): string {
  return `<text x="${MARGIN}" y="${top + 16}" font-size="15" font-weight="600" fill="#1c1917">${escaped(words)}</text>`;
}

function horizontal(bar: {
  readonly y: number;
  readonly height: number;
  readonly from: number;
  readonly to: number;
  readonly color: string | undefined;
  readonly shown: string;
}): string {
  const { y, height, from, to, color = "#57534e", shown } = bar;
  const width = Math.max(1, to - from);
  const rect = `<rect x="${from}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" fill="${color}"/>`;
  return rect + text(from + width + 6, y + height / 2, shown, "start");
}

function text(x: number, y: number, words: string, anchor: "start" | "end"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" dominant-baseline="central" text-anchor="${anchor}" fill="#1c1917">${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

if (import.meta.main) {
  process.stdout.write(drawChart(await readResults(join(import.meta.dirname, "results.json"))));
}
