import { createHash } from "node:crypto";
import { type Finding, findingsOf, type GateDocument, sentenceOf } from "./gate-document.ts";

/** GitHub shows no more of a run, and refuses it above five times as many. */
const MAX_RESULTS = 5000;
const MAX_TEXT = 1000;

/** What did not simply pass, as SARIF 2.1.0: a rule per gate, a result per finding, each where its limit is written. */
export function sarifOf(document: GateDocument, version: string): string {
  const all = findingsOf(document);
  const findings = all.slice(0, MAX_RESULTS);
  const rules = [...new Set(findings.map(({ line }) => line.gate))].sort();
  const run = {
    tool: {
      driver: {
        name: "optimus-compile",
        version,
        rules: rules.map((id) => ({ id, shortDescription: { text: `the gate ${id}` } })),
      },
    },
    columnKind: "utf16CodeUnits",
    invocations: [
      {
        executionSuccessful: true,
        ...(all.length > findings.length && {
          toolExecutionNotifications: [
            { level: "warning", message: { text: `${all.length - findings.length} findings are left out` } },
          ],
        }),
      },
    ],
    results: findings.map((finding) => resultOf(finding, rules)),
    properties: { verdict: document.verdict },
  };
  return `${JSON.stringify(
    { $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] },
    undefined,
    2,
  )}\n`;
}

const LEVELS = { fail: "error", incomplete: "warning", waived: "note", pass: "none" } as const;

function resultOf(finding: Finding, rules: readonly string[]) {
  const { line, artifact } = finding;
  const { place, waiver } = line;
  return {
    ruleId: line.gate,
    ruleIndex: rules.indexOf(line.gate),
    level: LEVELS[line.verdict],
    message: { text: sentenceOf(finding).slice(0, MAX_TEXT).toWellFormed() },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(place.file) },
          region: { startLine: place.line, startColumn: place.column },
        },
      },
    ],
    partialFingerprints: { "gate/v1": identityOf(finding) },
    ...(waiver && { suppressions: [{ kind: "external", status: "accepted", justification: waiver.reason }] }),
    properties: { artifact: artifact.digest },
  };
}

/** The same finding's name from run to run: of the gate, the artifact and the file, not of figures or lines. */
export function identityOf({ line, artifact }: Finding): string {
  return createHash("sha256")
    .update(JSON.stringify([line.gate, artifact.name, line.place.file]))
    .digest("hex");
}

/** A path as a URI reference; one from the root of the drive gets its scheme. */
export function uriOf(path: string): string {
  const parts = path.toWellFormed().replaceAll("\\", "/").split("/").map(encodeURIComponent).join("/");
  return parts.startsWith("/") ? `file://${parts}` : parts;
}
