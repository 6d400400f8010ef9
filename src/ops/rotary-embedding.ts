import { type Dim, intAttr, type Node, type Tensor } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { FLOATS, INDICES, optionalTypeAt, reject, requireRank, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, integersOf, optionalTensorAt, tensorAt } from "./shared/values.ts";

/** Where the numbers of one head of one token lie: [batch, heads, tokens, size], or [batch, tokens, heads · size]. */
interface Layout {
  readonly batch: number;
  readonly heads: number;
  readonly tokens: number;
  readonly size: number;
  offset(batch: number, head: number, token: number): number;
}

function layoutOf(node: Node, shape: readonly number[]): Layout {
  if (shape.length === 4) {
    const [batch, heads, tokens, size] = shape;
    return { batch, heads, tokens, size, offset: (b, head, token) => ((b * heads + head) * tokens + token) * size };
  }
  const [batch, tokens, hidden] = shape;
  const heads = intAttr(node, "num_heads", 0);
  if (heads < 1 || hidden % heads !== 0) reject(node, `num_heads ${heads} does not divide ${hidden}`);
  const size = hidden / heads;
  return { batch, heads, tokens, size, offset: (b, head, token) => (b * tokens + token) * hidden + head * size };
}

/** How many of each head's numbers are turned. */
function rotatedOf(node: Node, size: number): number {
  const rotated = intAttr(node, "rotary_embedding_dim", 0) || size;
  return rotated % 2 === 0 && rotated <= size
    ? rotated
    : reject(node, `${rotated} of ${size} numbers cannot be turned`);
}

/** The row of the caches that a token reads. */
function rowOf(node: Node, cache: Tensor, positions: Tensor | undefined, tokens: number) {
  const rows = cache.shape.slice(0, -1).reduce((product, size) => product * size, 1);
  const given = positions && integersOf(positions);
  return (batch: number, token: number): number => {
    const row = given ? given[batch * tokens + token] : batch * tokens + token;
    return row >= 0 && row < rows ? row : reject(node, `position ${row} is outside of the ${rows} in the cache`);
  };
}

/**
 * Turns pairs of numbers by their token's angle: `(a·cos − b·sin, a·sin + b·cos)`. Pairs are neighbours if `interleaved`,
 * else the two halves. The caches hold an angle for each half: [positions, half] with `position_ids`, else [batch, tokens, half].
 */
const op: Op = {
  infer(node, inputs) {
    const x = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, x, 0, 3, 4);
    const positions = optionalTypeAt(node, inputs, 3, INDICES);
    const rank: number = positions ? 2 : 3;
    for (const index of [1, 2]) requireRank(node, typeAt(node, inputs, index, FLOATS), index, rank, rank);
    const last: Dim | undefined = x.shape?.length === 4 ? x.shape[3] : undefined;
    if (typeof last === "number") rotatedOf(node, last);
    return [x];
  },
  evaluate(node, inputs) {
    const [x, cosines, sines] = [0, 1, 2].map((index) => tensorAt(node, inputs, index));
    const layout = layoutOf(node, x.shape);
    const rotated = rotatedOf(node, layout.size);
    const half = rotated / 2;
    if (cosines.shape.at(-1) !== half || sines.shape.at(-1) !== half) {
      reject(node, `caches of [${cosines.shape}] and [${sines.shape}] do not hold ${half} angles a token`);
    }
    const interleaved = intAttr(node, "interleaved", 0) === 1;
    const row = rowOf(node, cosines, optionalTensorAt(node, inputs, 3), layout.tokens);
    const [values, cosine, sine] = [x, cosines, sines].map(doublesOf);
    const result = Float64Array.from(values);
    for (let batch = 0; batch < layout.batch; batch++) {
      for (let token = 0; token < layout.tokens; token++) {
        const angles = row(batch, token) * half;
        for (let head = 0; head < layout.heads; head++) {
          const base = layout.offset(batch, head, token);
          for (let pair = 0; pair < half; pair++) {
            const first = base + (interleaved ? 2 * pair : pair);
            const second = first + (interleaved ? 1 : half);
            const [a, b] = [values[first], values[second]];
            result[first] = a * cosine[angles + pair] - b * sine[angles + pair];
            result[second] = a * sine[angles + pair] + b * cosine[angles + pair];
          }
        }
      }
    }
    return [fromDoubles(x.dtype, x.shape, result)];
  },
};

export default op;
