/** Characters as class numbers. */
import { CompileError } from "../error.ts";

const MOST_CLASSES = 65_536;

/** The class number of each character, the first one's being `first`. Throws usage/data-option where one stands twice. */
export function classesOf(alphabet: string, first: number, reader: string): Map<string, number> {
  const letters = [...alphabet];
  const classes = new Map(letters.map((letter, at) => [letter, first + at]));
  if (classes.size === letters.length && first + letters.length <= MOST_CLASSES) return classes;
  throw new CompileError("usage/data-option", "the alphabet holds a character twice, or too many", {
    where: `data reader ${reader}`,
  });
}

/** A text's class numbers, the first `most` of them; characters without one are left out. */
export function encode(
  text: string,
  classes: ReadonlyMap<string, number>,
  most = Number.POSITIVE_INFINITY,
): Uint16Array {
  const codes: number[] = [];
  for (const letter of text) {
    if (codes.length === most) break;
    const code = classes.get(letter);
    if (code !== undefined) codes.push(code);
  }
  return Uint16Array.from(codes);
}
