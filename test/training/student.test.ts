import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { digestOfFile } from "../../src/artifact/file.ts";
import { importOnnx } from "../../src/onnx/import.ts";
import { readModel } from "../../src/onnx/read.ts";
import { parseTraining } from "../../src/recipe/training.ts";
import { runTraining } from "../../src/training/run.ts";

const fixtures = resolve(import.meta.dirname, "../../fixtures/fashion-mnist");
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "student-"));
  return () => rmSync(folder, { recursive: true, force: true });
});

const recipe = (student: string, more = "") =>
  parseTraining(
    `
name: small
teacher: ${fixtures}/depthwise.onnx
student: ${student}
${more}
data: { training: { reader: idx, images: ${fixtures}/train-2048-images-idx3-ubyte.gz, limit: 64 } }
losses: [{ kind: distill, scores: logits, teacher: logits }]
rate: { peak: 0.01 }
epochs: 1
batch: 32
`,
    join(folder, "small.yaml"),
  );

describe("a training whose student comes from its teacher", () => {
  it("writes both networks, for any number of samples at once, and what went", async () => {
    const out = join(folder, "out");
    const { model, parameters } = await runTraining(recipe("{ macs: 0.4 }"), { out, resume: false });
    const report = JSON.parse(readFileSync(join(out, "small.student.json"), "utf8")) as Record<string, unknown>;
    expect(report).toMatchObject({ schema: "optimus-compile/student@1", macs: { teacher: 668_352 } });
    const lineage = JSON.parse(readFileSync(join(out, "small.json"), "utf8")) as Record<string, unknown>;
    expect(lineage).toMatchObject({
      begunWith: digestOfFile(join(out, "small.student.onnx"), "model"),
      teacher: report.teacher,
      model: digestOfFile(model, "model"),
    });
    const shapeOf = (path: string, batch: number) =>
      importOnnx(path, { inputs: new Map([["image", { shape: [batch, 1, 28, 28] }]]) }).types.get("logits")?.shape;
    for (const path of [model, join(out, "small.student.onnx")]) expect(shapeOf(path, 3)).toEqual([3, 10]);
    expect(statSync(model).size).toBeLessThan(0.6 * statSync(join(fixtures, "depthwise.onnx")).size);
    expect(parameters).toBeLessThan(10_000);
    await expect(runTraining(recipe("{ macs: 0.4 }"), { out, resume: true })).resolves.toMatchObject({ parameters });
  });

  it("balances what it learns, projects what has other channels, and writes neither", async () => {
    const given = recipe("{ width: 0.5 }", "balance: true");
    const features = { kind: "features", value: "/block3/relu2/Relu_output_0", teacher: "/block3/relu2/Relu_output_0" };
    const losses = [
      { ...given.losses[0], weight: 2 },
      { ...features, weight: 1 },
    ] as typeof given.losses;
    const result = await runTraining({ ...given, losses }, { out: folder, resume: false });
    const [first] = readFileSync(result.metrics, "utf8").split("\n");
    expect((JSON.parse(first) as { loss: number }).loss).toBeCloseTo(3, 4);
    const size = (path: string): number => [...readModel(path).constants.values()].length;
    expect(size(result.model)).toBe(size(join(folder, "small.student.onnx")));
    expect(result.parameters).toBeGreaterThan(64 * 128);
  });

  it("begins with larger operators where it may, and ends with the values that are named", async () => {
    const ending = "/block3/relu2/Relu_output_0";
    const given = recipe(`{ width: 0.5, fuse: true, outputs: [${ending}] }`);
    const losses = [{ kind: "features", value: ending, teacher: ending, weight: 1 }] as typeof given.losses;
    const { model } = await runTraining({ ...given, losses }, { out: folder, resume: false });
    const { nodes, outputs } = readModel(model);
    expect(outputs).toEqual([ending]);
    const kinds = new Set(nodes.map(({ op }) => op));
    expect(kinds).toContain("Conv");
    for (const gone of ["BatchNormalization", "Gemm", "GlobalAveragePool"]) expect(kinds).not.toContain(gone);
    await expect(
      runTraining(recipe("{ width: 0.5, outputs: [nothing] }"), { out: join(folder, "out"), resume: false }),
    ).rejects.toMatchObject({ code: "usage/unknown-value" });
  });

  it.each([
    ["{ width: 0.5, macs: 0.5 }", "", /width is given, and a goal/],
    ["{ multiple: 4 }", "", /has no size/],
    ["{ width: 0.5 }", "model: x.onnx", /a model and a student/],
  ])("refuses student: %s %s", (student, more, message) => {
    expect(() => recipe(student, more)).toThrow(
      expect.objectContaining({ code: "usage/recipe", message: expect.stringMatching(message) }),
    );
  });
});
