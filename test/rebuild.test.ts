import { describe, expect, it } from "vitest";
import { decodeLineage, type Lineage } from "../src/artifact/lineage.ts";
import { compareLineage } from "../src/rebuild.ts";
import { built } from "./verify/signed-artifact.ts";

const before = decodeLineage((await built()).sections.get("lineage"));
const digest = `sha256:${"e".repeat(64)}`;
const { teacher, data, target, passes } = before;
const withPass = (change: Partial<Lineage["passes"][number]>): Partial<Lineage> => ({
  passes: passes.map((pass, at) => (at === 1 ? { ...pass, ...change } : pass)),
});

describe("what differs first between two builds", () => {
  it("is nothing where all stages are the same", () => {
    expect(() => compareLineage(before, before)).not.toThrow();
  });

  it.each<[string, Partial<Lineage>]>([
    ["the teacher", { teacher: { ...teacher, digest }, record: digest }],
    ["the teacher's external data", { teacher: { ...teacher, external: [] } }],
    [
      "the calibration data",
      { data: { calibration: { ...data.calibration, digest } }, ...withPass({ after: digest }) },
    ],
    ["the selection data", { data: { ...data, selection: data.calibration } }],
    ["the target", { target: { ...target, digest } }],
    ["what pass 2, fuse/gelu gets", withPass({ before: digest, after: digest })],
    ["pass 2, fuse/gelu: its options", withPass({ options: { exact: true }, after: digest })],
    ["pass 2, fuse/gelu", withPass({ after: digest })],
    ["pass 2, fuse/gelu", withPass({ name: "fuse/other" })],
    ["pass 3, lower/integer", { passes: passes.slice(0, 2) }],
    ["the record", { record: digest }],
  ])("is %s", (stage, change) => {
    const message = `made again, the first that differs is ${stage}`;
    expect(() => compareLineage(before, { ...before, ...change })).toThrow(
      expect.objectContaining({ code: "trust/rebuild", message }) as Error,
    );
  });

  it("of options names those that are others alone", () => {
    const first = { ...before, ...withPass({ options: { samples: 256, block: 64, exact: true } }) };
    const second = { ...before, ...withPass({ options: { samples: 7, block: 64, wide: [1] } }) };
    const where = "exact was true, is not there; samples was 256, is 7; wide was not there, is [1]";
    expect(() => compareLineage(first, second)).toThrow(expect.objectContaining({ where }) as Error);
  });

  it("may be the CPU's doing, and then it says so", () => {
    const elsewhere = { ...before, ...withPass({ after: digest }), numerics: "another CPU" };
    const remedy = expect.stringContaining("here they are another CPU: check from the record") as string;
    expect(() => compareLineage(before, elsewhere)).toThrow(expect.objectContaining({ remedy }) as Error);
  });
});
