import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { describe, expect, it } from "vitest";
import { bomOf } from "../../src/artifact/bom.ts";
import { canonicalBytes, canonicalJson, type Json } from "../../src/artifact/canonical.ts";
import { decodeLineage } from "../../src/artifact/lineage.ts";
import { again, built, certified } from "../verify/signed-artifact.ts";

const artifact = await certified(await built({ channels: 4 }));
const text = (value: unknown) => JSON.stringify(value);
/** CycloneDX's own schema, in its own words: undefined where the BOM is one. */
const complaint = (bom: unknown) => new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text(bom));

describe("the ML-BOM", () => {
  it("is valid CycloneDX 1.6, and names all that the lineage names", async () => {
    const bom = bomOf(artifact);
    expect(await complaint(bom)).toBeNull();
    const { components } = bom as { components: { "bom-ref": string }[] };
    const refs = components.map((component) => component["bom-ref"]);
    expect(refs).toEqual(["teacher", "teacher/w.bin", "data/calibration", "target", "compiler"]);
    expect(text(bom)).toContain(artifact.digest.slice("sha256:".length));
    expect(text(bom)).toContain('"expression":"Apache-2.0"');
    expect(text(bom)).toContain('"name":"optimus-compile:license-unknown","value":"data"');
    expect(canonicalJson(bomOf(artifact) as Json)).toBe(canonicalJson(bom as Json));
  });

  it("names a teacher's package, selection data and no metric where nobody certified", async () => {
    const fresh = await built({ channels: 4 });
    const lineage = decodeLineage(fresh.sections.get("lineage"));
    const { calibration } = lineage.data;
    const more = {
      ...lineage,
      teacher: { ...lineage.teacher, package: "@scope/model@1.2.3" },
      data: { calibration, selection: calibration },
      licenses: { teacher: "MIT OR (Apache-2.0 AND BSD-3-Clause)", data: "CC-BY-4.0" },
    };
    const sections = new Map(fresh.sections).set("lineage", canonicalBytes(more as unknown as Json));
    const bom = bomOf(again({ ...fresh, sections }));
    expect(await complaint(bom)).toBeNull();
    expect(text(bom)).toContain("pkg:npm/%40scope/model@1.2.3");
    expect(text(bom)).toContain('"performanceMetrics":[]');
  });

  it("would not pass the validator with a member of its own", async () => {
    expect(await complaint({ ...bomOf(artifact), made: "here" })).not.toBeNull();
  });
});
