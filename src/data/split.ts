import { createHash } from "node:crypto";
import { z } from "zod";

/**
 * Which part of the data a source belongs to, decided by a hash of its group (page, speaker, document) alone: before
 * anything is rendered or augmented, the same in every process, and unmoved when data is added.
 */

export const SPLITS = ["calibration", "selection", "certification"] as const;
export type Split = (typeof SPLITS)[number];

/** Shares of the groups, in hundredths: most go where the evidence is made. */
const SHARES: readonly (readonly [Split, number])[] = [
  ["calibration", 20],
  ["selection", 20],
  ["certification", 60],
];

/** The hash that decides a group's split. Hexadecimal sha256. */
export function groupHash(group: string): string {
  return createHash("sha256").update("optimus-compile split\n").update(group).digest("hex");
}

/** A number in [0, 1) from the first 32 bits of a hexadecimal hash. */
const placeOf = (hash: string): number => Number.parseInt(hash.slice(0, 8), 16) / 2 ** 32;

/** From one place in [0, 1) up to another. */
export const portion = z
  .tuple([z.number().min(0).max(1), z.number().min(0).max(1)])
  .refine(([from, to]) => from < to, "a portion is [from, to], from less than to");

/**
 * Does a group's own place in [0, 1) lie in the portion? Independent of its split: what a teacher learns from and what it has
 * never seen have splits of their own.
 */
export function isWithin(group: string, [from, to]: readonly [number, number]): boolean {
  const place = placeOf(createHash("sha256").update("optimus-compile portion\n").update(group).digest("hex"));
  return place >= from && place < to;
}

/** @param hash a `groupHash` */
export function splitOf(hash: string): Split {
  const place = placeOf(hash);
  let passed = 0;
  for (const [split, share] of SHARES) {
    passed += share / 100;
    if (place < passed) return split;
  }
  return "certification";
}

/** The options that choose samples, common to the readers: first the split, then `offset`, then `limit`. */
export const selection = {
  split: z.enum(SPLITS).optional().describe("only groups whose hash falls into this split"),
  offset: z.int().min(0).default(0).describe("samples to skip"),
  limit: z.int().min(1).optional().describe("samples to take at most"),
};

export interface Selection {
  readonly split?: Split | undefined;
  readonly offset: number;
  readonly limit?: number | undefined;
}

export interface Chosen {
  readonly length: number;
  at(index: number): number;
}

/** The chosen samples among `length`; `groupOf` is only asked when there is a split to make. */
export function choose(length: number, selection: Selection, groupOf: (index: number) => string): Chosen {
  const { split, offset, limit = Number.POSITIVE_INFINITY } = selection;
  if (split === undefined) {
    return { length: Math.max(0, Math.min(length - offset, limit)), at: (index) => offset + index };
  }
  const kept: number[] = [];
  let skipped = 0;
  for (let index = 0; index < length && kept.length < limit; index++) {
    if (splitOf(groupHash(groupOf(index))) !== split) continue;
    if (skipped < offset) skipped++;
    else kept.push(index);
  }
  const indices = Uint32Array.from(kept);
  return { length: indices.length, at: (index) => indices[index] };
}
