/** A hardware description as a page for people: figures by part of the chip, each with its unit and its origin. */
import { printable } from "../report/escape.ts";
import { formatBytes, formatCount } from "../report/table.ts";
import type { FigureSource } from "../target/schema.ts";

/** What the parts of a description are called, in its order. */
const TITLES: ReadonlyMap<string, string> = new Map([
  ["", "Chip"],
  ["array", "MAC array"],
  ["sram", "SRAM of an NPU"],
  ["vector", "Vector unit"],
  ["vector.steps", "Vector unit: passes an element"],
  ["pool", "Pooling unit"],
  ["dma", "DMA engines"],
  ["dram", "DRAM of a SoC"],
  ["dram.timing", "DRAM: what it loses its time with"],
  ["cpu", "Host"],
  ["power", "Power"],
  ["energy", "Energy an event, pJ: low · mid · high"],
  ["limits", "Limits of the address generators"],
]);

/** Units by the end of a figure's name. */
const UNITS: readonly (readonly [RegExp, string])[] = [
  [/GHz$/, "GHz"],
  [/GBps$/, "GB/s"],
  [/Watts$/, "W"],
  [/Ns$/, "ns"],
  [/Ms$/, "ms"],
  [/BytesPerCycle$|bytesPerCycle$|PortBytes$/, "B/cycle"],
  [/Cycles$/, "cycles"],
  [/Bits$/, "bits"],
];

const isBytes = /(^|\.)bytes$|Bytes$/;

/** A value with its unit, as one word for the table. */
export function formatValue(path: string, value: unknown): string {
  if (typeof value === "number") {
    const unit = UNITS.find(([name]) => name.test(path))?.[1];
    if (unit === undefined && isBytes.test(path)) return formatBytes(value);
    const text = Number.isInteger(value) ? formatCount(value) : String(value);
    return unit === undefined ? text : `${text} ${unit}`;
  }
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map((item) => formatValue("", item)).join(", ");
  if (typeof value !== "object" || value === null) return printable(String(value), 80);
  const entries = Object.entries(value);
  if ("low" in value && "mid" in value && "high" in value) return `${value.low} · ${value.mid} · ${value.high}`;
  return entries.map(([key, inner]) => `${key} ${formatValue(key, inner)}`).join(", ");
}

function groupOf(path: string): { group: string; name: string } {
  const at = path.lastIndexOf(".");
  return { group: at < 0 ? "" : path.slice(0, at), name: path.slice(at + 1) };
}

/** Words in lines of at most `width`. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    if (last >= 0 && lines[last].length + 1 + word.length <= width) lines[last] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A value wider than this has lines of its own. */
const WIDE = 26;

/** The page, `width` columns wide. */
export function formatTarget(figures: readonly FigureSource[], width: number): string {
  const groups = new Map<string, FigureSource[]>();
  for (const figure of figures) {
    const { group } = groupOf(figure.path);
    groups.set(group, [...(groups.get(group) ?? []), figure]);
  }
  const names = Math.max(...figures.map(({ path }) => groupOf(path).name.length));
  const left = 2 + names + 2 + WIDE + 2 + "medium".length + 2;
  let page = "";
  for (const [group, members] of groups) {
    page += `\n${TITLES.get(group) ?? group}${group === "" ? "" : ` (${group})`}\n`;
    for (const { path, value, source, assumed, confidence } of members) {
      const text = formatValue(path, value);
      const head = `  ${groupOf(path).name.padEnd(names)}  `;
      const origin = wrap(
        source === undefined ? `assumed: ${assumed}` : `source: ${source}`,
        Math.max(30, width - left),
      );
      const [first, ...rest] = text.length <= WIDE ? [text] : wrap(text, width - head.length);
      const lines = [first, ...rest].map((line, at) => (at === 0 ? head : " ".repeat(head.length)) + line);
      const start =
        text.length <= WIDE ? `${lines.pop()?.padEnd(head.length + WIDE)}  ` : " ".repeat(head.length + WIDE + 2);
      const told = origin.map((line, at) =>
        at === 0 ? `${start}${confidence.padEnd(6)}  ${line}` : " ".repeat(left) + line,
      );
      page += `${[...lines, ...told].map((line) => line.trimEnd()).join("\n")}\n`;
    }
  }
  return page;
}
