import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Artifact, decodeArtifact, digestOf, encodeArtifact } from "../../src/artifact/container.ts";
import { CompileError } from "../../src/error.ts";
import { manifest, sampleArtifact } from "./sample.ts";

const encode = (artifact: Artifact): Uint8Array => new Uint8Array(Buffer.concat(encodeArtifact(artifact)));

function codeOf(bytes: Uint8Array): string {
  try {
    decodeArtifact(bytes);
    return "accepted";
  } catch (error) {
    if (error instanceof CompileError) return error.code;
    throw error;
  }
}

/** The header, replaced by another text; the sections stay. */
function withHeader(bytes: Uint8Array, edit: (text: string) => string): Uint8Array {
  const length = Number(Buffer.from(bytes).readBigUInt64LE(8));
  const text = Buffer.from(edit(Buffer.from(bytes.subarray(16, 16 + length)).toString()));
  const start = Math.ceil((16 + length) / 64) * 64;
  const result = Buffer.alloc(Math.ceil((16 + text.length) / 64) * 64 + bytes.length - start);
  result.set(bytes.subarray(0, 8));
  result.writeBigUInt64LE(BigInt(text.length), 8);
  result.set(text, 16);
  result.set(bytes.subarray(start), result.length - (bytes.length - start));
  return result;
}

describe("the container", () => {
  const bytes = encode(sampleArtifact());

  test("gives back what was put in, each section at a multiple of 64 bytes", () => {
    const artifact = decodeArtifact(bytes);
    expect(artifact.manifest).toEqual(manifest);
    expect(new Set(artifact.sections.keys())).toEqual(new Set(sampleArtifact().sections.keys()));
    for (const [name, section] of artifact.sections) {
      expect(Buffer.from(section)).toEqual(Buffer.from(sampleArtifact().sections.get(name)!));
      expect((section.byteOffset - bytes.byteOffset) % 64).toBe(0);
    }
  });

  test("has the same bytes in whatever order its sections were given", () => {
    const reversed = new Map([...sampleArtifact().sections].reverse());
    expect(encode({ manifest, sections: reversed })).toEqual(bytes);
  });

  test("round-trips any sections", () => {
    const sections = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/), fc.uint8Array({ maxLength: 200 }));
    fc.assert(
      fc.property(sections, (record) => {
        const artifact = { manifest, sections: new Map(Object.entries(record)) };
        expect(encode(decodeArtifact(encode(artifact)))).toEqual(encode(artifact));
      }),
      { seed: 7, numRuns: 100 },
    );
  });

  test("notices every single flipped bit", () => {
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] ^= 1 << (at % 8);
      expect(codeOf(changed), `byte ${at}`).toMatch(
        /^trust\/(container|section|digest|padding|truncated|appended|format-version|section-order)$/,
      );
    }
  });

  test("notices every cut and everything appended", () => {
    for (let end = 0; end < bytes.length; end++) {
      expect(codeOf(bytes.subarray(0, end)), `cut at ${end}`).toBe(end < 16 ? "trust/container" : "trust/truncated");
    }
    expect(codeOf(Buffer.concat([bytes, new Uint8Array(1)]))).toBe("trust/appended");
    expect(codeOf(Buffer.concat([bytes, new Uint8Array(64)]))).toBe("trust/appended");
  });

  test.each<[string, (text: string) => string]>([
    ["a blank", (text) => text.replace("{", "{ ")],
    ["a key twice", (text) => text.replace("{", '{"digest":"sha256:00",')],
    ["an unknown key", (text) => text.replace("{", '{"a":1,')],
    ["a section twice", (text) => text.replace(/(\{"length":0,[^}]*\})/, "$1,$1")],
    ["a forged name", (text) => text.replaceAll('"plan"', '"../plan"')],
    ["a negative length", (text) => text.replace('"length":0', '"length":-1')],
    ["a length beyond all numbers", (text) => text.replace('"length":37', '"length":1e999')],
    ["an overlap", (text) => text.replace(/"offset":64/, '"offset":0')],
    ["deep nesting", () => "[".repeat(100_000)],
    ["nothing", () => ""],
    ["no object", () => "null"],
  ])("rejects a header with %s", (_, edit) => {
    expect(codeOf(withHeader(bytes, edit))).toBe("trust/container");
  });

  test.each<[string, string, (text: string) => string]>([
    ["another format", "trust/format-version", (text) => text.replace('"format":1', '"format":2')],
    ["an older format", "trust/format-version", (text) => text.replace('"format":1', '"format":0')],
    ["sections in another order", "trust/section-order", (text) => text.replaceAll('"plan"', '"z"')],
    ["an endless length", "trust/truncated", (text) => text.replace('"length":37', '"length":9007199254740991')],
    [
      "another digest",
      "trust/digest",
      (text) => text.replace(/"digest":"sha256:[0-9a-f]{64}","m/, `"digest":"${DIGEST}","m`),
    ],
  ])("says what is wrong with a header with %s", (_, code, edit) => {
    expect(codeOf(withHeader(bytes, edit))).toBe(code);
  });

  test("rejects a header that claims to be huge before it reads it", () => {
    for (const length of [2n ** 64n - 1n, 2n ** 63n, 2n ** 24n + 1n]) {
      const changed = Buffer.from(bytes);
      changed.writeBigUInt64LE(length, 8);
      expect(codeOf(changed)).toBe("trust/container");
    }
  });

  test("survives noise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), (noise) => {
        expect(codeOf(noise)).toBe("trust/container");
      }),
      { seed: 11, numRuns: 200 },
    );
  });
});

describe("the digest", () => {
  const without = (name: string) => {
    const sections = new Map(sampleArtifact().sections);
    sections.delete(name);
    return { manifest, sections };
  };

  test("covers the manifest and every sealed section", () => {
    const digest = digestOf(sampleArtifact());
    for (const name of ["program", "weights", "plan"]) expect(digestOf(without(name)), name).not.toBe(digest);
    const other = { ...manifest, target: { ...manifest.target, profile: "parked" } };
    expect(digestOf({ ...sampleArtifact(), manifest: other })).not.toBe(digest);
  });

  test("does not cover what is said about the artifact", () => {
    const digest = digestOf(sampleArtifact());
    for (const name of ["lineage", "evidence"]) expect(digestOf(without(name)), name).toBe(digest);
  });

  test("cannot be moved from one section to another", () => {
    const swapped = new Map(sampleArtifact().sections);
    swapped.set("program", sampleArtifact().sections.get("weights")!);
    swapped.set("weights", sampleArtifact().sections.get("program")!);
    expect(digestOf({ manifest, sections: swapped })).not.toBe(digestOf(sampleArtifact()));
  });
});

const DIGEST = `sha256:${"5".repeat(64)}`;
