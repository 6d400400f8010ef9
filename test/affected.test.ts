import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { affectedBy, type Erratum, readErratum } from "../src/affected.ts";
import { toolFacts } from "../src/tool.ts";
import { built, bytesOf, folder } from "./verify/signed-artifact.ts";

const path = join(folder, "affected.dopt");
writeFileSync(path, bytesOf(await built()));
const { version } = toolFacts().compiler;

const erratum = (text: string): Erratum => {
  const file = join(folder, "erratum.yaml");
  writeFileSync(file, `id: E-1\ntitle: a mistake\n${text}\n`);
  return readErratum(file);
};

describe("affected", () => {
  it.each<[string, boolean]>([
    ["passes: [fuse/conv-bn]", true],
    ["passes: [fuse/no-such, fuse/conv-bn]", true],
    // It ran, and changed nothing.
    ["passes: [fuse/gelu]", false],
    [`versions: ["${version}"]`, true],
    ['versions: [">=0.0.1 <999.0.0"]', true],
    ['versions: ["<0.0.1", ">999.0.0"]', false],
    ["operators: [{ op: npu.Conv }]", true],
    ['operators: [{ op: npu.Conv, attrs: { strides: "1,1" } }]', true],
    ['operators: [{ op: npu.Conv, attrs: { strides: "3,3" } }]', false],
    ["operators: [{ op: npu.Conv, readBy: npu.Softmax }]", false],
    ["operators: [{ op: Erf }]", false],
    ["targets: [ai4]", true],
    ["targets: [ai5]", false],
    [`digests: ["sha256:${"3".repeat(64)}"]`, true],
    [`digests: ["sha256:${"9".repeat(64)}"]`, false],
    ['dependencies: { zod: [">=1.0.0"] }', true],
    ['dependencies: { zod: ["<1.0.0"] }', false],
    // All criteria must hold.
    ["passes: [fuse/conv-bn]\ntargets: [ai5]", false],
    ["passes: [fuse/conv-bn]\ntargets: [ai4]", true],
  ])("%s: %s", (text, expected) => {
    const [{ affected, because }] = affectedBy(erratum(text), [path]);
    expect([affected, because]).toEqual([expected, expect.any(Array)]);
  });

  it.each(["", "passes: fuse/gelu", "pases: [fuse/gelu]", "versions: [latest]", "digests: [abc]", 'versions: [""]'])(
    "refuses an erratum that says %s",
    (text) => {
      expect(() => erratum(text)).toThrow(expect.objectContaining({ code: "usage/erratum" }) as Error);
    },
  );
});
