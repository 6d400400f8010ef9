import { styleText } from "node:util";
import { type CompileError, type ErrorCode, exitCodeOf } from "../error.ts";
import { printableLines } from "../report/escape.ts";
import { wrap } from "./wrap.ts";

/** Data goes to stdout, talk to stderr, so that `--json | jq` works while a person reads along. */
export function print(text: string): void {
  process.stdout.write(text);
}

/** Sentences and tables of a few columns, for a person: on a terminal they are as wide as it. */
export function tell(text: string): void {
  print(fitted(text, process.stdout));
}

export function say(text: string): void {
  process.stderr.write(fitted(text.endsWith("\n") ? text : `${text}\n`, process.stderr));
}

/** A stream that goes elsewhere gets the text as it is. */
const fitted = (text: string, { isTTY, columns }: NodeJS.WriteStream): string =>
  isTTY && columns >= NARROWEST ? wrap(text, columns) : text;

/** Fewer columns than these are no terminal's that tells its width. */
const NARROWEST = 40;

export function printJson(document: unknown): void {
  print(`${JSON.stringify(document, undefined, 2)}\n`);
}

type Style = Parameters<typeof styleText>[0];

/** Coloured where stderr is a terminal and NO_COLOR is not set. */
function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stderr, validateStream: true });
}

/** Coloured where stdout is a terminal and NO_COLOR is not set. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout, validateStream: true });
}

export function warn(message: string): void {
  const [first, ...rest] = printableLines(message);
  say([`${styled("yellow", "warning")} ${first}`, ...rest.map((line) => `  ${line}`)].join("\n"));
}

/** `error[code] message`, where it is, and what helps. */
export function sayError(error: CompileError): void {
  const [first, ...rest] = printableLines(error.message);
  const lines = [`${styled("red", `error[${error.code}]`)} ${first}`, ...rest.map((line) => `  ${line}`)];
  if (error.where !== undefined) {
    const [place, ...excerpt] = printableLines(error.where);
    lines.push(`  at ${place}`, ...excerpt.map((line) => `  ${line}`));
  }
  if (error.remedy !== undefined) lines.push(`  help: ${printableLines(error.remedy).join("\n        ")}`);
  say(lines.join("\n"));
}

/** What is thrown and is not the user's error is a mistake of ours, and is said to be. */
export function sayBug(error: unknown): void {
  const message = (error instanceof Error ? error.message : String(error)).replace(/^bug: /, "");
  const [first, ...rest] = printableLines(message);
  say([`${styled("red", "bug:")} ${first}`, ...rest.map((line) => `  ${line}`)].join("\n"));
  say("  This is a mistake of optimus-compile, not yours: please report it with the model and the recipe.");
  if (process.env.OPTIMUS_DEBUG && error instanceof Error) say(error.stack ?? "");
  else say("  help: OPTIMUS_DEBUG=1 shows where it happened");
}

/** The document that stands in for a command's own where it failed. */
export function errorDocument(code: ErrorCode | "bug" | "interrupted", error: unknown) {
  const { where, remedy } = (error ?? {}) as { where?: string; remedy?: string };
  const message = error instanceof Error ? error.message : String(error);
  return { schema: "optimus-compile/error@1", error: { code, message, where, remedy }, exitCode: exitCodeOf(error) };
}
