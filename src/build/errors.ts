/** The error of each layer, told while the teacher is at hand, so that a report needs neither it nor the recipe. */
import { decodeGolden } from "../artifact/golden.ts";
import type { Lineage } from "../artifact/lineage.ts";
import { errorsOf } from "../findings/errors.ts";
import type { Graph } from "../ir/graph.ts";

export type LayerErrors = NonNullable<Lineage["errors"]>;

/** Bytes of the text that an artifact carries for them, at most. */
const MOST_BYTES = 200_000;

/**
 * Decibels to a tenth, of values in the order of the program, until there is no more room. Where the teacher does not run (a
 * runtime that refuses it, an operator that fails) nobody can tell, and `warn` hears why: no build fails for it.
 */
export async function layerErrorsOf(
  teacher: Graph,
  integer: Graph,
  golden: Uint8Array,
  warn: (text: string) => void,
): Promise<LayerErrors | undefined> {
  try {
    return fitting([...(await errorsOf(teacher, integer, decodeGolden(golden)))]);
  } catch (error) {
    warn(`the error of each layer could not be told: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** As many as there is room for. */
export function fitting(found: readonly (readonly [name: string, decibels: number])[], most = MOST_BYTES): LayerErrors {
  const values: [string, number][] = [];
  let bytes = 2;
  for (const [name, decibels] of found) {
    const entry: [string, number] = [name, Math.round(decibels * 10) / 10];
    bytes += Buffer.byteLength(JSON.stringify(entry)) + 1;
    if (bytes > most) break;
    values.push(entry);
  }
  return { values, left: found.length - values.length };
}
