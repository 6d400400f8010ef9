/** Memory-planning instances as MiniMalloc writes them: `id,lower,upper,size`, a buffer a row, times half-open. */
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { CompileError } from "../../src/error.ts";
import type { Lifetime } from "../../src/schedule/allocate.ts";

const COLUMNS = ["id", "lower", "upper", "size"];
const MOST_BYTES = 16 * 1024 * 1024;
const MOST_BUFFERS = 50_000;

/** Lifetimes with moments numbered densely: only the order of events matters. Throws usage/bad-instance. */
export function parseInstance(text: string, where: string): Lifetime[] {
  const refuse = (line: number, what: string): never => {
    throw new CompileError("usage/bad-instance", what, { where: `${where}:${line}` });
  };
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  while (lines.length > 0 && lines[lines.length - 1].trim() === "") lines.pop();
  const header = (lines[0] ?? "").split(",").map((cell) => cell.trim());
  const places = COLUMNS.map((name) => header.indexOf(name));
  if (places.includes(-1) || header.length !== COLUMNS.length) refuse(1, `the first line must be ${COLUMNS.join(",")}`);
  if (lines.length - 1 > MOST_BUFFERS) refuse(1, `there are ${lines.length - 1} buffers; at most ${MOST_BUFFERS}`);
  const [idAt, ...numbersAt] = places;
  const seen = new Map<string, number>();
  const rows = lines.slice(1).map((line, index) => {
    const at = index + 2;
    const cells = line.split(",").map((cell) => cell.trim());
    if (cells.length !== COLUMNS.length) refuse(at, `expected ${COLUMNS.length} cells, got ${cells.length}`);
    const id = cells[idAt];
    if (id === "") refuse(at, "the buffer has no id");
    if (seen.has(id)) refuse(at, `the buffer "${id.slice(0, 40)}" is already on line ${seen.get(id)}`);
    seen.set(id, at);
    const [lower, upper, bytes] = numbersAt.map((place, column) => {
      const value = Number(cells[place]);
      if (/^\d{1,15}$/.test(cells[place])) return value;
      return refuse(at, `${COLUMNS[column + 1]} is not a whole number: "${cells[place].slice(0, 40)}"`);
    });
    if (upper <= lower) refuse(at, `the buffer ends (${upper}) before it begins (${lower})`);
    if (bytes === 0) refuse(at, "the buffer is empty");
    return { lower, upper, bytes };
  });
  const total = rows.reduce((sum, { bytes }) => sum + bytes, 0);
  if (!Number.isSafeInteger(total)) refuse(1, "the sizes add up to more than 2^53");
  const times = [...new Set(rows.flatMap(({ lower, upper }) => [lower, upper]))].sort((a, b) => a - b);
  const moments = new Map(times.map((time, moment) => [time, moment]));
  const momentOf = (time: number): number => moments.get(time) ?? 0;
  return rows.map(({ lower, upper, bytes }) => ({ bytes, first: momentOf(lower), last: momentOf(upper) - 1 }));
}

/** Throws usage/bad-instance. */
export function readInstance(path: string): { name: string; lifetimes: Lifetime[] } {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isFile()) throw new CompileError("usage/bad-instance", "there is no such file", { where: path });
  if (stat.size > MOST_BYTES) {
    throw new CompileError("usage/bad-instance", `the file has ${stat.size} bytes; at most ${MOST_BYTES}`, {
      where: path,
    });
  }
  return { name: basename(path).replace(/\.csv$/i, ""), lifetimes: parseInstance(readFileSync(path, "utf8"), path) };
}
