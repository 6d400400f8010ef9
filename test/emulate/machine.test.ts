import { describe, expect, test } from "vitest";
import type { AnyArray } from "../../src/emulate/machine/memory.ts";
import { createMachine } from "../../src/emulate/machine.ts";
import { CompileError } from "../../src/error.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { numbersOf, valuesOf } from "../../src/ir/tensor.ts";
import { interpret } from "../../src/run/interpret.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import type { Target } from "../../src/target/schema.ts";
import { drawFrom } from "./cases.ts";
import { GENERATORS } from "./generators.ts";

function feedsOf(feeds: ReadonlyMap<string, Tensor>): Map<string, AnyArray> {
  return new Map([...feeds].map(([name, tensor]) => [name, valuesOf(tensor) as AnyArray]));
}

/** Outputs of one run of the scheduled, encoded, decoded graph. */
function runOnMachine(graph: Graph, feeds: ReadonlyMap<string, Tensor>, target: Target): Map<string, AnyArray> {
  const { program } = schedule(graph, target);
  return createMachine(encodeProgram(program)).run("main", feedsOf(feeds));
}

/** Windows over three axes have no place on the array. */
function isMapped(graph: Graph): boolean {
  const [node] = graph.nodes;
  const windowed = ["Conv", "ConvTranspose", "MaxPool", "AveragePool"].includes(node.op);
  return !windowed || (graph.types.get(node.inputs[0])?.shape?.length ?? 0) <= 4;
}

describe("the machine computes what the oracle computes", () => {
  for (const set of [[], ["sram=8KiB"], ["sram=3KiB"]]) {
    const target = loadTarget("ai4", { set });
    test.each(Object.keys(GENERATORS))(`%s ${set}`, (op) => {
      let ran = 0;
      for (let seed = 0; seed < 16; seed++) {
        const { graph, feeds } = GENERATORS[op](drawFrom(seededRandom(`${op} ${seed}`)));
        if (!isMapped(graph)) continue;
        const context = `seed ${seed}: ${JSON.stringify([...graph.nodes[0].attrs])}`;
        let actual: Map<string, AnyArray>;
        try {
          actual = runOnMachine(graph, feeds, target);
        } catch (error) {
          if (set.length > 0 && error instanceof CompileError && error.code === "model/layer-too-large") continue;
          throw new Error(context, { cause: error });
        }
        const expected = interpret(graph, feeds).get("y") as Tensor;
        expect(Array.from(actual.get("y") as Int8Array), context).toEqual(numbersOf(expected));
        ran++;
      }
      expect(ran).toBeGreaterThan(6);
    });
  }
});
