import { type Zippable, zipSync } from "fflate";
import type { DataArray } from "./dataset.ts";
import { encodeNpy } from "./npy.ts";

/** Times before 1980 do not fit a zip header; a fixed one makes the same arrays the same bytes. */
const EPOCH = "1980-01-02T00:00:00Z";

/** An .npz archive of the arrays, stored uncompressed, as numpy.load reads it. For outputs that fit in memory. */
export function encodeNpz(arrays: ReadonlyMap<string, DataArray>): Uint8Array {
  const files: Zippable = {};
  for (const [name, array] of arrays) files[`${name}.npy`] = [encodeNpy(array), { level: 0, mtime: EPOCH }];
  return zipSync(files);
}
