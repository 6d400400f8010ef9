import type { Artifact } from "../../src/artifact/container.ts";
import type { Manifest } from "../../src/artifact/manifest.ts";

export const manifest: Manifest = {
  format: 1,
  target: { name: "ai4", digest: `sha256:${"0".repeat(64)}`, profile: "driving" },
  inputs: [{ name: "x", dtype: "float32", shape: [1, 4] }],
  outputs: [{ name: "y", dtype: "float32", shape: [1, 2] }],
  states: [],
};

/** Lengths that need padding, that need none, and an empty section. */
export function sampleArtifact(): Artifact {
  return {
    manifest,
    sections: new Map([
      ["weights", bytes(128)],
      ["program", bytes(37)],
      ["plan", new Uint8Array(0)],
      ["lineage", new TextEncoder().encode('{"teacher":"sha256:00"}')],
      ["evidence", new TextEncoder().encode('{"samples":[]}')],
    ]),
  };
}

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 37 + 11) & 255);
}
