/**
 * The back end on its reference networks and memory instances; one JSON line a figure.
 * `allocate FILE.csv [--capacity BYTES]`, `schedule NAME [--target T] [--profile P] [--npus N] [--set k=v]`, or names of
 * figures (all where none is named).
 */
import { CompileError, exitCodeOf } from "../src/error.ts";
import { solveFile } from "./backend/allocate.ts";
import { FIGURES } from "./backend/figures.ts";
import { measureNetwork } from "./backend/measure.ts";
import { type BenchCommand, type BenchOptions, parseCommand } from "./backend/options.ts";

const print = (line: object): void => console.log(JSON.stringify(line));

function single(words: readonly string[], what: string): string {
  if (words.length === 1) return words[0];
  throw new CompileError("usage/bad-option", `expected one ${what}, got ${words.length}`);
}

function run({ words, options }: BenchCommand): void {
  const [command, ...rest] = words;
  if (command === "allocate") print(solveFile(single(rest, "file"), options));
  else if (command === "schedule") print(measureNetwork(single(rest, "network"), options).figures);
  else runFigures(words, options);
}

function runFigures(words: readonly string[], options: BenchOptions): void {
  const unknown = words.find((name) => !FIGURES.has(name));
  if (unknown !== undefined) {
    throw new CompileError("usage/unknown-figure", `there is no figure "${unknown.slice(0, 40)}"`, {
      remedy: `choose allocate, schedule, or figures among ${[...FIGURES.keys()].join(", ")}`,
    });
  }
  for (const name of words.length > 0 ? words : FIGURES.keys()) {
    for (const line of FIGURES.get(name)?.(options) ?? []) print({ bench: "backend", figure: name, ...line });
  }
}

try {
  run(parseCommand(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof CompileError)) throw error;
  const { code, message, where, remedy } = error;
  console.error([`${code}: ${where ? `${where}: ` : ""}${message}`, ...(remedy ? [remedy] : [])].join("\n"));
  process.exitCode = exitCodeOf(error);
}
