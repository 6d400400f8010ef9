import { describe, expect, test } from "vitest";
import { factsOf, sizeOf } from "../src/inspect.ts";
import { parse } from "../src/ir/text.ts";
import { inferTypes } from "../src/ops/infer.ts";

describe("sizeOf", () => {
  test("counts nodes, parameters and multiply-accumulates", () => {
    const graph = inferTypes(
      parse(`
        graph small
        input x: float32[1,2,4,4]
        const w: float32[3,2,1,1] = [1, 2, 3, 4, 5, 6]
        const b: float32[3] = [1, 2, 3]
        const one: float32[] = [1]
        c = Conv(x, w, b)
        y = Add(c, one)
        return y
      `),
    );
    expect(sizeOf(graph)).toEqual({ nodes: 2, parameters: 9, macs: 3 * 2 * 16 });
    const facts = factsOf(graph);
    expect(facts.operators).toEqual([
      ["Add", 1],
      ["Conv", 1],
    ]);
    expect(facts.inputs).toEqual([{ name: "x", dtype: "float32", shape: [1, 2, 4, 4] }]);
  });

  test("does not guess where a size is symbolic", () => {
    const graph = inferTypes(
      parse(`
        graph open
        input x: float32[batch,3]
        const w: float32[3,2] = [1, 2, 3, 4, 5, 6]
        y = MatMul(x, w)
        return y
      `),
    );
    expect(sizeOf(graph).macs).toBeUndefined();
  });
});
