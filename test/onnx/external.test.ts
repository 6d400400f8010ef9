import { linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeModel, readModel } from "../../src/onnx/read.ts";
import type { TensorProto } from "../../src/onnx/schema.ts";
import { bytes, refusal, temporaryFolder, withExternal } from "./models.ts";

describe("external data", () => {
  const weights = new Uint8Array(Float32Array.of(1, 2, 3).buffer);

  test.each([
    "../w.bin",
    "sub/../../w.bin",
    "sub/..",
    "/etc/passwd",
    "C:\\w.bin",
    "sub\\w.bin",
    "w.bin\0.txt",
    "",
    ".",
    "sub",
  ])("the location %j is refused", (location) => {
    const outer = temporaryFolder();
    const folder = join(outer, "model");
    mkdirSync(join(folder, "sub"), { recursive: true });
    writeFileSync(join(outer, "w.bin"), weights);
    const error = refusal(() => readModel(withExternal(folder, { location })));
    expect(error.code).toBe("model/unsafe-external-data");
    expect(error.where).toContain('"w"');
  });

  test("a symbolic link, a linked folder, a hard link", () => {
    const outer = temporaryFolder();
    const folder = join(outer, "model");
    mkdirSync(join(outer, "elsewhere"));
    mkdirSync(folder);
    writeFileSync(join(outer, "elsewhere", "w.bin"), weights);
    symlinkSync(join(outer, "elsewhere", "w.bin"), join(folder, "link.bin"));
    symlinkSync(join(outer, "elsewhere"), join(folder, "linked"));
    linkSync(join(outer, "elsewhere", "w.bin"), join(folder, "hard.bin"));
    writeFileSync(join(folder, "own.bin"), weights);
    symlinkSync("own.bin", join(folder, "inside.bin"));
    for (const location of ["link.bin", "linked/w.bin", "hard.bin", "inside.bin"]) {
      const error = refusal(() => readModel(withExternal(folder, { location })));
      expect(error.code).toBe("model/unsafe-external-data");
    }
    expect(readModel(withExternal(folder, { location: "own.bin" })).constants.get("w")?.data).toEqual(
      Float32Array.of(1, 2, 3),
    );
  });

  test.each([
    ["a negative offset", { offset: "-4" }],
    ["an offset that is no number", { offset: "NaN" }],
    ["an offset in words", { offset: "0x0" }],
    ["an offset of 2^63 − 1", { offset: "9223372036854775807" }],
    ["a length of 2^64 − 8", { length: "18446744073709551608" }],
    ["a length that the shape does not have", { length: "8" }],
    ["an end beyond the file's", { offset: "4" }],
    ["an empty offset", { offset: "" }],
  ])("%s", (_, entries) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "w.bin"), weights);
    expect(refusal(() => readModel(withExternal(folder, { location: "w.bin", ...entries }))).code).toBe(
      "model/bad-tensor",
    );
  });

  test("a file that is missing is named", () => {
    const error = refusal(() => readModel(withExternal(temporaryFolder(), { location: "w.bin" })));
    expect(error.code).toBe("model/no-external-data");
    expect(error.message).toContain("w.bin");
  });

  test("bytes without a folder have no external data", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "w.bin"), weights);
    const file = readFileSync(withExternal(folder, { location: "w.bin" }));
    expect(refusal(() => decodeModel(file)).code).toBe("model/no-external-data");
    expect(decodeModel(file, { folder }).constants.get("w")?.data).toEqual(Float32Array.of(1, 2, 3));
  });

  test("a file that shrinks after the check is told when it is read", () => {
    const folder = temporaryFolder();
    const w: TensorProto = { name: "w", dims: [1024], dataType: 1, dataLocation: 1 };
    writeFileSync(join(folder, "w.bin"), new Uint8Array(4096));
    const path = join(folder, "model.onnx");
    writeFileSync(path, bytes({ initializer: [{ ...w, externalData: [{ key: "location", value: "w.bin" }] }] }));
    const data = readModel(path).constants.get("w")?.data;
    truncateSync(join(folder, "w.bin"), 100);
    expect(refusal(() => (data as { read(): unknown }).read()).code).toBe("model/changed-file");
    rmSync(path);
  });
});
