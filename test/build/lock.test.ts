import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkLock, lockOf, lockPath, writeLock } from "../../src/build/lock.ts";

const path = lockPath({ folder: mkdtempSync(join(tmpdir(), "lock-")) });
const inputs = {
  teacher: { digest: "sha256:a", external: [{ file: "w.bin", digest: "sha256:b" }] },
  data: { calibration: { digest: "sha256:c" }, selection: undefined },
  target: "sha256:d",
  tool: { version: "1.0.0", digest: "sha256:e", dependencies: { "onnxruntime-node": "1.30.0" } },
};
const entry = lockOf(inputs);

describe("optimus.lock", () => {
  it("is wanted where a locked build is", () => {
    expect(() => checkLock(path, "one", entry)).toThrow(expect.objectContaining({ code: "usage/no-lock" }) as Error);
  });

  it("holds each recipe by itself, and the same bytes for the same inputs", () => {
    writeLock(path, "two", entry);
    writeLock(path, "one", entry);
    const text = readFileSync(path, "utf8");
    expect(text.indexOf('"one"')).toBeLessThan(text.indexOf('"two"'));
    writeLock(path, "two", entry);
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(() => checkLock(path, "one", entry)).not.toThrow();
  });

  it.each<[string, object]>([
    ["teacher", { teacher: { ...inputs.teacher, digest: "sha256:0" } }],
    ["teacher/w.bin", { teacher: { ...inputs.teacher, external: [] } }],
    ["data/calibration", { data: { calibration: { digest: "sha256:0" } } }],
    ["data/selection", { data: { ...inputs.data, selection: { digest: "sha256:0" } } }],
    ["target", { target: "sha256:0" }],
    ["tool", { tool: { ...inputs.tool, digest: "sha256:0" } }],
    ["dependency/onnxruntime-node", { tool: { ...inputs.tool, dependencies: { "onnxruntime-node": "1.31.0" } } }],
  ])("names what changed: %s", (name, change) => {
    const changed = { code: "usage/lock-changed", message: `not as it was locked: ${name}` };
    expect(() => checkLock(path, "one", lockOf({ ...inputs, ...change }))).toThrow(
      expect.objectContaining(changed) as Error,
    );
  });

  it.each([
    "",
    "{}",
    '{"schema":"optimus-compile/lock@0","recipes":{}}',
    '{"schema":"optimus-compile/lock@1","recipes":[]}',
  ])("is not guessed at: %s", (text) => {
    const other = lockPath({ folder: mkdtempSync(join(tmpdir(), "lock-")) });
    writeFileSync(other, text);
    const refused = expect.objectContaining({ code: "usage/bad-lock" }) as Error;
    expect(() => checkLock(other, "one", entry)).toThrow(refused);
    expect(() => writeLock(other, "one", entry)).toThrow(refused);
  });
});
