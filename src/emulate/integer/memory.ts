import { CompileError } from "../../error.ts";
import { FIRST_ADDRESS } from "../../run/wasm.ts";
import type { Kernels } from "../kernels/load.ts";

/** Kernels read whole vectors: up to this many bytes beyond the last element. */
const SLACK = 64;
const PAGE = 65536;
/** Offsets travel as int32. */
const LIMIT = 2 ** 31;

/**
 * The layout of one program's memory: activations first (their places are planned before), then constants as they come, then
 * one scratch area that all nodes share. Nothing is written before `finish`.
 */
export interface Layout {
  /** Address of a copy of the bytes; equal content is not merged. */
  constant(data: ArrayBufferView): number;
  /** Room that a node needs only while it runs: an offset from `scratchAddress`, which is known once the program runs. */
  scratch(...sizes: readonly number[]): number[];
  readonly scratchAddress: number;
  finish(kernels: Kernels): void;
}

export function makeLayout(activationBytes: number): Layout {
  let next = align(FIRST_ADDRESS + activationBytes);
  let scratchBytes = 0;
  let scratchAddress = 0;
  const pending: { address: number; bytes: Uint8Array }[] = [];
  return {
    constant(data) {
      const address = next;
      pending.push({ address, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) });
      next = align(next + data.byteLength + SLACK);
      return address;
    },
    scratch(...sizes) {
      let offset = 0;
      const offsets = sizes.map((size) => {
        const at = offset;
        offset = align(offset + size + SLACK);
        return at;
      });
      scratchBytes = Math.max(scratchBytes, offset);
      return offsets;
    },
    get scratchAddress() {
      return scratchAddress;
    },
    finish({ memory }) {
      scratchAddress = next;
      const total = next + scratchBytes + SLACK;
      if (total > LIMIT) {
        throw new CompileError("usage/too-large", `emulating this model takes ${Math.ceil(total / 2 ** 20)} MiB`, {
          remedy: "bind the model's input to a smaller shape",
        });
      }
      memory.grow(Math.max(0, Math.ceil((total - memory.buffer.byteLength) / PAGE)));
      const bytes = new Uint8Array(memory.buffer);
      for (const { address, bytes: source } of pending) bytes.set(source, address);
      pending.length = 0;
    },
  };
}

function align(address: number): number {
  return Math.ceil(address / 64) * 64;
}

/** A value that lives from node `first` to node `last`. */
export interface Lifetime {
  readonly name: string;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Places for values such that no two that live together overlap: largest first, each at the lowest gap that fits. */
export function placeValues(lifetimes: readonly Lifetime[]): { addresses: Map<string, number>; bytes: number } {
  const order = [...lifetimes].sort((a, b) => b.bytes - a.bytes || a.first - b.first || (a.name < b.name ? -1 : 1));
  const placed: (Lifetime & { readonly at: number; readonly end: number })[] = [];
  const addresses = new Map<string, number>();
  let bytes = 0;
  for (const value of order) {
    const size = align(value.bytes + SLACK);
    const busy = placed
      .filter((other) => other.first <= value.last && value.first <= other.last)
      .sort((a, b) => a.at - b.at);
    let at = 0;
    for (const other of busy) {
      if (other.at - at >= size) break;
      at = Math.max(at, other.end);
    }
    placed.push({ ...value, at, end: at + size });
    addresses.set(value.name, FIRST_ADDRESS + at);
    bytes = Math.max(bytes, at + size);
  }
  return { addresses, bytes };
}
