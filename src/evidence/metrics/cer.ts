import { readFileSync, statSync } from "node:fs";
import type { DataArray } from "../../data/dataset.ts";
import { resolveReference } from "../../data/reference.ts";
import { CompileError } from "../../error.ts";
import { type MetricFactory, outputOf, peak, rowsOf } from "../metric.ts";

interface Outcome {
  readonly text: string;
  /** Characters inserted, deleted or replaced. */
  readonly errors: number;
  /** Characters of the target. */
  readonly length: number;
}

const MAX_DICTIONARY_BYTES = 16 * 2 ** 20;

/**
 * Character error rate: edit distance over the characters of the targets. The output holds class scores along its last
 * axis, one row a time step, and is decoded greedily as CTC: repeats merge, then blanks (class 0) go; spaces at the ends
 * do not count. Options:
 * `dictionary`, a file with one character a line, where line n is class n and a space follows the last; `output`.
 */
const cer: MetricFactory<Outcome> = ({ dictionary, output }, folder) => {
  const characters = readDictionary(dictionary, folder);
  return {
    name: "cer",
    direction: "lower",
    needsTarget: true,
    outcome(outputs, target) {
      if (typeof target !== "string") {
        throw new CompileError("usage/metric-target", "the metric cer wants targets that are text", {
          where: "metric cer",
        });
      }
      const text = decode(outputOf(outputs, output), characters);
      return { text, errors: editDistance(text, target), length: [...target].length };
    },
    combine(outcomes) {
      let [errors, length] = [0, 0];
      for (const outcome of outcomes) {
        errors += outcome.errors;
        length += outcome.length;
      }
      return errors / length;
    },
    // What no text at all has.
    chance: () => 1,
    ratio: ({ errors, length }) => [errors, length],
    same: (a, b) => ({ equal: a.text === b.text ? 1 : 0, total: 1 }),
    scores: (outputs) => outputOf(outputs, output),
    confidence: (outputs) => leastCharacterMargin(outputOf(outputs, output)),
  };
};
export default cer;

function readDictionary(dictionary: unknown, folder: string): string[] {
  if (typeof dictionary !== "string") {
    throw new CompileError("usage/metric-option", "the metric cer wants the option `dictionary`", {
      where: "metric",
      remedy: "metric: {name: cer, dictionary: FILE}, one character a line",
    });
  }
  const path = resolveReference(dictionary, folder);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile() || statSync(path).size > MAX_DICTIONARY_BYTES) {
    throw new CompileError("usage/missing-data", "the dictionary is no file that can be read", { where: path });
  }
  const lines = readFileSync(path, "utf8").split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return ["", ...lines, " "];
}

/** Greedy CTC: the best class of each step, runs merged, blanks dropped; spaces at the ends say nothing. */
function decode(array: DataArray, characters: readonly string[]): string {
  const { count, width } = rowsOf(array);
  if (width !== characters.length) {
    const message = `the output has ${width} classes; the dictionary with blank and space ${characters.length}`;
    throw new CompileError("usage/metric-output", message, { where: "metric cer" });
  }
  let text = "";
  let last = 0;
  for (let row = 0; row < count; row++) {
    const { index } = peak(array, row, width);
    if (index !== last) text += characters[index];
    last = index;
  }
  return text.trim();
}

/** The smallest margin over the steps that make a character; over all steps where none does. */
function leastCharacterMargin(array: DataArray): number {
  const { count, width } = rowsOf(array);
  let [least, leastBlank] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let row = 0; row < count; row++) {
    const { index, margin } = peak(array, row, width);
    if (index === 0) leastBlank = Math.min(leastBlank, margin);
    else least = Math.min(least, margin);
  }
  const found = Number.isFinite(least) ? least : leastBlank;
  return Number.isFinite(found) ? found : 0;
}

/** Levenshtein's distance in code points. One row of the table in memory. */
export function editDistance(a: string, b: string): number {
  const [long, short] = [[...a], [...b]].sort((x, y) => y.length - x.length);
  const row = Uint32Array.from({ length: short.length + 1 }, (_, at) => at);
  for (let i = 1; i <= long.length; i++) {
    let diagonal = row[0];
    row[0] = i;
    for (let j = 1; j <= short.length; j++) {
      const above = row[j];
      row[j] = Math.min(above + 1, row[j - 1] + 1, diagonal + (long[i - 1] === short[j - 1] ? 0 : 1));
      diagonal = above;
    }
  }
  return row[short.length];
}
