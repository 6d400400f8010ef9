/**
 * Characters that a terminal or a reader would obey instead of show: controls (ANSI escapes start with one), line
 * separators, marks that turn the direction of text around, and invisible ones that make two names look alike.
 */
const OBEYED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;

const MAX_LENGTH = 200;

/** Text out of a file, safe to print: what would be obeyed is shown as `\u{…}`, and what is endless is cut. */
export function printable(text: string, limit = MAX_LENGTH): string {
  const shown = text.slice(0, limit).replace(OBEYED, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
  return text.length > limit ? `${shown}… (${text.length} characters)` : shown;
}

/** As `printable`, but of several lines, each of which stays one. */
export function printableLines(text: string, limit = 2000): string[] {
  return text.split("\n", 40).map((line) => printable(line, limit));
}
