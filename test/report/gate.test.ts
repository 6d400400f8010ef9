import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { GATE_SCHEMA, type GateDocument, type GateLine } from "../../src/report/gate-document.ts";
import { summariseGate } from "../../src/report/gate-summary.ts";
import { githubOf, githubSummaryOf } from "../../src/report/github.ts";
import { gitlabOf } from "../../src/report/gitlab.ts";
import { junitOf } from "../../src/report/junit.ts";
import { sarifOf, uriOf } from "../../src/report/sarif.ts";
import { parseXml } from "./xml.ts";

const schemas = new URL("../../fixtures/schemas/", import.meta.url);
/** Zod takes `uri-reference` for a whole URL; what a relative one must be is tried by resolving it. */
function schema(name: string) {
  const text = readFileSync(new URL(name, schemas), "utf8").replaceAll(/"format": "uri-reference"/g, '"minLength": 1');
  return z.fromJSONSchema(JSON.parse(text) as Parameters<typeof z.fromJSONSchema>[0]);
}
const sarif = schema("sarif-2.1.0.json");
const gitlab = schema("gitlab-code-quality.json");

const HOSTILE = "a%b\r\nc::error::,x\u001b[31m\u202e<script>&\"'|`]]>\u0000\ud800\uffff";

function line(verdict: GateLine["verdict"], more: Partial<GateLine> = {}): GateLine {
  const waiver = { until: "2027-01-31", reason: HOSTILE, by: "sha256:00" };
  return {
    gate: "maxCycles",
    verdict,
    limit: 100,
    value: 120,
    reason: "120 is not at most 100",
    place: { file: "optimus.budgets.yaml", line: 3, column: 7 },
    ...(verdict === "waived" && { waiver }),
    ...more,
  };
}

function document(gates: readonly GateLine[], name = "ocr-rec"): GateDocument {
  const digest = `sha256:${"a".repeat(64)}`;
  const artifact = { artifact: `out/${name}.dopt`, name, digest, verified: true, verdict: "fail", gates } as const;
  return { schema: GATE_SCHEMA, verdict: "fail", artifacts: [artifact], refusedWaivers: [] };
}

const ALL = [
  line("pass", { gate: "maxMs" }),
  line("waived", { gate: "maxSramBytes" }),
  line("incomplete", { gate: "baseline.maxDrop", where: HOSTILE }),
  line("fail", { reason: HOSTILE }),
];
const many = (count: number) =>
  Array.from({ length: count }, (_, at) => line("fail", { value: 101 + at, reason: `miss ${at}.` }));

test("the schemas can refuse", () => {
  expect(sarif.safeParse({ version: "2.1.0", runs: [{ tool: {} }] }).success).toBe(false);
  expect(gitlab.safeParse([{ description: "x", check_name: "y", severity: "major" }]).success).toBe(false);
  expect(() => parseXml('<a b="1" b="2"/>')).toThrow();
  expect(() => parseXml("<a>&</a>")).toThrow();
});

describe("hostile names and reasons stay text", () => {
  const hostile = document(ALL, HOSTILE);

  test("in SARIF", () => {
    const report = JSON.parse(sarifOf(hostile, "1.0.0")) as { runs: { results: { level: string }[] }[] };
    expect(sarif.safeParse(report).error?.issues ?? []).toEqual([]);
    expect(report.runs[0].results.map(({ level }) => level)).toEqual(["error", "warning", "note"]);
  });

  test("in GitLab's format", () => {
    expect(gitlab.safeParse(JSON.parse(gitlabOf(hostile))).error?.issues ?? []).toEqual([]);
  });

  test("in JUnit: a testcase per gate", () => {
    const root = parseXml(junitOf(hostile));
    expect(root.attributes).toMatchObject({ tests: "4", failures: "1", errors: "1", skipped: "1" });
    const cases = root.children[0].children.filter(({ name }) => name === "testcase");
    expect(cases.map(({ attributes, children }) => [attributes.name, children[0]?.name])).toEqual([
      ["maxMs", undefined],
      ["maxSramBytes", "skipped"],
      ["baseline.maxDrop", "error"],
      ["maxCycles", "failure"],
    ]);
  });

  test("in GitHub's commands: one line each, nothing that ends a property", () => {
    const lines = githubOf(hostile).trimEnd().split("\n");
    expect(lines).toHaveLength(4);
    for (const command of lines.slice(0, 3)) {
      expect(command).toMatch(
        /^::(error|warning|notice) file=optimus\.budgets\.yaml,line=3,col=7,title=[^:,\r]*::[^\r]*$/,
      );
    }
    expect(lines[0]).toContain("a%25b%0D%0Ac::error");
    for (const text of ["<script", "\u001b"]) expect(githubSummaryOf(hostile)).not.toContain(text);
    for (const text of ["\u001b", "\u202e", "\r"]) expect(summariseGate(hostile)).not.toContain(text);
  });

  test("whatever they are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (name, reason) => {
        const some = document([line("fail", { reason }), line("waived")], name);
        expect(parseXml(junitOf(some)).children).toHaveLength(1);
        expect(sarif.safeParse(JSON.parse(sarifOf(some, "1"))).success).toBe(true);
        expect(githubOf(some).trimEnd().split("\n")).toHaveLength(3);
      }),
      { seed: 6, numRuns: 60 },
    );
  });
});

describe("the platforms' limits", () => {
  test("GitHub: ten annotations, the worst first, and less than a mebibyte", () => {
    const lines = githubOf(document(many(40)))
      .trimEnd()
      .split("\n");
    expect(lines).toHaveLength(11);
    expect(lines[0]).toContain("miss 39.");
    expect(lines[9]).toContain("and 30 more");
    const page = githubSummaryOf(document(many(30_000)));
    expect(Buffer.byteLength(page)).toBeLessThan(2 ** 20);
    expect(page.slice(-60)).toContain("more rows do not fit here");
  });

  test("SARIF: five thousand results, and a word about the others", () => {
    const [run] = (
      JSON.parse(sarifOf(document(many(5001)), "1")) as { runs: { results: unknown[]; invocations: unknown[] }[] }
    ).runs;
    expect(run.results).toHaveLength(5000);
    expect(JSON.stringify(run.invocations)).toContain("1 findings are left out");
  });

  test("GitLab: fingerprints differ within a report, and not with figures or lines", () => {
    const prints = (gates: readonly GateLine[]) =>
      (JSON.parse(gitlabOf(document(gates))) as { fingerprint: string }[]).map(({ fingerprint }) => fingerprint);
    expect(new Set(prints(many(50))).size).toBe(50);
    const moved = line("fail", {
      value: 999,
      reason: "other",
      place: { file: "optimus.budgets.yaml", line: 9, column: 1 },
    });
    expect(prints([moved])).toEqual(prints([line("fail")]));
    expect(prints([line("fail", { gate: "maxMs" })])).not.toEqual(prints([line("fail")]));
  });
});

test("paths become URI references", () => {
  expect(new URL(uriOf("a b/c#d%?.yaml"), "file:///repo/").pathname).toBe("/repo/a%20b/c%23d%25%3F.yaml");
  expect([uriOf("a b/c#d.yaml"), uriOf("/x/y"), uriOf("a\\b")]).toEqual(["a%20b/c%23d.yaml", "file:///x/y", "a/b"]);
});
