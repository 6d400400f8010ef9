import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createCanvas } from "@napi-rs/canvas";
import { beforeAll, describe, expect, test } from "vitest";
import { type DataArray, openDataset } from "../../src/data/dataset.ts";
import { encodeNpz } from "../../src/data/write-npz.ts";
import { propose } from "../../src/init/propose.ts";
import { writeRecipe } from "../../src/init/write.ts";
import { loadRecipe, parseRecipe } from "../../src/recipe.ts";
import { optimus } from "../cli/command.ts";

const folder = mkdtempSync(join(tmpdir(), "newcomer-"));
const images = resolve("fixtures/fashion-mnist");
const SAMPLES = 240;

/** What a newcomer brings: a model and an npz, in a folder of their own. */
beforeAll(async () => {
  copyFileSync(join(images, "depthwise.onnx"), join(folder, "mine.onnx"));
  const spec = {
    reader: "idx",
    images: `${images}/t10k-images-idx3-ubyte.gz`,
    labels: `${images}/t10k-labels-idx1-ubyte.gz`,
  };
  const dataset = await openDataset({ ...spec, limit: SAMPLES }, folder);
  const pixels = new Float32Array(SAMPLES * 784);
  const labels = new BigInt64Array(SAMPLES);
  for (let index = 0; index < SAMPLES; index++) {
    const { inputs, target } = await dataset.read(index);
    pixels.set([...inputs.values()][0].data as Float32Array, index * 784);
    labels[index] = BigInt(Number((target as DataArray).data[0]));
  }
  const image = { dtype: "float32", shape: [SAMPLES, 1, 28, 28], data: pixels } as const;
  const target = { dtype: "int64", shape: [SAMPLES], data: labels } as const;
  writeFileSync(
    join(folder, "data.npz"),
    encodeNpz(
      new Map<string, DataArray>([
        ["image", image],
        ["target", target],
      ]),
    ),
  );
  writeFileSync(join(folder, "blind.npz"), encodeNpz(new Map([["image", image]])));
  writeFileSync(join(folder, "strange.npz"), encodeNpz(new Map([["picture", image]])));
});

const init = (...args: string[]) => optimus(["init", ...args], { cwd: folder });

describe("init", { timeout: 120_000 }, () => {
  test("writes a recipe that builds as it is", async () => {
    const { code, stdout, stderr } = await init("--model", "mine.onnx", "--data", "data.npz");
    expect([code, stdout]).toEqual([0, "mine.yaml\n"]);
    expect(stderr).toMatch(/metric accuracy[\s\S]*next: optimus-compile build mine\.yaml/);
    const text = readFileSync(join(folder, "mine.yaml"), "utf8");
    expect(text).toMatch(/^# yaml-language-server: \$schema=.*recipe\.schema\.json$/m);
    const schema = /^\$schema: "(.*)"$/m.exec(text)?.[1] ?? "";
    expect(existsSync(resolve(folder, schema))).toBe(true);
    const recipe = loadRecipe(join(folder, "mine.yaml"), { strict: true });
    expect(recipe).toMatchObject({ metric: "accuracy", target: "ai4", inputs: { image: { shape: [1, 1, 28, 28] } } });
    expect(Object.values(recipe.data).map(({ split }) => split)).toEqual(["calibration", "selection", "certification"]);

    const built = await optimus(["build", "mine.yaml", "--ci", "--json"], { cwd: folder });
    expect(built.stderr).not.toMatch(/error|warning|bug/);
    const { verdict, accuracy } = JSON.parse(built.stdout) as { verdict: string; accuracy: { n: number } };
    expect(accuracy.n).toBeGreaterThan(100);
    expect(built.code).toBe({ pass: 0, fail: 1, incomplete: 5 }[verdict]);
  });

  test("does not replace a recipe, and says so", async () => {
    writeFileSync(join(folder, "kept.yaml"), "mine");
    const again = await init("--model", "mine.onnx", "--data", "data.npz", "--out", "kept.yaml");
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("usage/init-exists")]);
    expect(readFileSync(join(folder, "kept.yaml"), "utf8")).toBe("mine");
    expect((await init("--model", "mine.onnx", "--data", "data.npz", "--out", "kept.yaml", "--force")).code).toBe(0);
  });

  test("without targets compares answers with the teacher's", async () => {
    const { code, stdout } = await init("--model", "mine.onnx", "--data", "blind.npz", "--out", "blind.yaml", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ metric: "agreement", shapes: { image: [1, 1, 28, 28] } });
    expect(loadRecipe(join(folder, "blind.yaml")).gates).toEqual({ minAgreement: 0.95 });
  });

  test("looks at the teacher's answer for the metric: these targets are no classes of it", async () => {
    const spread = { dtype: "int64", shape: [SAMPLES, 3], data: new BigInt64Array(3 * SAMPLES) } as const;
    const pixels = Float32Array.from({ length: SAMPLES * 784 }, (_, at) => ((at * 7919) % 256) / 255);
    const image = { dtype: "float32", shape: [SAMPLES, 1, 28, 28], data: pixels } as const;
    const arrays: [string, DataArray][] = [
      ["image", image],
      ["target", spread],
    ];
    writeFileSync(join(folder, "spread.npz"), encodeNpz(new Map(arrays)));
    const { metric, because } = await propose(join(folder, "mine.onnx"), join(folder, "spread.npz"), {});
    expect([metric, because]).toEqual(["agreement", expect.stringContaining("1 answers for a sample, and the data 3")]);
  });

  test("takes a folder of grey pictures for a model of one channel", async () => {
    for (let index = 0; index < 40; index++) {
      const canvas = createCanvas(28, 28);
      const context = canvas.getContext("2d");
      context.fillStyle = `rgb(${index * 6}, 0, 0)`;
      context.fillRect(0, 0, 28, 28);
      const place = join(folder, "pictures", index % 2 === 0 ? "even" : "odd");
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, `${index}.png`), canvas.toBuffer("image/png"));
    }
    const proposal = await propose(join(folder, "mine.onnx"), join(folder, "pictures"), {});
    expect(proposal).toMatchObject({ metric: "accuracy", data: { reader: "images", order: "grey", width: 28 } });
    const text = writeRecipe(proposal, { target: "ai4", path: join(folder, "pictures.yaml") });
    expect(text).toMatch(/Nothing in the model tells how it was trained[\s\S]*order: grey/);
    expect(parseRecipe(text, join(folder, "pictures.yaml"), { strict: true }).metric).toBe("accuracy");
  });

  test("takes IDX files with the labels beside them", async () => {
    const idx = join(images, "t10k-images-idx3-ubyte.gz");
    const { code, stdout } = await init("--model", "mine.onnx", "--data", idx, "--out", "idx.yaml", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      metric: "accuracy",
      data: { reader: "idx", labels: expect.any(String) },
    });
  });

  test.each<[string, string[], RegExp]>([
    ["nobody to ask", ["--model", "mine.onnx"], /usage\/init-answer[\s\S]*--data PATH/],
    ["no data there", ["--model", "mine.onnx", "--data", "no.npz"], /usage\/init-data/],
    ["data of another name", ["--model", "mine.onnx", "--data", "strange.npz"], /usage\/[\s\S]*picture/],
    ["an unknown kind of data", ["--model", "mine.onnx", "--data", "mine.onnx"], /usage\/init-data[\s\S]*not known/],
    ["an unknown chip", ["--model", "mine.onnx", "--data", "data.npz", "--target", "ai44"], /usage\/unknown-target/],
    ["no model", ["--model", "no.onnx", "--data", "data.npz"], /error\[usage\//],
  ])("answers %s with what helps", async (_, args, says) => {
    const { code, stderr } = await init(...args, "--out", "never.yaml");
    expect(stderr).toMatch(says);
    expect(code).toBe(2);
    expect(existsSync(join(folder, "never.yaml"))).toBe(false);
  });
});
