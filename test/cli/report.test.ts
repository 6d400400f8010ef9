import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { readArtifact, writeArtifact } from "../../src/artifact/file.ts";
import type { ReportModel } from "../../src/report/html/model.ts";
import { optimus, root } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "report-"));
const recipe = join(folder, "small.yaml");
const artifact = join(folder, "small.dopt");
const keys = ["--key", join(folder, "build.pub.pem"), "--certifier-key", join(folder, "certifier.pub.pem")];

const report = (path: string, ...more: string[]) => optimus(["report", path, ...more]);

beforeAll(async () => {
  const images = join(root, "fixtures/fashion-mnist");
  const split = (name: string, count: number) =>
    `{ reader: idx, images: ${images}/${name}-images-idx3-ubyte.gz, labels: ${images}/${name}-labels-idx1-ubyte.gz, limit: ${count} }`;
  const lines = [
    `model: ${images}/depthwise.onnx`,
    "inputs: { image: { shape: [1, 1, 28, 28] } }",
    `data: { calibration: ${split("train-2048", 32)}, certification: ${split("t10k", 100)} }`,
    "quantize: { samples: 32 }",
    "jobs: 1",
    "key: build.pem\ncertifierKey: certifier.pem\ngates: { maxDrop: 0.5 }",
  ];
  writeFileSync(recipe, lines.join("\n"));
  await optimus(["keygen", "--out", folder]);
  await optimus(["build", recipe, "--out", folder]);
}, 120_000);

describe("report", { timeout: 120_000 }, () => {
  test("tells layers, their errors, and that both signatures hold; twice the same bytes", async () => {
    const [first, second] = [join(folder, "first.html"), join(folder, "second.html")];
    const { code, stdout } = await report(
      artifact,
      "-o",
      first,
      "--recipe",
      recipe,
      ...keys,
      "--baseline",
      artifact,
      "--json",
    );
    expect(code).toBe(0);
    const model = JSON.parse(stdout) as ReportModel & { readonly schema: string };
    expect(model.schema).toBe("optimus-compile/report@2");
    expect(model.trust.state).toBe("verified");
    expect(model.points).toHaveLength(2);
    if ("absent" in model.layers || "absent" in model.chip) throw new Error("there is a run to show");
    const { layers, cycles } = model.layers;
    expect(layers.reduce((sum, layer) => sum + layer.cycles, 0)).toBeCloseTo(cycles, 5);
    const errors = layers.flatMap(({ sqnr }) => sqnr ?? []);
    expect(errors.length).toBeGreaterThan(layers.length / 2);
    // Codes of 8 bits are neither exact nor noise.
    for (const sqnr of errors) expect(sqnr).toBeGreaterThan(5);
    expect(Math.min(...errors)).toBeLessThan(60);
    for (const [place, { reads }] of layers.entries()) for (const source of reads) expect(source).toBeLessThan(place);
    expect(
      model.chip.spans.every(([track, start, length]) => track < 5 && start >= 0 && start + length <= cycles),
    ).toBe(true);
    await report(artifact, "-o", second, "--recipe", recipe, ...keys, "--baseline", artifact);
    expect(readFileSync(second, "utf8")).toBe(readFileSync(first, "utf8"));
  });

  test("does not claim what nobody checked, and refuses what does not hold", async () => {
    const output = join(folder, "unchecked.html");
    expect((await report(artifact, "-o", output)).code).toBe(0);
    expect(readFileSync(output, "utf8")).toContain("The signatures were not checked");
    const refused = join(folder, "refused.html");
    const swapped = await report(artifact, "-o", refused, "--key", keys[3], "--certifier-key", keys[1]);
    expect(swapped.code).toBe(4);
    expect(existsSync(refused)).toBe(false);
  });

  test("reads evidence that is older than this version, and artifacts that have none", async () => {
    const { manifest, sections } = readArtifact(artifact);
    const evidence = JSON.parse(new TextDecoder().decode(sections.get("evidence"))) as Record<string, object>;
    const { teacher, compiled, drop, n, groups, agreement, metric } = evidence.accuracy as Record<string, unknown>;
    const old = {
      ...evidence,
      accuracy: { teacher, compiled, drop, n, groups, agreement, metric },
      looked: undefined,
      energy: undefined,
    };
    const [older, bare] = [join(folder, "older.dopt"), join(folder, "bare.dopt")];
    writeArtifact(older, { manifest, sections: new Map(sections).set("evidence", Buffer.from(JSON.stringify(old))) });
    const without = new Map(sections);
    for (const name of ["evidence", "attestations"]) without.delete(name);
    writeArtifact(bare, { manifest, sections: without });
    for (const path of [older, bare]) {
      const output = `${path}.html`;
      const { code, stderr } = await report(path, "-o", output);
      expect([code, stderr]).toEqual([0, expect.stringContaining("report: ")]);
      expect(readFileSync(output, "utf8").replace(/<script>[\s\S]*?<\/script>/g, "")).not.toMatch(/undefined|NaN/);
    }
    expect((await report(artifact, "-o", join(folder, "x.html"), "--baseline", bare)).code).toBe(5);
    const foreign = join(folder, "foreign.dopt");
    const others = Buffer.from(JSON.stringify({ ...evidence, digest: `sha256:${"0".repeat(64)}` }));
    writeArtifact(foreign, { manifest, sections: new Map(without).set("evidence", others) });
    const told = await report(foreign, "-o", join(folder, "y.html"));
    expect(told.stderr).toContain("evidence/subject");
    expect(existsSync(join(folder, "y.html"))).toBe(false);
  });
});
