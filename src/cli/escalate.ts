import { Command } from "commander";
import type { OperatingPoint } from "../escalation.ts";
import { printJson, tell } from "./terminal.ts";

interface Flags {
  readonly alpha: string;
  readonly system2Error: string;
  readonly system2Timeout: string;
  readonly key?: string;
  readonly json?: boolean;
}

export const escalate = new Command("escalate")
  .description("learn from the evidence which decisions may stay on the chip, and with a key sign it")
  .argument("<artifact>", "a .dopt file; with --key the operating point is written into it")
  .requiredOption("--alpha <share>", "the loss that both systems together may have")
  .option("--system2-error <share>", "assumed: how often System 2 errs where it answers", "0")
  .option("--system2-timeout <share>", "assumed: how often it does not answer; that is an error, too", "0")
  .option("--key <pem>", "the certifier's private key")
  .option("--json", "print one JSON document")
  .action(async (path: string, { alpha, system2Error, system2Timeout, key: keyPath, json }: Flags) => {
    const [{ attestOperatingPoint, operatingPointOf }, { readArtifact, writeArtifact }, keys] = await Promise.all([
      import("../escalation.ts"),
      import("../artifact/file.ts"),
      import("../artifact/keys.ts"),
    ]);
    const artifact = readArtifact(path);
    const point = operatingPointOf(artifact, {
      alpha: Number(alpha),
      system2Error: Number(system2Error),
      system2Timeout: Number(system2Timeout),
    });
    const key = keyPath === undefined ? undefined : keys.readPrivateKey(keyPath);
    if (key) writeArtifact(path, await attestOperatingPoint(artifact, point, key));
    const signedBy = key && keys.fingerprint(key);
    if (json) {
      printJson({ schema: "optimus-compile/escalate@1", artifact: path, ...point, ...(signedBy && { signedBy }) });
    } else tell(textOf(point, signedBy));
  });

const percent = (share: number | undefined): string =>
  share === undefined ? "never" : `${(share * 100).toFixed(2)} %`;

function textOf(point: OperatingPoint, signedBy: string | undefined): string {
  const { margin, escalationRate, risk, alpha, delta, decisions, groups, compiled, teacher } = point;
  return `${[
    margin === null
      ? "every decision goes to System 2: no threshold is shown to keep the risk"
      : `margin of ${margin} codes or more: the decision stays on the chip`,
    `escalated: ${percent(escalationRate)}; calls to System 2 avoided: ${percent(1 - escalationRate)}`,
    `risk: ${percent(risk)} on ${decisions} decisions in ${groups} groups; at most ${percent(alpha)}, of which ${percent(delta)} of certifications may err`,
    `assumed of System 2: errors ${percent(point.system2Error)}, time-outs ${percent(point.system2Timeout)}`,
    `int8: AURC ${compiled.aurc.toFixed(5)}, AUGRC ${compiled.augrc.toFixed(5)}; escalated at this risk, without guarantee: ${percent(compiled.escalationAtRisk)}`,
    `fp32: AURC ${teacher.aurc.toFixed(5)}, AUGRC ${teacher.augrc.toFixed(5)}; escalated at this risk, without guarantee: ${percent(teacher.escalationAtRisk)}`,
    signedBy === undefined ? "not signed: give --key" : `signed by ${signedBy}`,
  ].join("\n")}\n`;
}
