/** Whether two operands have a byte in common. */
import type { Operand } from "../schedule/program.ts";
import { bytesOfElement } from "./operand.ts";

/** A number of bytes that may be added to the distance between two elements so many times. */
interface Stride {
  readonly bytes: number;
  low: number;
  high: number;
}

/** Choices that are looked at before an overlap is taken for granted; boxes of one tensor need a few for each axis. */
const STEPS = 256;

function stridesOf(operand: Operand): { bytes: number; steps: number }[] {
  const width = bytesOfElement(operand);
  const strides = operand.shape.map((size, axis) => ({ bytes: operand.strides[axis] * width, steps: size - 1 }));
  // The bytes of an element are one more axis.
  return [...strides, { bytes: 1, steps: width - 1 }].filter(({ bytes, steps }) => bytes !== 0 && steps > 0);
}

/**
 * With a(i) = A + Σ iₖ·sₖ and b(j) = B + Σ jₖ·tₖ: whether B − A = Σ iₖ·sₖ − Σ jₖ·tₖ for any indices in range. Equal strides
 * count once, the largest are chosen first, and a choice is dropped when the smaller ones cannot make up for the rest: exact
 * for parts of one tensor, and never false where bytes are shared.
 */
export function operandsOverlap(a: Operand, b: Operand): boolean {
  if (a.space !== b.space) return false;
  const strides = new Map<number, Stride>();
  const add = (bytes: number, steps: number) => {
    const size = Math.abs(bytes);
    const stride = strides.get(size) ?? { bytes: size, low: 0, high: 0 };
    if (bytes * steps > 0) stride.high += Math.abs(steps);
    else stride.low -= Math.abs(steps);
    strides.set(size, stride);
  };
  for (const { bytes, steps } of stridesOf(a)) add(bytes, steps);
  for (const { bytes, steps } of stridesOf(b)) add(bytes, -steps);
  const sorted = [...strides.values()].sort((x, y) => y.bytes - x.bytes);
  // What the strides from k on can add, least and most.
  const least = new Float64Array(sorted.length + 1);
  const most = new Float64Array(sorted.length + 1);
  for (let at = sorted.length - 1; at >= 0; at--) {
    least[at] = least[at + 1] + sorted[at].low * sorted[at].bytes;
    most[at] = most[at + 1] + sorted[at].high * sorted[at].bytes;
  }
  let steps = STEPS;
  const reaches = (distance: number, at: number): boolean => {
    if (distance < least[at] || distance > most[at]) return false;
    if (at === sorted.length || steps-- <= 0) return true;
    const { bytes, low, high } = sorted[at];
    const first = Math.max(low, Math.ceil((distance - most[at + 1]) / bytes));
    const last = Math.min(high, Math.floor((distance - least[at + 1]) / bytes));
    for (let times = first; times <= last; times++) if (reaches(distance - times * bytes, at + 1)) return true;
    return false;
  };
  return reaches(b.address - a.address, 0);
}
