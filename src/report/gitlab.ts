import { createHash } from "node:crypto";
import { findingsOf, type GateDocument, sentenceOf } from "./gate-document.ts";
import { identityOf } from "./sarif.ts";

const SEVERITIES = { fail: "critical", incomplete: "major", waived: "info", pass: "info" } as const;
const MAX_TEXT = 1000;

/** What did not simply pass, in GitLab's Code Quality format. Fingerprints have no figure and no line in them. */
export function gitlabOf(document: GateDocument): string {
  const seen = new Map<string, number>();
  const issues = findingsOf(document).map((finding) => {
    const { line } = finding;
    const identity = identityOf(finding);
    // Two entries of a budgets file may name one gate: their order tells them apart.
    const count = seen.get(identity) ?? 0;
    seen.set(identity, count + 1);
    return {
      type: "issue",
      description: sentenceOf(finding).slice(0, MAX_TEXT).toWellFormed(),
      check_name: line.gate,
      fingerprint: count === 0 ? identity : createHash("sha256").update(`${identity} ${count}`).digest("hex"),
      severity: SEVERITIES[line.verdict],
      location: { path: line.place.file.replaceAll("\\", "/"), lines: { begin: line.place.line } },
    };
  });
  return `${JSON.stringify(issues, undefined, 2)}\n`;
}
