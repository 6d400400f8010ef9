import { Command, InvalidArgumentError } from "commander";
import type { Economics, Prices } from "../economics.ts";
import { CompileError } from "../error.ts";
import type { OperatingPoint } from "../escalation.ts";
import type { Bill } from "../evidence/escalation/economics.ts";
import { formatCount, formatMs, formatTable } from "../report/table.ts";
import { printJson, tell } from "./terminal.ts";

interface Flags {
  readonly alpha: string;
  readonly system2Error: string;
  readonly system2Timeout: string;
  readonly callCost?: number;
  readonly callMs?: number;
  readonly decisions?: number;
  readonly chipCost: number;
  readonly chipMs?: number;
  readonly timeoutMs?: number;
  readonly key?: string;
  readonly json?: boolean;
}

export const escalate = new Command("escalate")
  .description("learn from the evidence which decisions may stay on the chip, and with a key sign it")
  .argument("<artifact>", "a .dopt file; with --key the operating point is written into it")
  .requiredOption("--alpha <share>", "the loss that both systems together may have")
  .option("--system2-error <share>", "assumed: how often System 2 errs where it answers", "0")
  .option("--system2-timeout <share>", "assumed: how often it does not answer; that is an error, too", "0")
  .option(
    "--decisions <count>",
    "assumed: decisions a month; with --call-cost and --call-ms says what they cost",
    amount,
  )
  .option("--call-cost <money>", "assumed: of one call to System 2, answered or not", amount)
  .option("--call-ms <ms>", "assumed: until System 2 has answered, the network included", amount)
  .option("--timeout-ms <ms>", "assumed: until nobody waits any longer (default: as --call-ms)", amount)
  .option("--chip-cost <money>", "assumed: of one decision on the chip", amount, 0)
  .option("--chip-ms <ms>", "of one decision on the chip (default: as certified, of the emulated chip)", amount)
  .option("--key <pem>", "the certifier's private key")
  .option("--json", "print one JSON document")
  .action(async (path: string, flags: Flags) => {
    const { alpha, system2Error, system2Timeout, key: keyPath, json } = flags;
    const prices = pricesOf(flags);
    const [{ attestOperatingPoint, operatingPointOf }, { economicsOf }, { readArtifact, writeArtifact }, keys] =
      await Promise.all([
        import("../escalation.ts"),
        import("../economics.ts"),
        import("../artifact/file.ts"),
        import("../artifact/keys.ts"),
      ]);
    const artifact = readArtifact(path);
    const point = operatingPointOf(artifact, {
      alpha: Number(alpha),
      system2Error: Number(system2Error),
      system2Timeout: Number(system2Timeout),
    });
    const economics = prices && economicsOf(artifact, point, prices);
    const key = keyPath === undefined ? undefined : keys.readPrivateKey(keyPath);
    if (key) writeArtifact(path, await attestOperatingPoint(artifact, point, key));
    const signedBy = key && keys.fingerprint(key);
    if (json) {
      const document = { schema: "optimus-compile/escalate@1", artifact: path, ...point };
      printJson({ ...document, ...(economics && { economics }), ...(signedBy && { signedBy }) });
    } else tell(`${textOf(point, signedBy)}${economics ? billsOf(economics) : ""}`);
  });

function amount(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It must be a number of zero or more.");
}

/** The three that nothing can be told without, or nothing of it. */
function pricesOf({ decisions, callCost, callMs, chipCost, chipMs, timeoutMs }: Flags): Prices | undefined {
  if ([decisions, callCost, callMs, chipMs, timeoutMs].every((value) => value === undefined) && chipCost === 0) {
    return undefined;
  }
  if (decisions === undefined || callCost === undefined || callMs === undefined) {
    throw new CompileError("usage/prices", "what decisions cost needs --decisions, --call-cost and --call-ms", {
      remedy: "optimus-compile escalate … --call-cost 0.002 --call-ms 400 --decisions 1000000",
    });
  }
  return {
    ...{ decisions, callCost, callMs, chipCost },
    ...(chipMs !== undefined && { chipMs }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}

const money = (value: number): string =>
  value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

function billsOf({ assumed, certified, atMost, withoutChip, atEqualRisk, callsAvoidedAtEqualRisk }: Economics): string {
  const row = (name: string, bill: Bill | undefined) =>
    bill === undefined
      ? [name, "never", "", ""]
      : [name, formatCount(bill.calls), money(bill.costPerMonth), formatMs(bill.ms)];
  const rows = [
    ["a month", "calls", "cost", "a decision"],
    row("certified", certified),
    row("at most", atMost),
    row("all to System 2", withoutChip),
    row("equal risk, by fp32", atEqualRisk.teacher),
    row("equal risk, blindly", atEqualRisk.blind),
  ];
  const { decisions, callCost, chipCost, callMs, timeoutMs, chipMs } = assumed;
  const avoided =
    callsAvoidedAtEqualRisk === undefined
      ? ""
      : `calls avoided at equal risk, beside picking blindly: ${formatCount(callsAvoidedAtEqualRisk)} a month\n`;
  const each = `${callCost} a call, ${chipCost} a decision on the chip`;
  const times = `${formatMs(callMs)} a call, ${formatMs(timeoutMs)} where none answers, ${formatMs(chipMs)} on the chip`;
  return `\n${formatTable(rows, "")}${avoided}assumed: ${formatCount(decisions)} decisions a month; ${each}; ${times}\n`;
}

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
    `int8: AURC ${compiled.aurc.toFixed(5)}, AUGRC ${compiled.augrc.toFixed(5)}; escalated at the risk allowed, without guarantee: ${percent(compiled.escalationAtRisk)}`,
    `fp32: AURC ${teacher.aurc.toFixed(5)}, AUGRC ${teacher.augrc.toFixed(5)}; escalated at the risk allowed, without guarantee: ${percent(teacher.escalationAtRisk)}`,
    signedBy === undefined ? "not signed: give --key" : `signed by ${signedBy}`,
  ].join("\n")}\n`;
}
