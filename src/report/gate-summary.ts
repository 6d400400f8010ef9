import { printable } from "./escape.ts";
import type { GateDocument, GateLine } from "./gate-document.ts";

const MARKS: Readonly<Record<GateLine["verdict"], string>> = { pass: "✓", fail: "✗", incomplete: "?", waived: "~" };
const WORDS = { pass: "pass", fail: "fail", incomplete: "not enough evidence" } as const;

/** What a gate decided, for a person at a terminal. */
export function summariseGate({ artifacts, verdict, attestedBy, refusedWaivers }: GateDocument): string {
  const lines: string[] = [];
  for (const { artifact, name, verified, baseline, gates, verdict: own } of artifacts) {
    const signed = verified ? "" : ", evidence unsigned";
    const beside = baseline ? `, beside ${printable(baseline.artifact, 4096)}` : "";
    lines.push(`${printable(name)} (${printable(artifact, 4096)}${signed}${beside}): ${WORDS[own]}`);
    for (const line of gates) {
      const where = line.where === undefined ? "" : ` (${printable(line.where)})`;
      lines.push(`  ${MARKS[line.verdict]} ${line.gate}: ${printable(line.reason, 500)}${where}`);
      if (line.waiver) lines.push(`      waived until ${line.waiver.until}: ${printable(line.waiver.reason, 500)}`);
    }
  }
  for (const { file, code, says } of refusedWaivers)
    lines.push(`! ${code}: ${printable(says, 500)} (${printable(file, 4096)})`);
  if (attestedBy !== undefined) lines.push(`signed into each artifact by ${attestedBy}`);
  lines.push(`verdict: ${WORDS[verdict]}`, "");
  return lines.join("\n");
}
