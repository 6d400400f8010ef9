/** What somebody may do to an artifact on its way, and what `verify` says to that with the public keys and no network. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bytesOf, folder } from "./signed-artifact.ts";
import { good, outcome, type Tampering } from "./tamper.ts";
import { BUNDLES } from "./tamperings-bundles.ts";
import { BYTES } from "./tamperings-bytes.ts";
import { CLAIMS } from "./tamperings-claims.ts";
import { SIGNATURES } from "./tamperings-signatures.ts";

const TAMPERINGS: readonly Tampering[] = [...BYTES, ...SIGNATURES, ...BUNDLES, ...CLAIMS];

describe("verify, with the public keys alone", () => {
  test("accepts what nobody tampered with, and makes it again from the record", async () => {
    expect(await outcome(bytesOf(good))).toEqual({
      code: "accepted",
      says: "container, build, certifier, ledger, gate, program, golden vectors, rebuild from the record",
    });
  });

  test.each(TAMPERINGS.map((row) => [row[0], row] as const))(
    "refuses where %s",
    async (_, [, code, says, make, options]) => {
      writeFileSync(join(folder, "changed.jsonl"), "{}\n");
      expect(await outcome(await make(), options)).toEqual({ code, says: expect.stringMatching(says) });
    },
  );

  test("has a sentence of its own for each", async () => {
    const codes = new Set(TAMPERINGS.map(([, code]) => code));
    expect(codes.size).toBeGreaterThanOrEqual(30);
    const said = new Map<string, string>();
    for (const [name, code, , make, options] of TAMPERINGS) {
      const { says } = await outcome(await make(), options);
      const before = said.get(says);
      // One thing done to each of several sections is said in the same words where the section cannot be known.
      if (code !== "trust/wrong-subject" && code !== "trust/evidence-subject")
        expect([name, before]).toEqual([name, undefined]);
      said.set(says, name);
    }
  });
});
