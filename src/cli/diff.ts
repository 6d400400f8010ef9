import { Command } from "commander";
import type { DiffDocument, LayerCost } from "../gate/diff.ts";
import { printable } from "../report/escape.ts";
import { formatCount, formatTable } from "../report/table.ts";
import { wholeNumber } from "./options.ts";
import { printJson, tell } from "./terminal.ts";
import { type TrustFlags, trustOf, trustOptions } from "./trust.ts";

interface Flags extends TrustFlags {
  readonly metric?: string;
  readonly top: number;
  readonly json?: boolean;
}

export const diff = trustOptions(
  new Command("diff")
    .description("compare two artifacts: what they cost, how good they are on the same samples, and layer by layer")
    .argument("<before>", "a .dopt file")
    .argument("<after>", "another"),
)
  .option("--metric <module>", "the metric, where it is a module of one's own")
  .option("--top <count>", "layers to show", wholeNumber(1), 20)
  .option("--json", "print one JSON document")
  .action(async (before: string, after: string, flags: Flags) => {
    const [{ diff: compare }, { readEvidence }] = await Promise.all([
      import("../gate/diff.ts"),
      import("../gate/evidence.ts"),
    ]);
    const trust = await trustOf(flags);
    const { metric } = flags;
    const options = { folder: process.cwd(), ...(metric !== undefined && { metric }) };
    const document = await compare(readEvidence(before, trust), readEvidence(after, trust), options);
    if (flags.json) return printJson(document);
    tell(textOf(document, flags.top));
  });

function textOf({ figures, quality, unpaired, layers, layersAlike, unprofiled }: DiffDocument, top: number): string {
  const rows = figures.map(({ figure, before, after }) => [
    figure,
    figureText(before),
    figureText(after),
    change(before, after),
  ]);
  const parts = [formatTable([["", "before", "after", "change"], ...rows])];
  if (quality) {
    const { metric, before, after, interval, n, flipped, harmful } = quality;
    const within = interval && `, between ${interval.low.toFixed(4)} and ${interval.high.toFixed(4)} (95 %)`;
    parts.push(
      `\n  ${printable(metric)}: ${before.toFixed(4)} → ${after.toFixed(4)}, drop ${quality.drop.toFixed(4)}${within ?? ""}`,
    );
    parts.push(`  ${flipped} of ${n} answers differ, ${harmful} of them for the worse\n`);
  } else parts.push(`\n  the metric is not compared: ${printable(unpaired ?? "")}\n`);
  if (unprofiled !== undefined) parts.push(`  layers are not compared: ${printable(unprofiled)}\n`);
  else {
    const lines = layers
      .slice(0, top)
      .map(({ layer, before, after }) => [
        printable(layer, 60),
        change(before?.cycles ?? 0, after?.cycles ?? 0, "cycles"),
        change(before?.dramBytes ?? 0, after?.dramBytes ?? 0, "B moved"),
        change(before?.weightBytes ?? 0, after?.weightBytes ?? 0, "B weights"),
        formats(before, after),
      ]);
    if (lines.length > 0) parts.push(formatTable(lines));
    const more = layers.length - lines.length;
    parts.push(`  ${more > 0 ? `${more} more layers differ, ` : ""}${layersAlike} layers are alike\n`);
  }
  return parts.join("\n");
}

const figureText = (value: number | undefined): string =>
  value === undefined ? "–" : Number.isInteger(value) ? formatCount(value) : String(Number(value.toPrecision(6)));

function change(before: number | undefined, after: number | undefined, unit = ""): string {
  if (before === undefined || after === undefined || before === after) return "";
  const difference = after - before;
  const sign = difference > 0 ? "+" : "−";
  const size = Math.abs(difference);
  const share = before === 0 ? "" : ` (${sign}${((100 * size) / Math.abs(before)).toFixed(1)} %)`;
  const shown = Number.isInteger(size) || size >= 1000 ? formatCount(size) : String(Number(size.toPrecision(4)));
  return `${sign}${shown}${unit && ` ${unit}`}${share}`;
}

function formats(before: LayerCost | undefined, after: LayerCost | undefined): string {
  if (before === undefined) return `new: ${after?.format}`;
  if (after === undefined) return `gone: ${before.format}`;
  return before.format === after.format ? before.format : `${before.format} → ${after.format}`;
}
