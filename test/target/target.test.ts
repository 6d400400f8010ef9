import { describe, expect, test } from "vitest";
import { nvdlaTarget } from "../../scripts/nvdla.ts";
import { CompileError } from "../../src/error.ts";
import { attrs, type Graph, makeGraph } from "../../src/ir/graph.ts";
import { constraintsOf, supportedOperators } from "../../src/target/constraints.ts";
import { listTargets, loadTarget, parseTarget } from "../../src/target/load.ts";
import { placement } from "../../src/target/placement.ts";

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof CompileError) return error.code;
    throw error;
  }
  return "nothing was thrown";
}

describe("every target", () => {
  test.each(listTargets())("%s says where each figure comes from", (name) => {
    const { figures } = loadTarget(name);
    expect(figures.length).toBeGreaterThan(50);
    for (const { source, assumed } of figures) expect(source === undefined).not.toBe(assumed === undefined);
    expect(new Set(figures.map(({ path }) => path)).size).toBe(figures.length);
  });

  test.each(listTargets())("%s has consistent ranges and profiles", (name) => {
    const target = loadTarget(name);
    for (const range of Object.values(target.energy)) {
      expect(range.low).toBeLessThanOrEqual(range.mid);
      expect(range.mid).toBeLessThanOrEqual(range.high);
    }
    expect(Object.keys(target.profiles)).toContain(target.defaultProfile);
  });

  test("the published rates follow from the figures", () => {
    const tops = (name: string) => {
      const { npus, array, clockGHz } = loadTarget(name);
      return (2 * npus * array.rows * array.columns * clockGHz) / 1000;
    };
    expect(tops("ai3")).toBeCloseTo(73.7, 1);
    expect(tops("ai4")).toBeCloseTo(121.7, 1);
    expect(tops("ai4-parked-charging")).toBeCloseTo(88.5, 1);
    expect(tops("ai5-preview") / tops("ai4")).toBeCloseTo(8, 1);
  });
});

describe("what if", () => {
  test.each([
    ["sram=1MiB", (target: ReturnType<typeof loadTarget>) => target.sram.bytes, 1_048_576],
    ["dram.GBps=448", (target: ReturnType<typeof loadTarget>) => target.dram.GBps, 448],
    ["vector.steps.softmax=4", (target: ReturnType<typeof loadTarget>) => target.vector.steps.softmax, 4],
  ])("%s", (set, read, value) => {
    const target = loadTarget("ai4", { set: [set] });
    expect(read(target)).toBe(value);
    expect(target.figures.filter(({ assumed }) => assumed === "set by the user")).toHaveLength(1);
  });

  test.each(["nonsense=1", "sram", "sram=", "sram=-3", "sram=0.5", "array.rows.value=3", "__proto__.x=1", "sram=1=2"])(
    "%s is refused",
    (set) => {
      expect(codeOf(() => loadTarget("ai4", { set: [set] }))).toBe("usage/bad-override");
    },
  );

  test.each(["ai9", "../ai4", "", "AI4"])("there is no target %j", (name) => {
    expect(codeOf(() => loadTarget(name))).toBe("usage/unknown-target");
  });

  test("a rectangle of pixels that the rows do not fill is refused", () => {
    expect(codeOf(() => loadTarget("ethos-u55-256", { set: ["array.rows=8"] }))).toBe("usage/bad-override");
  });

  test("a figure without its origin is refused", () => {
    expect(codeOf(() => parseTarget("name: x\nclockGHz: 2.2\n", "x.yaml"))).toBe("usage/bad-target");
  });
});

/** One node x → y of the operator. */
function graphOf(op: string, domain: string, shape: readonly number[], given: Parameters<typeof attrs>[0] = {}): Graph {
  const type = { dtype: "int8", shape } as const;
  const node = { op, domain, inputs: ["x"], outputs: ["y"], attrs: attrs(given), origin: ["the-layer"] };
  return makeGraph({
    inputs: ["x"],
    outputs: ["y"],
    nodes: [node],
    types: new Map([
      ["x", type],
      ["y", type],
    ]),
  });
}

describe("placement", () => {
  const target = loadTarget("ai4");

  test("puts operators where they run", () => {
    const at = (op: string) => placement(graphOf(op, "npu", [1, 2, 3, 4]), target)[0].where;
    expect(["Softmax", "Reshape", "Table"].map(at)).toEqual(["vector", "vector", "vector"]);
  });

  test("a node that stayed in floating point is an error that names it, unless the CPU is allowed", () => {
    const graph = graphOf("NonMaxSuppression", "", [1, 2]);
    expect(() => placement(graph, target)).toThrow(/the-layer \(NonMaxSuppression\)/);
    expect(codeOf(() => placement(graph, target))).toBe("model/cpu-fallback");
    expect(placement(graph, target, { allowCpu: true })[0]).toMatchObject({ where: "cpu" });
  });

  test.each([
    ["more axes than the address generators have", graphOf("Softmax", "npu", [1, 1, 1, 1, 1, 1, 1, 1, 2]), /8 axes/],
    ["an empty axis", graphOf("Softmax", "npu", [0, 2]), /size 0/],
    [
      "a giant window",
      graphOf("MaxPool", "npu", [1, 1, 400, 400], { kernel_shape: { ints: [300, 2] } }),
      /pooling windows/,
    ],
    ["a giant stride", graphOf("MaxPool", "npu", [1, 1, 400, 400], { strides: { ints: [9999, 2] } }), /strides/],
    ["an unknown operator", graphOf("Frobnicate", "npu", [1, 2]), /no operator npu.Frobnicate/],
  ])("%s is told in the rule's own words, and no CPU helps", (_, graph, sentence) => {
    expect(() => placement(graph, target)).toThrow(sentence);
    expect(() => placement(graph, target, { allowCpu: true })).toThrow(sentence);
  });

  test("an operator that the chip lacks is refused by name", () => {
    const nvdla = loadTarget("nvdla-512");
    expect(() => placement(graphOf("Softmax", "npu", [1, 4]), nvdla)).toThrow(/nvdla-512 has the operator Softmax/);
    expect(placement(graphOf("Max", "npu", [1, 4]), nvdla)[0].where).toBe("vector");
    const text = nvdlaTarget({ macs: 64, bufferBytes: 65_536, GBps: 1 });
    expect(codeOf(() => parseTarget(text.replace("[Softmax,", "[Softmaxx,"), "x.yaml"))).toBe("usage/bad-target");
  });

  test("every operator has rules, each with a sentence", () => {
    for (const [op] of supportedOperators()) {
      const rules = constraintsOf(op, target);
      expect(rules.length).toBeGreaterThan(0);
      for (const { says } of rules) expect(says.length).toBeGreaterThan(10);
    }
  });
});
