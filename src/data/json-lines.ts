/** Files of one JSON object a line. */
import { CompileError } from "../error.ts";
import { openUnzipped, type Source } from "./source.ts";

const MAX_LINE_BYTES = 64 * 2 ** 20;
const CHUNK_BYTES = 2 ** 20;
const NEWLINE = 10;

/** Where each line that is not blank starts and how long it is: 16 bytes a sample, the only thing that grows. */
function findLines(source: Source): { starts: Float64Array; lengths: Float64Array } {
  const starts: number[] = [];
  const lengths: number[] = [];
  let start = 0;
  const end = (at: number): void => {
    if (at - start > MAX_LINE_BYTES) {
      throw new CompileError("usage/data-too-big", `line ${starts.length + 1} is longer than ${MAX_LINE_BYTES} bytes`, {
        where: source.name,
      });
    }
    if (at - start > 1) {
      starts.push(start);
      lengths.push(at - start);
    }
    start = at + 1;
  };
  for (let from = 0; from < source.size; from += CHUNK_BYTES) {
    const chunk = source.read(from, Math.min(CHUNK_BYTES, source.size - from));
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) end(from + at);
  }
  end(source.size);
  return { starts: Float64Array.from(starts), lengths: Float64Array.from(lengths) };
}

export interface Lines {
  readonly source: Source;
  readonly starts: Float64Array;
  readonly lengths: Float64Array;
}

/** @throws CompileError where the file is missing, its stream broken, or a line longer than 64 MiB. */
export async function openLines(path: string): Promise<Lines> {
  const source = await openUnzipped(path);
  try {
    return { source, ...findLines(source) };
  } catch (error) {
    source.close();
    throw error;
  }
}

/** undefined where it is no JSON. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}
