import { stripVTControlCharacters } from "node:util";

const lengthOf = (text: string): number => stripVTControlCharacters(text).length;

/** Narrower than this nothing is set beside anything. */
const LEAST = 24;
/** Commands are there to be copied, and excerpts and digests to be compared: those stay as they are. */
const VERBATIM = /^\s*(next: |then: )?optimus-compile |^\s*\d* \| |^\S+$/;

/**
 * Text at most `width` columns wide where its words allow it: a line goes on below what it began with, that is below the last
 * column of a table, or behind its mark or bullet. Escape sequences have no width.
 */
export function wrap(text: string, width: number): string {
  return text
    .split("\n")
    .map((line) => (lengthOf(line) <= width || VERBATIM.test(line) ? line : wrapLine(line, width)))
    .join("\n");
}

function wrapLine(line: string, width: number): string {
  const indent = hanging(stripVTControlCharacters(line), width);
  const lead = /^\s*/.exec(line)?.[0] ?? "";
  const lines: string[] = [];
  let current = lead;
  let empty = true;
  // Runs of blanks are a table's columns, and belong to the word after them.
  for (const [, blanks, word] of line.slice(lead.length).matchAll(/(\s*)(\S+)/g)) {
    if (!empty && lengthOf(current) + blanks.length + lengthOf(word) > width) {
      lines.push(current);
      current = " ".repeat(indent) + word;
    } else current += (empty ? "" : blanks) + word;
    empty = false;
  }
  return [...lines, current].join("\n");
}

function hanging(line: string, width: number): number {
  const column = /^(.*\S\s{2,})\S/.exec(line)?.[1].length ?? 0;
  if (column > 0 && width - column >= LEAST) return column;
  const mark = /^\s*(?:[-✓✗?] |help: |at )?/.exec(line)?.[0].length ?? 0;
  return mark > 0 ? mark : 2;
}
