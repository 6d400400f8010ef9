import { describe, expect, it } from "vitest";
import { certificateOf } from "../src/certificate.ts";
import { built, certified, gated, keys } from "./verify/signed-artifact.ts";

const fresh = await built({ channels: 3 });
const judged = await certified(fresh);
const trusted = [keys.build.publicKey, keys.certifier.publicKey] as const;

describe("a certificate in plain words", () => {
  it("says who says what about which bytes, what was measured, how sure it is and which looks were spent", async () => {
    const { digest, believed, who, measured, looks, madeFrom } = certificateOf(await gated(judged), trusted);
    expect([digest, believed]).toEqual([fresh.digest, true]);
    expect(who).toEqual([
      expect.stringMatching(/^the build .*made these bytes.*Level 1 at most/),
      expect.stringMatching(/^the certifier .*never saw: PASSED$/),
      expect.stringMatching(/^the certifier .*measured/),
      expect.stringMatching(/^somebody .*certification-gates: PASSED.*; not believed/),
    ]);
    const named = certificateOf(await gated(judged), [...trusted, keys.gate.publicKey]).who.at(-1);
    expect(named).toMatch(/^the gate .*certification-gates: PASSED; maxMs waived until [\d-]+$/);
    expect(measured.join("\n")).toMatch(/accuracy on 2 samples: teacher 0.9000, compiled 0.8990[\s\S]*maxDrop: pass/);
    expect(looks[0]).toMatch(/^look \d+ at this data/);
    expect(madeFrom.join("\n")).toMatch(
      /1 files of weights[\s\S]*licence of the teacher: Apache-2.0; of the data: unknown/,
    );
    expect(madeFrom.join("\n")).toContain("3 passes, of which 2 changed the graph");
  });

  it("says where the teacher is not shown to be better than chance", async () => {
    const told = async (teacher: number) =>
      certificateOf(
        await certified(fresh, { chance: { value: 0.5, teacher, excluded: teacher > 0.5 } }),
      ).measured.join();
    expect(await told(0.4)).toContain(
      "not shown to be better than chance: accuracy 0.4 at worst, and 0.5 without looking",
    );
    expect(await told(0.8)).not.toContain("chance");
  });

  it("says what was not checked", () => {
    const all = certificateOf(judged).notChecked.join("\n");
    expect(all).toMatch(/the signatures: give --trust/);
    expect(all).toMatch(/no gate has signed/);
    expect(all).toMatch(/chance may have flattered/);
    expect(all).toMatch(/data may be used: nobody says/);
    expect(all).not.toMatch(/teacher may be used/);
    expect(certificateOf(judged, trusted).notChecked.join("\n")).not.toMatch(/the signatures:/);
  });

  it("believes nothing without keys, and nothing that does not hold with them", () => {
    expect(certificateOf(judged).who.every((line) => /^somebody .*not believed/.test(line))).toBe(true);
    const swapped = [keys.certifier.publicKey, keys.build.publicKey] as const;
    expect(() => certificateOf(judged, swapped)).toThrow(expect.objectContaining({ code: "trust/wrong-key" }) as Error);
  });

  it("of an artifact that nobody certified says so", () => {
    const { measured, looks, who } = certificateOf(fresh);
    expect([measured, looks, who.length]).toEqual([["nothing: the artifact was not certified"], [], 1]);
  });
});
