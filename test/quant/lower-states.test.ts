import { expect, it } from "vitest";
import { createMachine } from "../../src/emulate/machine.ts";
import { dequantize } from "../../src/ir/codes.ts";
import type { Tensor } from "../../src/ir/graph.ts";
import { numbersOf, valuesOf } from "../../src/ir/tensor.ts";
import { runPasses } from "../../src/passes.ts";
import { interpret } from "../../src/run/interpret.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";

it("a state begins with the codes of what the teacher's begins with, on the chip too", async () => {
  const float = prepare(`
    input x: float32[1,4]
    input h: float32[1,4]
    state n -> h = [0.5, -1.5, 2.0, 0.25]
    const g: float32[1,4] = [0.5, 0.5, -0.5, 0.25]
    d = Mul(h, g)
    n = Add(x, d)
    return n
  `);
  const calibration = { size: 4, feeds: (index: number) => seededFeeds(float, index + 1) };
  const { graph } = await runPasses(float, ["quantize/int8", "lower/integer"], { calibration });
  const [{ init }] = graph.states;
  expect(init.dtype).toBe("int16");
  const back = numbersOf(dequantize(init));
  [0.5, -1.5, 2, 0.25].forEach((value, index) => {
    expect(back[index]).toBeCloseTo(value, 3);
  });

  const x: Tensor = { dtype: graph.types.get("x")?.dtype ?? "int8", shape: [1, 4], data: new Int16Array(4) };
  const codes =
    x.dtype === "int8" ? { ...x, data: Int8Array.of(1, 2, 3, 4) } : { ...x, data: Int16Array.of(1, 2, 3, 4) };
  const expected = interpret(
    graph,
    new Map([
      ["x", codes],
      ["h", init],
    ]),
  ).get("n") as Tensor;
  const machine = createMachine(encodeProgram(schedule(graph, loadTarget("ai4")).program));
  const actual = machine.run("main", new Map([["x", valuesOf(codes) as Int16Array]])).get("n") as Int16Array;
  expect(Array.from(actual)).toEqual(numbersOf(expected));
});
