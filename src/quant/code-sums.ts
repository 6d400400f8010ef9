import { placesFor } from "../run/wasm.ts";
import { roundingKernels } from "./kernels/load.ts";

/** Sums over each channel of int16 codes and of what they become with another bias; all are whole numbers, and exact. */
export interface CodeSums {
  /** Σ codes. */
  readonly codes: Float64Array;
  /** Largest moved − codes, and Σ (moved − codes)². */
  readonly most: Float64Array;
  readonly squares: Float64Array;
  /** Codes of a channel so far. */
  count(): number;
  /** Both lists hold whole cycles of all channels, `inner` codes of each in a row. */
  add(codes: Int16Array, moved: Int16Array): void;
}

/** So many channels, of which so many codes lie side by side. */
export function codeSums(channels: number, inner: number): CodeSums {
  const kernels = roundingKernels();
  let counted = 0;
  const sums = {
    codes: new Float64Array(channels),
    most: new Float64Array(channels),
    squares: new Float64Array(channels),
  };
  const kept = [sums.codes, sums.most, sums.squares];
  return {
    ...sums,
    count: () => counted,
    add(codes, moved) {
      const places = placesFor(kernels, [codes.byteLength, moved.byteLength, ...kept.map((list) => list.byteLength)]);
      const [a, b, ...results] = places;
      const { buffer } = kernels.memory;
      new Int16Array(buffer, a, codes.length).set(codes);
      new Int16Array(buffer, b, moved.length).set(moved);
      kept.forEach((list, index) => {
        new Float64Array(buffer, results[index], channels).set(list);
      });
      kernels.codeSums(a, b, codes.length / inner, inner, channels, ...results);
      kept.forEach((list, index) => {
        list.set(new Float64Array(buffer, results[index], channels));
      });
      counted += codes.length / channels;
    },
  };
}
