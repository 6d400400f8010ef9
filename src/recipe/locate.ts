import { isCollection, isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { CompileError } from "../error.ts";

/** A parsed YAML text that knows where each of its keys stands. */
export interface Located {
  readonly value: unknown;
  /** `file:line:column`, the line and a caret: where the deepest existing part of `path` stands. */
  excerpt(path: readonly PropertyKey[], key?: boolean): string;
}

const MAX_TEXT = 2 ** 20;
/** Aliases may not multiply: a kilobyte of YAML can otherwise stand for gigabytes. */
const MAX_ALIASES = 100;

/** @throws CompileError with line, column and caret where the text is not YAML. */
export function parseYaml(text: string, file: string): Located {
  if (text.length > MAX_TEXT)
    throw new CompileError("usage/recipe", "the recipe is bigger than 1 MiB", { where: file });
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const pointAt = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    const source = text.split(/\r?\n/)[line - 1] ?? "";
    const [start, shown] = window(source, col - 1);
    return `${file}:${line}:${col}\n  ${line} | ${shown}\n  ${" ".repeat(String(line).length)} | ${" ".repeat(col - 1 - start)}^`;
  };
  const [error] = document.errors;
  if (error) throw new CompileError("usage/recipe-syntax", error.message, { where: pointAt(error.pos[0]) });
  const excerpt = (path: readonly PropertyKey[], key = false): string => {
    const offset = offsetOf(document.contents, path, key);
    return pointAt(offset);
  };
  return { value: toPlain(document, file), excerpt };
}

function toPlain(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    throw new CompileError("usage/recipe-syntax", "the recipe's aliases cannot be resolved", { where: file, cause });
  }
}

const WINDOW = 120;

/** The part of a long line around a column. */
function window(line: string, column: number): [number, string] {
  const start = Math.max(0, column - WINDOW / 2);
  return line.length <= WINDOW ? [0, line] : [start, line.slice(start, start + WINDOW)];
}

/** The offset of the value at the path, or of its key, or of the deepest parent that exists. */
function offsetOf(root: unknown, path: readonly PropertyKey[], key: boolean): number {
  let node = root;
  let offset = (root as Node | null)?.range?.[0] ?? 0;
  for (const [depth, step] of path.entries()) {
    if (!isCollection(node)) return offset;
    const item = isMap(node)
      ? node.items.find((pair) => isPair(pair) && isScalar(pair.key) && String(pair.key.value) === String(step))
      : node.items[Number(step)];
    if (item === undefined) return offset;
    const pair = isPair(item) ? item : undefined;
    const value = pair ? pair.value : item;
    const place = pair && (key && depth === path.length - 1 ? pair.key : (value ?? pair.key));
    offset = ((place ?? value) as Node | null)?.range?.[0] ?? offset;
    node = value;
  }
  return offset;
}
