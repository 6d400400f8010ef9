/**
 * Golden vectors: codes that went in and came out when the artifact was made, step by step where there are states. Who
 * runs the artifact elsewhere runs them first.
 *
 *     u32 length of the index · index (canonical JSON) · arrays, one after the other
 */
import { z } from "zod";
import { CompileError } from "../error.ts";
import { canonicalBytes, type Json } from "./canonical.ts";

/** A value's codes, little-endian, row-major. */
export interface Codes {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface GoldenStep {
  readonly inputs: readonly Codes[];
  readonly outputs: readonly Codes[];
}

/** Steps of one sequence: the states are reset before the first. */
export type GoldenSequence = readonly GoldenStep[];

const LIMITS = { index: 16 * 2 ** 20 };

const CodesIndex = z.strictObject({
  name: z.string(),
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()),
  bytes: z.int().nonnegative(),
});
const Index = z.array(z.array(z.strictObject({ inputs: z.array(CodesIndex), outputs: z.array(CodesIndex) })));

export function encodeGolden(sequences: readonly GoldenSequence[]): Uint8Array {
  const arrays: Uint8Array[] = [];
  const place = ({ name, dtype, shape, bytes }: Codes): Json => {
    arrays.push(bytes);
    return { name, dtype, shape, bytes: bytes.length };
  };
  const index = canonicalBytes(
    sequences.map((steps) =>
      steps.map((step) => ({ inputs: step.inputs.map(place), outputs: step.outputs.map(place) })),
    ),
  );
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, index.length, true);
  return new Uint8Array(Buffer.concat([head, index, ...arrays]));
}

/** Throws CompileError trust/golden. */
export function decodeGolden(bytes: Uint8Array): GoldenSequence[] {
  if (bytes.length < 4) return broken("it is cut off");
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (length > LIMITS.index || 4 + length > bytes.length) return broken("its index is cut off");
  const index = parseIndex(bytes.subarray(4, 4 + length));
  let at = 4 + length;
  const take = ({ bytes: size, ...rest }: z.infer<typeof CodesIndex>): Codes => {
    if (size > bytes.length - at) return broken("an array is cut off");
    at += size;
    return { ...rest, bytes: bytes.subarray(at - size, at) };
  };
  const sequences = index.map((steps) =>
    steps.map((step) => ({ inputs: step.inputs.map(take), outputs: step.outputs.map(take) })),
  );
  return at === bytes.length ? sequences : broken("bytes are left over");
}

function parseIndex(bytes: Uint8Array): z.infer<typeof Index> {
  try {
    const result = Index.safeParse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
    if (result.success) return result.data;
  } catch {
    // Reported below.
  }
  return broken("its index is malformed");
}

function broken(message: string): never {
  throw new CompileError("trust/golden", `the golden vectors are not sound: ${message}`, { where: "section golden" });
}
