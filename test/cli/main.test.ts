import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { optimus } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "cli-"));
const teacher = "fixtures/fashion-mnist/teacher.onnx";

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const data = `{ reader: idx, images: ${process.cwd()}/fixtures/fashion-mnist/t10k-images-idx3-ubyte.gz }`;
const recipe = (lines: string) =>
  `model: ${process.cwd()}/${teacher}\ndata: { calibration: ${data}, certification: ${data} }\n${lines}`;

describe("the command line", { concurrent: true }, () => {
  test("says what it can do", async () => {
    const { code, stdout, stderr } = await optimus(["--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const name of ["build", "certify", "verify", "emulate", "export", "inspect", "targets", "passes", "keygen"]) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, "m"));
    }
  });

  test("has the package's version", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(await optimus(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  test.each<[string, string[], number, RegExp]>([
    ["no command", [], 2, /Usage:/],
    ["a mistyped command", ["bild"], 2, /error\[usage\/unknown-command\].*\n {2}help: Did you mean build\?/],
    [
      "a mistyped option",
      ["build", "x.yaml", "--jsno"],
      2,
      /error\[usage\/unknown-option\].*\n {2}help: Did you mean --json\?/,
    ],
    ["a missing argument", ["build"], 2, /error\[usage\/missing-argument\]/],
    ["too many arguments", ["inspect", "a", "b"], 2, /error\[usage\/excess-arguments\]/],
    ["a number that is none", ["build", "x.yaml", "--jobs", "many"], 2, /error\[usage\/invalid-argument\].*--jobs/],
    ["no workers", ["build", "x.yaml", "--jobs", "0"], 2, /at least 1/],
    ["a missing recipe", ["build", "nothere.yaml"], 2, /error\[usage\/missing-recipe\].*\n {2}at .*nothere\.yaml/],
    ["a missing model", ["inspect", "nothere.onnx"], 2, /error\[usage\/.*\n {2}at nothere\.onnx/],
    ["a missing artifact", ["verify", "nothere.dopt"], 2, /error\[usage\/no-such-file\]/],
    ["an unknown target", ["targets", "show", "ai44"], 2, /error\[usage\/unknown-target\]/],
    ["a folder for a model", ["inspect", "src"], 3, /error\[model\/unsafe-file\]/],
    ["nothing to export", ["export", "x.dopt"], 2, /error\[usage\/what-to-export\]/],
    ["an unknown kind of key", ["keygen", "--type", "rsa"], 2, /p256, ed25519/],
  ])("answers %s with place and remedy", async (_, args, code, says) => {
    const finished = await optimus(args);
    expect(finished.stderr + finished.stdout).toMatch(says);
    expect(finished.code).toBe(code);
    expect(finished.stderr).not.toMatch(/^\s+at .*\.(ts|js):\d+/m);
  });

  test.each<[string, string, number, RegExp]>([
    ["a mistyped key", recipe("metrik: accuracy"), 2, /usage\/unknown-key[\s\S]*did you mean "metric"/],
    ["a mistyped gate", recipe("gates: { maxDorp: 1 }"), 2, /usage\/unknown-gate[\s\S]*did you mean "maxDrop"/],
    ["a mistyped target", recipe("target: ai5x"), 2, /usage\/unknown-target/],
    ["a mistyped pass", recipe("passes: [fuse/conv-bm]"), 2, /usage\/unknown-pass[\s\S]*did you mean "fuse\/conv-bn"/],
    ["a mistyped preset", recipe("passes: defualt"), 2, /usage\/unknown-preset[\s\S]*did you mean "default"/],
    ["no YAML", "{", 2, /error\[usage\//],
    ["an unknown input", recipe("inputs: { imag: {shape: [1,1,28,28]} }"), 2, /usage\/unknown-input[\s\S]*"image"/],
    ["an unbound dimension", recipe(""), 2, /usage\/unbound-dimension/],
    ["a missing key", recipe("key: nothere.pem"), 2, /usage\/no-such-file[\s\S]*nothere\.pem/],
    [
      "splits that are not disjoint",
      recipe(`inputs: { image: {shape: [1,1,28,28]} }\nmetric: agreement`).replace("certification:", "selection: "),
      2,
      /error\[usage\//,
    ],
  ])("answers a recipe with %s", async (title, text, code, says) => {
    const path = file(`${title.replaceAll(" ", "-")}.yaml`, text);
    const finished = await optimus(["build", path, "--ci", "--out", join(folder, "out")]);
    expect(finished.stderr).toMatch(says);
    expect(finished.code).toBe(code);
    expect(finished.stdout).toBe("");
  });

  test("answers --json with one document, also where it fails", async () => {
    const { code, stdout } = await optimus(["inspect", "nothere.onnx", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ schema: "optimus-compile/error@1", exitCode: 2 });
  });
});

describe("inspect", () => {
  test("tells inputs, operators, parameters and MACs", async () => {
    const { code, stdout } = await optimus(["inspect", teacher, "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: "optimus-compile/inspect@1",
      kind: "model",
      nodes: 45,
      inputs: [{ name: "image", dtype: "float32", shape: ["batch", 1, 28, 28] }],
      operators: { Conv: 13, BatchNormalization: 13, Relu: 11, Add: 5 },
    });
  });

  test.each([
    ["an empty file", ""],
    ["noise", "\u0001\u0002 not a model"],
    ["groups without end", "\u001b".repeat(40_000)],
  ])("rejects %s as a model", async (_, content) => {
    const { code, stderr } = await optimus(["inspect", file("bad.onnx", content)]);
    expect(stderr).toMatch(/^error\[model\//);
    expect(code).toBe(3);
  });

  test("rejects what begins as an artifact and is none", async () => {
    const { code, stderr } = await optimus(["inspect", file("bad.dopt", "DOPT and more")]);
    expect([code, stderr.split(" ")[0]]).toEqual([4, "error[trust/container]"]);
  });
});

describe("keygen", () => {
  test("makes both pairs and never overwrites them unasked", async () => {
    const first = await optimus(["keygen", "--out", folder, "--json"]);
    expect(first.code).toBe(0);
    const { keys } = JSON.parse(first.stdout) as { keys: { privateKey: string; publicPath: string }[] };
    expect(keys.map(({ publicPath }) => publicPath)).toEqual([
      join(folder, "build.pub.pem"),
      join(folder, "certifier.pub.pem"),
    ]);
    const again = await optimus(["keygen", "--out", folder]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("usage/key-exists")]);
  });
});
