import type { ChildProcess } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { beforeAll, describe, expect, test } from "vitest";
import { decodeArtifact } from "../../src/artifact/container.ts";
import { optimus, root } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "artifact-"));
const images = join(root, "fixtures/fashion-mnist");
const recipe = join(folder, "small.yaml");
const artifact = join(folder, "out/small.dopt");
const keys = ["--key", join(folder, "build.pub.pem"), "--certifier-key", join(folder, "certifier.pub.pem")];

/** The depthwise teacher on few samples: the whole way in seconds. */
function writeRecipe(path: string, more = ""): void {
  const split = (name: string, count: number) =>
    `{ reader: idx, images: ${images}/${name}-images-idx3-ubyte.gz, labels: ${images}/${name}-labels-idx1-ubyte.gz, limit: ${count} }`;
  writeFileSync(
    path,
    [
      `model: ${images}/depthwise.onnx`,
      "inputs: { image: { shape: [1, 1, 28, 28] } }",
      `data: { calibration: ${split("train-2048", 32)}, certification: ${split("t10k", 200)} }`,
      "quantize: { samples: 32 }",
      "jobs: 1",
      more,
    ].join("\n"),
  );
}

const build = (file: string, out: string, ...more: string[]) =>
  optimus(["build", file, "--out", out, "--json", ...more]);

beforeAll(async () => {
  await optimus(["keygen", "--out", folder]);
  writeRecipe(recipe, "key: build.pem\ncertifierKey: certifier.pem\ngates: { maxDrop: 0.15, minSamples: 100 }");
}, 60_000);

describe("an artifact, from the recipe on", { timeout: 120_000 }, () => {
  test("build tells the agreed document and leaves one file", async () => {
    const { code, stdout, stderr } = await build(recipe, join(folder, "out"));
    expect(stderr).not.toMatch(/error|bug|warning/);
    expect(code).toBe(0);
    const document = JSON.parse(stdout) as Record<string, unknown>;
    expect(Object.keys(document)).toEqual(
      "schema artifact digest verdict teacher accuracy latency memory energy placement floatTensors int16Tensors int4Tensors passes stages".split(
        " ",
      ),
    );
    expect(document).toMatchObject({
      schema: "optimus-compile/build@2",
      artifact,
      verdict: "pass",
      accuracy: { metric: "accuracy", n: 200 },
      placement: { cpu: 0 },
      floatTensors: 0,
    });
    const { efficiency, cycles, floorCycles } = document.latency as Record<string, number>;
    expect(efficiency).toBeLessThanOrEqual(1);
    expect(efficiency).toBe(floorCycles / cycles);
    expect(readdirSync(join(folder, "out"))).toEqual(["optimus.ledger.jsonl", "small.dopt"]);
    expect(document.digest).toBe(decodeArtifact(readFileSync(artifact)).digest);
  });

  test("verify believes both signatures, replays the golden vectors and makes the program again", async () => {
    const { code, stdout } = await optimus(["verify", artifact, ...keys, "--rebuild", "--json"]);
    expect(code).toBe(0);
    const { checks } = JSON.parse(stdout) as { checks: { name: string }[] };
    expect(checks.map(({ name }) => name)).toEqual([
      "container",
      "build",
      "certifier",
      "program",
      "golden vectors",
      "rebuild from the record",
    ]);
  });

  test("a gate attests, and others read what is signed", async () => {
    const attested = join(folder, "attested.dopt");
    copyFileSync(artifact, attested);
    await optimus(["keygen", "gate", "--out", folder]);
    const trust = ["--trust", join(folder, "public.pem")];
    const attest = (key: string) => optimus(["attest", attested, "--key", join(folder, key), ...trust, "--json"]);
    expect(await attest("build.pem")).toMatchObject({ code: 4, stderr: expect.stringContaining("trust/same-key") });
    const gate = ["--gate-key", join(folder, "gate.pub.pem")];
    const before = await optimus(["verify", attested, ...keys, ...gate]);
    expect(before).toMatchObject({ code: 4, stderr: expect.stringContaining("trust/missing-attestation") });
    const { code, stdout } = await attest("gate.pem");
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ verdict: "pass", failed: [] })]);
    const ledger = ["--ledger", join(folder, "out/optimus.ledger.jsonl")];
    const after = await optimus(["verify", attested, ...keys, ...gate, ...ledger]);
    expect(after).toMatchObject({ code: 0, stdout: expect.stringMatching(/✓ ledger: look 1[\s\S]*✓ gate: signed by/) });
    const shown = await optimus(["certificate", "show", attested, ...trust]);
    expect(shown.stdout).toMatch(/signatures checked[\s\S]*the certifier .*PASSED[\s\S]*NOT checked/);
    const bom = await optimus(["certificate", "bom", attested]);
    expect(JSON.parse(bom.stdout)).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6" });
    const erratum = join(folder, "erratum.yaml");
    writeFileSync(erratum, "id: E-1\ntitle: too round\npasses: [lower/integer]\n");
    const affected = await optimus(["affected", erratum, attested]);
    expect([affected.code, affected.stdout]).toEqual([0, expect.stringContaining("1 of 1 artifacts are affected")]);
  });

  test("check proves the program safe, and says how near the accumulators come to their limits", async () => {
    const { code, stdout } = await optimus(["check", artifact]);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/commands: ordered[\s\S]*accumulators proven[\s\S]*bits/),
    ]);
    const json = await optimus(["check", artifact, "--json"]);
    const document = JSON.parse(json.stdout) as { safe: boolean; ranges: { bits: number; limitBits: number }[] };
    expect(document).toMatchObject({
      schema: "optimus-compile/check@1",
      safe: true,
      faults: [],
      provenFrom: "weights",
    });
    for (const { bits, limitBits } of document.ranges) expect(bits).toBeLessThanOrEqual(limitBits);
  });

  test("verify makes the whole artifact again from the recipe, and names what differs", async () => {
    const good = await optimus(["verify", artifact, ...keys, "--rebuild", "--recipe", recipe]);
    expect([good.code, good.stdout]).toEqual([0, expect.stringContaining("rebuild from the recipe")]);
    const other = await optimus([
      "verify",
      artifact,
      ...keys,
      "--rebuild",
      "--recipe",
      recipe,
      "--set",
      "quantize.samples=7",
    ]);
    expect([other.code, other.stderr]).toEqual([
      4,
      expect.stringMatching(/trust\/rebuild[\s\S]*pass \d+, quantize\/equalize: its options/),
    ]);
  });

  test("a locked build wants its inputs as they were, and says which are not", async () => {
    const locked = join(folder, "lock/small.yaml");
    mkdirSync(join(folder, "lock"));
    writeRecipe(locked);
    const first = await build(locked, join(folder, "lock/out"), "--lock");
    expect([first.code, existsSync(join(folder, "lock/optimus.lock"))]).toEqual([0, true]);
    expect((await build(locked, join(folder, "lock/out"), "--locked")).code).toBe(0);
    const other = await build(locked, join(folder, "lock/out"), "--locked", "--set", "data.calibration.limit=31");
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining("not as it was locked: data/calibration")]);
    expect((await build(locked, join(folder, "lock/out"), "--locked", "--lock")).code).toBe(2);
  });

  test("verify notices a flipped bit in any section", async () => {
    const bytes = readFileSync(artifact);
    const { sections } = decodeArtifact(bytes);
    expect([...sections.keys()].sort()).toEqual(
      "attestations evidence golden lineage plan program record weights".split(" "),
    );
    for (const [name, section] of sections) {
      const changed = Buffer.from(bytes);
      changed[section.byteOffset - bytes.byteOffset + (section.length >> 1)] ^= 4;
      const path = join(folder, "flipped.dopt");
      writeFileSync(path, changed);
      const { code, stderr } = await optimus(["verify", path, "--unsigned"]);
      expect([name, code, stderr.split(" ")[0]]).toEqual([name, 4, "error[trust/section]"]);
    }
  });

  test.each<[string, string[], string]>([
    ["no keys", [], "trust/two-keys"],
    ["the build's key alone", keys.slice(0, 2), "trust/two-keys"],
    ["the keys exchanged", ["--key", keys[3], "--key", keys[1]], "trust/wrong-key"],
    ["the build's key for both", ["--key", keys[1], "--key", keys[1]], "trust/same-key"],
    ["a private key", ["--key", keys[1], "--key", join(folder, "certifier.pem")], "trust/bad-key"],
  ])("verify is not content with %s", async (_, options, kind) => {
    const { code, stderr } = await optimus(["verify", artifact, ...options]);
    expect([code, stderr.split(" ")[0]]).toEqual([4, `error[${kind}]`]);
  });

  test("certify may be asked again, but counts; a build's own may not", async () => {
    const copy = join(folder, "copy.dopt");
    copyFileSync(artifact, copy);
    const again = await optimus(["certify", copy, "--recipe", recipe, "--json"]);
    expect(again.code).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ verdict: "pass", openings: [{ number: 1 }, { number: 2 }] });
    expect((await optimus(["verify", copy, ...keys])).code).toBe(0);
    const second = await optimus(["certify", copy, "--recipe", recipe, "--first"]);
    expect([second.code, second.stderr]).toEqual([5, expect.stringContaining("evidence/second-opening")]);
  });

  test("escalate learns from the evidence and signs what verify says", async () => {
    const copy = join(folder, "escalated.dopt");
    copyFileSync(artifact, copy);
    const key = join(folder, "certifier.pem");
    const { code, stdout } = await optimus(["escalate", copy, "--alpha", "0.9", "--key", key, "--json"]);
    expect(code).toBe(0);
    const point = JSON.parse(stdout) as { margin: number };
    expect(point).toMatchObject({ schema: "optimus-compile/escalate@1", escalationRate: 0, decisions: 200 });
    expect(point.margin >= 0 && point.margin <= 32_767 && Number.isInteger(point.margin)).toBe(true);
    const verified = await optimus(["verify", copy, ...keys]);
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining("0 of all go to System 2")]);
    const prices = ["--decisions", "1e6", "--call-cost", "0.002", "--call-ms", "400"];
    const priced = await optimus(["escalate", copy, "--alpha", "0.9", ...prices]);
    expect(priced.stdout).toMatch(/^certified +0 +0\.00 [\s\S]*^all to System 2 +1,000,000 +2,000\.00 +400 ms/m);
    const lacking = await optimus(["escalate", copy, "--alpha", "0.9", "--call-ms", "400"]);
    expect([lacking.code, lacking.stderr]).toEqual([2, expect.stringContaining("usage/prices")]);
    const outside = await optimus(["escalate", copy, "--alpha", "2"]);
    expect([outside.code, outside.stderr]).toEqual([2, expect.stringContaining("usage/risk-limit")]);
  });

  test("certify does not take the build's key", async () => {
    const { code, stderr } = await optimus([
      "certify",
      artifact,
      "--recipe",
      recipe,
      "--key",
      join(folder, "build.pem"),
    ]);
    expect([code, stderr]).toEqual([4, expect.stringContaining("trust/same-key")]);
  });

  test("certify wants the very teacher", async () => {
    const changed = join(folder, "changed.onnx");
    copyFileSync(join(images, "depthwise.onnx"), changed);
    appendFileSync(changed, Buffer.from([0x12, 0x01, 0x78]));
    const { code, stderr } = await optimus(["certify", artifact, "--recipe", recipe, "--set", `model=${changed}`]);
    expect([code, stderr]).toEqual([4, expect.stringContaining("trust/other-teacher")]);
  });

  test("emulate gives the machine's outputs, and the fast executor's are the same file", async () => {
    const { encodeNpz } = await import("../../src/data/write-npz.ts");
    const image = {
      dtype: "float32",
      shape: [3, 1, 28, 28],
      data: Float32Array.from({ length: 3 * 784 }, (_, i) => (i % 17) / 17),
    } as const;
    const [input, first, second] = ["in", "machine", "fast"].map((name) => join(folder, `${name}.npz`));
    writeFileSync(input, encodeNpz(new Map([["image", image]])));
    const run = (executor: string, output: string) =>
      optimus(["emulate", artifact, "--input", input, "--output", output, "--executor", executor, "--json"]);
    const { code, stdout } = await run("machine", first);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ schema: "optimus-compile/emulate@2", samples: 3, profile: "driving" });
    expect(JSON.parse(stdout)).toMatchObject({ redundancy: { frames: 3, allowedSkewMs: 2 } });
    expect((await run("fast", second)).code).toBe(0);
    expect(readFileSync(second).equals(readFileSync(first))).toBe(true);
    // What a threshold is compared with: codes, one a sample.
    const confidence = Buffer.from(unzipSync(readFileSync(first))["confidence.npy"]).toString("latin1");
    expect(confidence).toMatch(/'descr': '<i2'.*'shape': \(3,\)/);
    const parked = await optimus(["emulate", artifact, "--profile", "drivin"]);
    expect([parked.code, parked.stderr]).toEqual([2, expect.stringContaining('did you mean "driving"?')]);
  });

  test("emulate tells the time among others, and writes a trace that ends with it", async () => {
    const trace = join(folder, "trace.json");
    const { code, stdout } = await optimus([
      "emulate",
      artifact,
      "--trace",
      trace,
      "--runs",
      "20",
      "--seed",
      "3",
      "--json",
    ]);
    expect(code).toBe(0);
    const { latency, contention, power } = JSON.parse(stdout) as Record<string, Record<string, number>>;
    expect(contention).toMatchObject({ runs: 20, seed: 3 });
    expect(contention.p99Cycles).toBeLessThanOrEqual(contention.worstCaseCycles);
    expect(power.clockGHz).toBe(latency.clockGHz);
    const { otherData, traceEvents } = JSON.parse(readFileSync(trace, "utf8")) as {
      readonly otherData: { readonly cycles: number };
      readonly traceEvents: readonly unknown[];
    };
    expect(otherData.cycles).toBe(latency.cycles);
    expect(traceEvents.length).toBeGreaterThan(50);
  });

  test("profile shows the layers, and the same program on another chip", async () => {
    const { code, stdout } = await optimus(["profile", artifact, "--json", "--set", "dram.GBps=448"]);
    expect(code).toBe(0);
    const { cycles, before, layers } = JSON.parse(stdout) as {
      readonly cycles: number;
      readonly before: { readonly cycles: number };
      readonly layers: readonly { readonly cycles: number }[];
    };
    expect(cycles).toBeLessThanOrEqual(before.cycles);
    expect(layers.reduce((sum, layer) => sum + layer.cycles, 0)).toBeCloseTo(cycles, 5);
    const shown = await optimus(["profile", artifact, "--top", "2"]);
    expect(shown.stdout).toMatch(/bound by/);
    expect(shown.stdout).not.toContain("\u001b");
    const wrong = await optimus(["profile", artifact, "--set", "dram.speed=1"]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("usage/bad-override")]);
  });

  test("inspect and export read it", async () => {
    const { stdout } = await optimus(["inspect", artifact, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "artifact",
      attestations: 3,
      inputs: [{ name: "image", dtype: "int8" }],
    });
    const out = join(folder, "integer.onnx");
    expect((await optimus(["export", artifact, "--integer-onnx", out])).code).toBe(0);
    expect(statSync(out).size).toBeGreaterThan(1000);
  });

  test("a gate that is missed ends in 1, and verify does not pass it", async () => {
    const out = join(folder, "missed");
    const { code, stdout } = await build(recipe, out, "--set", "gates.maxCycles=10");
    expect([code, (JSON.parse(stdout) as { verdict: string }).verdict]).toEqual([1, "fail"]);
    const verified = await optimus(["verify", join(out, "small.dopt"), ...keys]);
    expect([verified.code, verified.stderr]).toEqual([1, expect.stringContaining("maxCycles")]);
  });

  test("data that calibration saw is no evidence", async () => {
    const text = readFileSync(recipe, "utf8").replaceAll("t10k", "train-2048");
    const leaking = join(folder, "leaking.yaml");
    writeFileSync(leaking, text);
    const out = join(folder, "leaked");
    const { code, stderr } = await build(leaking, out);
    expect([code, stderr]).toEqual([2, expect.stringContaining("usage/leak")]);
    expect(existsSync(join(out, "small.dopt")) || readdirSync(out).length > 0).toBe(false);
  });
});

describe("a build that is stopped", { timeout: 120_000 }, () => {
  /** Stops the build when its certification begins, which is when there is something on the disk. */
  async function stopped(out: string, signal: NodeJS.Signals) {
    let child: ChildProcess | undefined;
    const certifying = new Promise<void>((done) => {
      const look = setInterval(() => {
        if (!existsSync(out) || !readdirSync(out).some((name) => name.endsWith(".draft"))) return;
        clearInterval(look);
        done();
      }, 5);
    });
    const finished = optimus(["build", recipe, "--out", out, "--json"], { started: (started) => (child = started) });
    await certifying;
    child?.kill(signal);
    return finished;
  }

  test("by Ctrl-C leaves nothing and ends in 130", async () => {
    const out = join(folder, "interrupted");
    expect(await stopped(out, "SIGINT")).toMatchObject({ code: 130, stderr: expect.stringContaining("interrupted") });
    expect(readdirSync(out)).toEqual([]);
  });

  test("by kill -9 leaves no artifact, or the old one; the next build sweeps up", async () => {
    const out = join(folder, "killed");
    await stopped(out, "SIGKILL");
    expect(existsSync(join(out, "small.dopt"))).toBe(false);
    expect((await build(recipe, out)).code).toBe(0);
    expect(readdirSync(out)).toEqual(["optimus.ledger.jsonl", "small.dopt"]);
    const before = readFileSync(join(out, "small.dopt"));
    await stopped(out, "SIGKILL");
    expect(readFileSync(join(out, "small.dopt")).equals(before)).toBe(true);
  });
});
