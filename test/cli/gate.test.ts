import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseXml } from "../report/xml.ts";
import { main, optimus, root } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "gate-cli-"));
const images = join(root, "fixtures/fashion-mnist");
const at = (name: string) => join(folder, name);
const keys = ["--key", at("build.pub.pem"), "--certifier-key", at("certifier.pub.pem")];
const BUDGETS = [
  "# what may ship",
  "budgets:",
  "  - artifact: small",
  "    gates: { minSamples: 100, minMetric: 0.5 }",
  "    baseline:",
  "      artifact: small.dopt",
  "      limits: { maxCycles: 0, maxHarmfulFlips: 0.1 }",
  "",
].join("\n");

const recipe = (more = "") => {
  const split = (name: string, count: number) =>
    `{ reader: idx, images: ${images}/${name}-images-idx3-ubyte.gz, labels: ${images}/${name}-labels-idx1-ubyte.gz, limit: ${count} }`;
  return [
    `model: ${images}/depthwise.onnx`,
    "name: small",
    "inputs: { image: { shape: [1, 1, 28, 28] } }",
    `data: { calibration: ${split("train-2048", 32)}, certification: ${split("t10k", 120)} }`,
    "quantize: { samples: 32 }",
    "jobs: 1",
    "key: build.pem",
    "certifierKey: certifier.pem",
    more,
  ].join("\n");
};

beforeAll(async () => {
  await optimus(["keygen", "--out", folder]);
  writeFileSync(at("small.yaml"), recipe());
  writeFileSync(at("wide.yaml"), recipe().replace("samples: 32", "samples: 32, activations: int16"));
  writeFileSync(at("optimus.budgets.yaml"), BUDGETS);
  const built = await optimus(["build", at("small.yaml"), "--out", folder, "--json"]);
  if (built.code !== 0) throw new Error(built.stderr);
}, 120_000);

describe("gate, on an artifact that was built and signed", { timeout: 120_000 }, () => {
  const gate = (...args: string[]) => optimus(["gate", at("small.dopt"), ...args], { cwd: folder });

  test("trust first: somebody must vouch, or nobody by one's own word", async () => {
    expect(await gate()).toMatchObject({ code: 4, stderr: expect.stringContaining("trust/two-keys") });
    const swapped = ["--key", at("certifier.pub.pem"), "--certifier-key", at("build.pub.pem")];
    expect((await gate(...swapped)).code).toBe(4);
  });

  test("passes by the committed file, and the evidence was believed", async () => {
    const { code, stdout } = await gate(...keys, "--reporter", "json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: "optimus-compile/gate@1",
      verdict: "pass",
      budgets: { file: "optimus.budgets.yaml" },
      artifacts: [{ artifact: "small.dopt", name: "small", verified: true }],
    });
  });

  test("fails in 1, is waived by who may, and lacks evidence in 5", async () => {
    writeFileSync(at("tight.yaml"), "budgets: [{ artifact: small, gates: { maxCycles: 10 } }]");
    const tight = ["--budgets", at("tight.yaml"), ...keys];
    expect((await gate(...tight)).code).toBe(1);
    await optimus(["keygen", "owner", "--out", folder]);
    const waiver = ["--gate", "maxCycles", "--artifact", "small", "--until", "2027-01-31", "--reason", "first silicon"];
    const written = await optimus(["waive", ...waiver, "--key", at("certifier.pem"), "--output", at("waiver.json")]);
    expect(written.code).toBe(0);
    const waived = [...tight, "--waivers", at("waiver.json"), "--waiver-key", at("certifier.pub.pem")];
    expect(await gate(...waived, "--now", "2027-01-31")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("first silicon"),
    });
    expect(await gate(...waived, "--now", "2027-02-01")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("gate/waiver-expired"),
    });
    // The build may not waive what judges it.
    await optimus(["waive", ...waiver, "--key", at("build.pem"), "--output", at("own.json")]);
    const own = await gate(...tight, "--waivers", at("own.json"), "--waiver-key", at("build.pub.pem"));
    expect(own).toMatchObject({ code: 4, stderr: expect.stringContaining("trust/waiver-key") });
    writeFileSync(at("unknown.yaml"), "budgets: [{ artifact: small, gates: { maxEscalationRate: 0.5 } }]");
    expect((await gate("--budgets", at("unknown.yaml"), ...keys)).code).toBe(5);
  });

  test("signs its verdict into the artifact, for verify and the certificate", async () => {
    await optimus(["keygen", "gate", "--out", folder]);
    copyFileSync(at("small.dopt"), at("signed.dopt"));
    const by = (...args: string[]) => optimus(["gate", at("signed.dopt"), ...args], { cwd: folder });
    expect(await by("--unsigned", "--attest", at("gate.pem"))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("usage/attest-unsigned"),
    });
    expect(await by(...keys, "--attest", at("build.pem"))).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("trust/same-key"),
    });
    expect(readFileSync(at("signed.dopt"))).toEqual(readFileSync(at("small.dopt")));
    const { code, stdout } = await by(...keys, "--attest", at("gate.pem"));
    expect([code, stdout]).toEqual([0, expect.stringContaining("signed into each artifact by")]);
    const gateKey = ["--gate-key", at("gate.pub.pem")];
    const verified = await optimus(["verify", at("signed.dopt"), ...keys, ...gateKey]);
    expect(verified).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("passed urn:optimus-compile:policy:budgets"),
    });
    const trust = ["--trust", at("build.pub.pem"), "--trust", at("certifier.pub.pem")];
    const shown = await optimus(["certificate", "show", at("signed.dopt"), ...trust, ...gateKey]);
    expect(shown.stdout).toMatch(/the gate .*policy:budgets: PASSED/);
    // What it passed was the certification before this one.
    await optimus(["certify", at("signed.dopt"), "--recipe", at("small.yaml")]);
    const stale = await optimus(["verify", at("signed.dopt"), ...keys, ...gateKey]);
    expect(stale).toMatchObject({ code: 4, stderr: expect.stringContaining("trust/stale-summary") });
    writeFileSync(at("never.yaml"), "budgets: [{ artifact: small, gates: { maxCycles: 1 } }]");
    expect((await by(...keys, "--budgets", at("never.yaml"), "--attest", at("gate.pem"))).code).toBe(1);
    const failed = await optimus(["verify", at("signed.dopt"), ...keys, ...gateKey]);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/gate\/summary[\s\S]*maxCycles/) });
  });

  test("negative control: certified on permuted labels, it fails", async () => {
    const labels = gunzipSync(readFileSync(join(images, "t10k-labels-idx1-ubyte.gz")));
    for (let byte = 8; byte < labels.length; byte++) labels[byte] = (labels[byte] + 3) % 10;
    writeFileSync(at("permuted.gz"), gzipSync(labels));
    copyFileSync(at("small.dopt"), at("permuted.dopt"));
    const set = ["--set", `data.certification.labels=${at("permuted.gz")}`];
    await optimus(["certify", at("permuted.dopt"), "--recipe", at("small.yaml"), ...set]);
    const { code, stdout } = await optimus(["gate", at("permuted.dopt"), ...keys], { cwd: folder });
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ minMetric/);
  });

  test("accept makes it the baseline, in two lines", async () => {
    const { code, stdout } = await optimus(["accept", at("small.dopt"), ...keys], { cwd: folder });
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toEqual([
      "optimus.budgets.yaml",
      expect.stringMatching(/^\+ +digest: sha256:/),
    ]);
    expect((await gate(...keys)).code).toBe(0);
    expect(readFileSync(at("optimus.budgets.yaml"), "utf8")).toContain("# what may ship");
  });

  test("diff and bisect name the option that was exchanged", async () => {
    const built = await optimus(["build", at("wide.yaml"), "--out", at("wide"), "--json"]);
    expect(built.code).toBe(0);
    const both = [at("small.dopt"), at("wide/small.dopt"), ...keys, "--json"];
    const diff = JSON.parse((await optimus(["diff", ...both])).stdout) as { figures: unknown[]; quality: object };
    expect(diff.quality).toMatchObject({ n: 120, metric: "accuracy" });
    const plain = await optimus(["bisect", ...both, "--figure", "dramBytes"]);
    expect((JSON.parse(plain.stdout) as { suspects: unknown[] }).suspects).toContainEqual(
      expect.objectContaining({ input: "options" }),
    );
    const recipes = ["--recipe-a", at("small.yaml"), "--recipe-b", at("wide.yaml")];
    const tried = JSON.parse((await optimus(["bisect", ...both, "--figure", "dramBytes", ...recipes])).stdout) as {
      after: number;
      trials: { value: number }[];
    };
    expect(tried).toMatchObject({ culprit: "options" });
    expect(tried.trials[0].value).toBe(tried.after);
  });

  test("--plan counts labels from the pilot, at the next look's alpha", async () => {
    const { code, stdout } = await gate("--plan", "--limit", "0.02", ...keys, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ plans: [{ gate: "maxDrop", limit: 0.02 }] });
  });
});

describe("what ships for CI runs as it stands", { timeout: 120_000 }, () => {
  const command = `${process.execPath} ${main}`;
  const bash = (script: string, env: Readonly<Record<string, string>>) =>
    spawnSync("bash", ["-c", script], {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: process.env.PATH, NO_COLOR: "1", ...env },
    });

  interface Action {
    readonly inputs: Readonly<Record<string, { readonly default?: string }>>;
    readonly runs: {
      readonly steps: readonly { readonly run: string; readonly env: Readonly<Record<string, string>> }[];
    };
  }

  /** As the runner does: the step's environment with the inputs put in, its script in bash. */
  function act(given: Readonly<Record<string, string>>) {
    const { inputs, runs } = parse(readFileSync(join(root, "action.yml"), "utf8")) as Action;
    const [{ run, env }] = runs.steps;
    expect(run).not.toContain("${{");
    const value = (name: string) => given[name] ?? inputs[name].default ?? "";
    const filled = Object.entries(env).map(([name, text]) => [
      name,
      text.replace(/\$\{\{ inputs\.([\w-]+) \}\}/, (_, input: string) => value(input)),
    ]);
    writeFileSync(at("outputs"), "");
    writeFileSync(at("page.md"), "");
    return bash(run, {
      ...Object.fromEntries(filled),
      GITHUB_OUTPUT: at("outputs"),
      GITHUB_STEP_SUMMARY: at("page.md"),
    });
  }

  test("the action passes, fails with annotations, and does not run what an input says", () => {
    const lines = `${at("build.pub.pem")}\n${at("certifier.pub.pem")}\n`;
    const good = act({ artifacts: "small.dopt\n", keys: lines, command });
    expect([good.status, readFileSync(at("outputs"), "utf8")]).toEqual([0, "verdict=pass\n"]);
    expect(readFileSync(at("page.md"), "utf8")).toContain("✅ pass");
    writeFileSync(at("tight.yaml"), "budgets: [{ artifact: small, gates: { maxCycles: 10 } }]");
    const bad = act({ artifacts: "small.dopt", keys: lines, command, budgets: "tight.yaml", sarif: at("gate.sarif") });
    expect([bad.status, readFileSync(at("outputs"), "utf8")]).toEqual([1, "verdict=fail\n"]);
    expect(bad.stdout).toMatch(/^::error file=tight\.yaml,line=1,/m);
    expect(readFileSync(at("gate.sarif"), "utf8")).toContain('"maxCycles"');
    const evil = act({ artifacts: "$(touch evil)\n`touch evil`\n--unsigned", keys: lines, command });
    expect(evil.status).toBe(2);
    expect(spawnSync("ls", [at("evil")]).status).not.toBe(0);
  });

  test("the GitLab template writes both reports and keeps the status", () => {
    const text = readFileSync(join(root, "templates/optimus-compile.gitlab-ci.yml"), "utf8");
    const job = (
      parse(text) as Record<
        string,
        { script: string[]; variables: Record<string, string>; artifacts: { reports: object } }
      >
    )["optimus-compile-gate"];
    const env = (more: object) => ({
      ...job.variables,
      OPTIMUS_COMMAND: command,
      OPTIMUS_KEYS: `${at("build.pub.pem")} ${at("certifier.pub.pem")}`,
      OPTIMUS_ARTIFACTS: "small.dopt",
      ...more,
    });
    const script = job.script.join("\n");
    expect(bash(script, env({})).status).toBe(0);
    writeFileSync(at("tight.yaml"), "budgets: [{ artifact: small, gates: { maxCycles: 10 } }]");
    expect(bash(script, env({ OPTIMUS_BUDGETS: "tight.yaml" })).status).toBe(1);
    const [issue] = JSON.parse(readFileSync(at("gl-code-quality-report.json"), "utf8")) as { location: object }[];
    expect(issue).toMatchObject({ check_name: "maxCycles", location: { path: "tight.yaml", lines: { begin: 1 } } });
    expect(parseXml(readFileSync(at("optimus-gate.junit.xml"), "utf8")).attributes.failures).toBe("1");
    expect(bash(script, env({ OPTIMUS_ARTIFACTS: "" })).status).not.toBe(0);
  });
});
