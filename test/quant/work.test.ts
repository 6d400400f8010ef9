import { describe, expect, test } from "vitest";
import { parse } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { BYTE, jobsFor, workOf } from "../../src/quant/work.ts";

const product = (rows: number | string, depth: number) =>
  inferTypes(
    parse(`
      input a: float32[${rows},${depth}]
      const b: float32[${depth},8] = random(1)
      y = MatMul(a, b)
      return y
    `),
  );

describe("work", () => {
  test("is products, and a hundred for each byte that comes or goes", () => {
    const graph = product(4, 16);
    expect(workOf(graph, graph.nodes[0])).toBe(4 * 16 * 8 + BYTE * (4 * 16 + 4 * 8));
  });

  test("starts workers where there is enough of it", () => {
    const each = workOf(product(4, 16), product(4, 16).nodes[0]);
    const enough = Math.ceil(2 ** 39 / each);
    expect(jobsFor(product(4, 16), enough - 1, 3)).toBe(1);
    expect(jobsFor(product(4, 16), enough, 3)).toBe(3);
  });

  test("that nobody can tell is left to workers", () => {
    expect(jobsFor(product("rows", 16), 1, 3)).toBe(3);
  });
});
