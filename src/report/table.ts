import { printable } from "./escape.ts";

/** Rows as aligned columns: the first to the left, the others to the right where they are numbers. */
export function formatTable(rows: readonly (readonly string[])[], indent = "  "): string {
  const widths: number[] = [];
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows
    .map((row) => {
      const cells = row.map((cell, at) =>
        isNumeric(cell) && at > 0 ? cell.padStart(widths[at]) : cell.padEnd(widths[at]),
      );
      return `${indent}${cells.join("  ").trimEnd()}\n`;
    })
    .join("");
}

const isNumeric = (cell: string): boolean => /^[\d.,]+( ?(%|s|ms|B|KiB|MiB|GiB|points?|mJ|GHz))?$/.test(cell);

/** `1,234,567` */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const [unit, size] = bytes < 2 ** 20 ? ["KiB", 2 ** 10] : bytes < 2 ** 30 ? ["MiB", 2 ** 20] : ["GiB", 2 ** 30];
  return `${(bytes / (size as number)).toFixed(1)} ${unit}`;
}

/** A fraction of 1 as per cent. */
export function formatShare(value: number, digits = 2): string {
  return `${(100 * value).toFixed(digits)} %`;
}

/** Time for people, three digits. */
export function formatMs(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 1 ? ms.toFixed(1) : ms.toPrecision(2)} ms`;
}

/** A list of names, each safe to print, cut after a few. */
export function formatNames(names: readonly string[], limit = 5): string {
  const shown = names.slice(0, limit).map((name) => printable(name, 60));
  return names.length > limit ? `${shown.join(", ")} and ${names.length - limit} more` : shown.join(", ");
}
