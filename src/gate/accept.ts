/** Accepting an artifact as it is: the budgets file's text with a new baseline or new limits, and everything else as it was. */
import { relative, sep } from "node:path";
import { isMap, isScalar, type Node, parseDocument } from "yaml";
import { CompileError } from "../error.ts";
import { GATES, type GateName } from "../evidence/gates.ts";
import type { GateLine } from "../report/gate-document.ts";
import { type Budgets, fits, parseBudgets } from "./budgets.ts";
import type { Evidence } from "./evidence.ts";

/** A value that a path of the file gets. */
export interface Change {
  readonly path: readonly (string | number)[];
  readonly before?: string | number;
  readonly after: string | number;
}

export interface AcceptOptions {
  /** Gates whose limits move to what was measured. */
  readonly gates: readonly string[];
  /** Room beyond what was measured, as a share of it. */
  readonly margin: number;
}

/**
 * What changes where an artifact becomes the baseline of each entry that fits it, and the limits of the gates named become
 * what it shows. Throws usage/no-budget, usage/accept-gate where an entry has no such gate, evidence/accept where nothing
 * was measured for it.
 */
export function changesOf(budgets: Budgets, evidence: Evidence, { gates, margin }: AcceptOptions): Change[] {
  const changes: Change[] = [];
  const named = new Set<string>();
  const { name, artifact } = evidence;
  for (const [at, entry] of budgets.entries.entries()) {
    if (!fits(entry.artifact, name)) continue;
    named.add("");
    const path = ["budgets", at];
    if (entry.baseline) {
      const file = relative(budgets.folder, evidence.path).split(sep).join("/");
      changes.push(change([...path, "baseline", "artifact"], entry.baseline.artifact, file));
      changes.push(change([...path, "baseline", "digest"], entry.baseline.digest, artifact.digest));
    }
    for (const gate of gates) {
      const limit = (entry.gates as Readonly<Record<string, number | undefined>>)[gate];
      if (limit === undefined) continue;
      named.add(gate);
      changes.push(change([...path, "gates", gate], limit, shownBy(gate, evidence, margin)));
    }
  }
  if (named.size === 0) {
    throw new CompileError("usage/no-budget", `no budget fits the artifact ${JSON.stringify(name)}`, {
      where: budgets.file,
    });
  }
  const strange = gates.find((gate) => !named.has(gate));
  if (strange !== undefined) {
    throw new CompileError("usage/accept-gate", `no entry for ${JSON.stringify(name)} has the gate ${strange}`, {
      where: budgets.file,
      remedy: "Limits relative to a baseline need no new figure: accept the artifact as the baseline.",
    });
  }
  return changes.filter(({ before, after }) => before !== after);
}

function change(path: Change["path"], before: string | number | undefined, after: string | number): Change {
  return { path, ...(before !== undefined && { before }), after };
}

/** The least strict figure that the artifact's samples leave possible, rounded outward; exact figures as they are. */
function shownBy(gate: string, { measured, path }: Evidence, margin: number): number {
  const kind = gate in GATES ? (GATES as Readonly<Record<string, (typeof GATES)[GateName]>>)[gate] : undefined;
  const sampled = kind !== undefined && "shown" in kind;
  const figure = sampled ? kind.shown(measured) : kind?.value(measured);
  if (kind === undefined || figure === undefined || !Number.isFinite(figure)) {
    throw new CompileError("evidence/accept", `nothing was measured for ${gate}, so there is nothing to accept`, {
      where: path,
    });
  }
  const outward = kind.keeps === "at most" ? 1 : -1;
  const wide = figure + outward * margin * Math.abs(figure);
  if (Number.isInteger(wide) || wide === 0) return wide;
  const round = outward > 0 ? Math.ceil : Math.floor;
  if (Number.isInteger(figure)) return round(wide);
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(wide))) - 3);
  return Number((round(wide / unit) * unit).toPrecision(4));
}

/** The text with the changes in it: values that are there are replaced where they stand, new keys are put in. */
export function applyChanges(text: string, changes: readonly Change[], path: string): string {
  let changed = text;
  for (const { path: at, after } of changes) changed = applyOne(changed, at, after);
  // What comes out must say just what was meant; otherwise nothing is written.
  parseBudgets(changed, path);
  return changed;
}

function applyOne(text: string, path: Change["path"], after: string | number): string {
  const document = parseDocument(text);
  const node = document.getIn(path, true) as Node | undefined;
  const range = isScalar(node) && node.anchor === undefined && node.tag === undefined ? node.range : undefined;
  if (range && isScalar(node) && node.type !== "BLOCK_FOLDED" && node.type !== "BLOCK_LITERAL") {
    return text.slice(0, range[0]) + scalar(after) + text.slice(range[1]);
  }
  const parent = document.getIn(path.slice(0, -1), true);
  const first = isMap(parent) ? (parent.items[0]?.key as Node | undefined)?.range?.[0] : undefined;
  if (range === undefined && node === undefined && isMap(parent) && first !== undefined) {
    const indent = text.slice(text.lastIndexOf("\n", first - 1) + 1, first);
    // Before the first key of its map, which is in the same form, so that nothing else moves.
    const end = parent.flow ? ", " : `\n${indent.replace(/[^ ]/g, " ")}`;
    return `${text.slice(0, first)}${path.at(-1)}: ${scalar(after)}${end}${text.slice(first)}`;
  }
  document.setIn(path, after);
  return document.toString({ lineWidth: 0 });
}

/** JSON is YAML, and quotes are only put where a reader could doubt what a plain word is. */
function scalar(value: string | number): string {
  return typeof value === "string" && !/^(sha256:[0-9a-f]+|[A-Za-z][\w./-]*)$/.test(value)
    ? JSON.stringify(value)
    : String(value);
}

/** The lines that went and came, as a diff shows them. */
export function changedLines(before: string, after: string): string[] {
  const [a, b] = [before.split("\n"), after.split("\n")];
  let head = 0;
  while (head < Math.min(a.length, b.length) && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  return between(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
}

const MOST_CELLS = 4_000_000;

/** By the longest common subsequence; all of both where they are too long for its table. */
function between(a: readonly string[], b: readonly string[]): string[] {
  const width = b.length + 1;
  const lengths = a.length * b.length > MOST_CELLS ? undefined : new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; lengths && i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j;
      lengths[at] = a[i] === b[j] ? lengths[at + width + 1] + 1 : Math.max(lengths[at + width], lengths[at + 1]);
    }
  }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const alike = lengths && i < a.length && a[i] === b[j];
    if (alike) [i, j] = [i + 1, j + 1];
    else if (
      j === b.length ||
      (i < a.length && (lengths?.[(i + 1) * width + j] ?? 1) >= (lengths?.[i * width + j + 1] ?? 0))
    )
      lines.push(`- ${a[i++]}`);
    else lines.push(`+ ${b[j++]}`);
  }
  return lines;
}

/** The gates of a judgement that failed on an absolute limit: what `accept --failed` accepts. */
export function failedGates(lines: readonly GateLine[]): string[] {
  return lines
    .filter(({ gate, verdict }) => !gate.startsWith("baseline.") && verdict !== "pass")
    .map(({ gate }) => gate);
}
