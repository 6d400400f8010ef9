import { describe, expect, it } from "vitest";
import type { CompileError } from "../src/error.ts";
import type { Graph } from "../src/ir/graph.ts";
import { parse, print } from "../src/ir/text.ts";
import { listPasses, loadPass, runPasses } from "../src/passes.ts";
import { listPresets, presetPasses } from "../src/presets.ts";
import { interpret } from "../src/run/interpret.ts";
import { prepare, seededFeeds } from "./harness/pass.ts";

const TEXT = "input x: float32[2]\na = Relu(x)\nb = Identity(a)\nc = Relu(b)\ny = Neg(c)\nreturn y";

async function failure(run: Promise<unknown>): Promise<CompileError> {
  try {
    await run;
  } catch (error) {
    return error as CompileError;
  }
  throw new Error("it did not fail");
}

describe("runPasses", () => {
  it("runs in order and says what each pass did", async () => {
    const { graph, log } = await runPasses(parse(TEXT), ["simplify/no-op", "simplify/dead-code"]);
    expect(print(graph, { types: false })).toBe(
      "input x: float32[2]\na = Relu(x)\nc = Relu(a)\ny = Neg(c)\nreturn y\n",
    );
    expect(log.map(({ name, nodesBefore, nodesAfter, changed }) => [name, nodesBefore, nodesAfter, changed])).toEqual([
      ["simplify/no-op", 4, 3, true],
      ["simplify/dead-code", 3, 3, false],
    ]);
  });

  it("repeats a list until nothing changes, and takes presets by name", async () => {
    const text =
      "input x: float32[2]\nconst one: float32[] = 1\na = Cast(x) to=1\nb = Mul(a, one)\ny = Neg(b)\nreturn y";
    for (const spec of [{ repeat: ["simplify/no-op", "simplify/dead-code"] }, "simplify"]) {
      const { graph } = await runPasses(parse(text), [spec]);
      expect(graph.nodes).toHaveLength(1);
    }
  });

  it.each([
    ["simplify/no-opp", "usage/unknown-pass", 'did you mean "simplify/no-op"?'],
    ["../../etc/passwd", "usage/unknown-pass", undefined],
    ["simplify/../fuse/bias", "usage/unknown-pass", undefined],
  ])("refuses %s", async (name, code, remedy) => {
    const error = await failure(runPasses(parse(TEXT), [name]));
    expect(error.code).toBe(code);
    if (remedy !== undefined) expect(error.remedy).toBe(remedy);
  });

  it.each([
    [{ pass: "simplify/no-op", depth: 1 }, "usage/unknown-key"],
    [{ pass: "simplify/constant-fold", maxBytes: "much" }, "usage/invalid-option"],
    [{ pass: "simplify/constant-fold", maxByte: 1 }, "usage/invalid-option"],
  ])("checks the options of %j before any pass runs", async (spec, code) => {
    const seen: string[] = [];
    const error = await failure(
      runPasses(parse(TEXT), ["simplify/no-op", spec], { onPass: (name) => seen.push(name) }),
    );
    expect(error.code).toBe(code);
    expect(seen).toEqual([]);
  });

  it("refuses a graph that is not sound", async () => {
    const error = await failure(runPasses(parse("y = Relu(z)\nreturn y"), []));
    expect(error.code).toBe("model/invalid-graph");
  });

  it("compares with the graph before, and names the pass and the value", async () => {
    const graph = prepare(TEXT);
    const samples = { size: 1, feeds: () => seededFeeds(graph) };
    const honest = {
      samples,
      run: (each: Graph, feeds: ReturnType<typeof seededFeeds>, keep: ReadonlySet<string>) =>
        interpret(each, feeds, { keep }),
    };
    await runPasses(graph, ["simplify/no-op"], { check: honest });
    // An executor that computes the changed graph wrongly stands in for a pass that is wrong.
    const broken = {
      samples,
      run: (each: Graph, feeds: ReturnType<typeof seededFeeds>, keep: ReadonlySet<string>) => {
        const nodes = each.nodes.map((node) =>
          each.nodes.length === 3 && node.op === "Neg" ? { ...node, op: "Exp" } : node,
        );
        return interpret({ ...each, nodes }, feeds, { keep });
      },
    };
    const error = await failure(runPasses(graph, ["simplify/no-op"], { check: broken }));
    expect(error.message).toMatch(/^simplify\/no-op changed "y" by/);
    expect(error.where).toContain("node-y");
  });

  it("stops when it is told to", async () => {
    const error = await failure(runPasses(parse(TEXT), ["simplify/no-op"], { signal: AbortSignal.abort() }));
    expect(error.name).toBe("AbortError");
  });
});

describe("presets", () => {
  it.each(listPresets())("%s names passes that exist", (preset) => {
    const names = [JSON.stringify(presetPasses(preset))].flatMap((text) => text.match(/[a-z0-9-]+\/[a-z0-9-]+/g) ?? []);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(loadPass(name).summary).toMatch(/\.$/);
  });

  it("are found by name only", async () => {
    expect((await failure(Promise.resolve().then(() => presetPasses("flaot")))).remedy).toBe('did you mean "float"?');
    expect((await failure(Promise.resolve().then(() => presetPasses("constructor")))).code).toBe(
      "usage/unknown-preset",
    );
  });
});

it("lists every pass by its path", () => {
  expect(listPasses()).toContain("fuse/conv-bn");
  expect(listPasses()).toEqual([...listPasses()].sort());
});
