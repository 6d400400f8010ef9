/** What a step does with caches: rows that are replaced, and codes of 4 bits that are packed and unpacked. */
import { elementCount, stringAttr } from "../../ir/graph.ts";
import { axisAttr } from "../../ops/shared/types.ts";
import type { CompileStep } from "./step.ts";

const INDICES: ReadonlySet<string> = new Set(["int32", "int64"]);

/** TensorScatter: the past as it is, then the update's rows in their places. */
export const compileScatter: CompileStep = ({ node, kernels, input, output }) => {
  const [past, update, indices] = [input(0), input(1), input(2)];
  if (!INDICES.has(indices.dtype)) return undefined;
  const axis = axisAttr(node, past.shape.length, -2);
  const [size, rows] = [past.shape[axis], update.shape[axis]];
  const length = elementCount(past.shape.slice(axis + 1)) * past.bytes;
  const perBatch = elementCount(past.shape.slice(1, axis));
  const circular = stringAttr(node, "mode", "linear") === "circular";
  return () => {
    const { buffer } = kernels.memory;
    const bytes = new Uint8Array(buffer);
    const firsts =
      indices.dtype === "int32"
        ? new Int32Array(buffer, indices.address, indices.count)
        : Array.from(new BigInt64Array(buffer, indices.address, indices.count), Number);
    bytes.copyWithin(output.address, past.address, past.address + past.count * past.bytes);
    for (let outer = 0; outer * size * length < past.count * past.bytes; outer++) {
      const given = firsts[Math.floor(outer / perBatch)];
      const first = circular ? given : Math.min(Math.max(given, 0), size - rows);
      for (let row = 0; row < rows; row++) {
        const place = (((first + row) % size) + size) % size;
        const from = update.address + (outer * rows + row) * length;
        bytes.copyWithin(output.address + (outer * size + place) * length, from, from + length);
      }
    }
  };
};

/** Codes of 4 bits, two a byte, the low half first. */
export const compilePackNibbles: CompileStep = ({ kernels, input, output }) => {
  const x = input(0);
  return () => {
    const codes = new Int8Array(kernels.memory.buffer, x.address, x.count);
    const bytes = new Uint8Array(kernels.memory.buffer, output.address, output.count);
    const half = (at: number) => Math.min(7, Math.max(-8, codes[at])) & 15;
    for (let at = 0; at < bytes.length; at++) bytes[at] = half(2 * at) | (half(2 * at + 1) << 4);
  };
};

/** The halves with their signs carried up. */
export const compileUnpackNibbles: CompileStep = ({ kernels, input, output }) => {
  const x = input(0);
  return () => {
    const bytes = new Uint8Array(kernels.memory.buffer, x.address, x.count);
    const codes = new Int8Array(kernels.memory.buffer, output.address, output.count);
    for (let at = 0; at < bytes.length; at++) {
      codes[2 * at] = (bytes[at] << 28) >> 28;
      codes[2 * at + 1] = (bytes[at] << 24) >> 28;
    }
  };
};
