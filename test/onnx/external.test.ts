import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { graphDigest } from "../../src/ir/digest.ts";
import { externalDigests } from "../../src/onnx/external.ts";
import { readModel } from "../../src/onnx/read.ts";
import { writeModel } from "../../src/onnx/write.ts";

const folder = mkdtempSync(join(tmpdir(), "external-"));
const path = join(folder, "model.onnx");

test("weights beside the model are named with the digest of their file, which another content changes", () => {
  const graph = readModel(new URL("../../fixtures/fashion-mnist/teacher.onnx", import.meta.url).pathname);
  writeModel(graph, path, { external: "always" });
  const [file, ...more] = readdirSync(folder).filter((name) => name !== "model.onnx");
  expect(more).toEqual([]);
  const bytes = readFileSync(join(folder, file));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  expect(externalDigests(path)).toEqual([{ file, digest }]);
  const before = graphDigest(readModel(path));
  bytes[0] ^= 1;
  writeFileSync(join(folder, file), bytes);
  expect(externalDigests(path)[0].digest).not.toBe(digest);
  expect(graphDigest(readModel(path))).not.toBe(before);
});

test("a model in one file has none", () => {
  expect(externalDigests(new URL("../../fixtures/fashion-mnist/teacher.onnx", import.meta.url).pathname)).toEqual([]);
});
