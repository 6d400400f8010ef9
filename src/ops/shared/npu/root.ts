/** Integer square roots, and what may be put under them. */

import type { Node } from "../../../ir/graph.ts";
import { reject } from "../types.ts";

/** Fractional bits of ReduceL2's result: the root is taken of Q·2^20. */
export const ROOT_BITS = 10;

/** ⌊√value⌋ for 0 ≤ value < 2^106. */
export function integerRoot(value: bigint): bigint {
  let root = BigInt(Math.floor(Math.sqrt(Number(value))));
  while (root * root > value) root--;
  while ((root + 1n) * (root + 1n) <= value) root++;
  return root;
}

/** Whether the squares of `count` codes, each at most `reach` from the zero point, sum to less than 2^32. */
export function squaresFit(count: number, reach: number): boolean {
  return count * reach * reach < 2 ** 32;
}

/** Throws model/invalid-node where the squares of `count` codes of this type could leave 32 bits. */
export function requireSquares(node: Node, dtype: string, zero: number, count: number): void {
  const reach = dtype === "int16" ? 32768 : Math.max(zero + 128, 127 - zero);
  if (!squaresFit(count, reach))
    reject(node, `the squares of ${count} ${dtype} codes can sum to more than 32 bits hold`);
}
