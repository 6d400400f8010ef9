import type { BuildDocument, BuildNotes } from "./build-document.ts";
import { printable } from "./escape.ts";
import { searchTable } from "./search-table.ts";
import { formatBytes, formatCount, formatMs, formatShare, formatTable } from "./table.ts";

/** The end of a build for a person: what came out, how good it is, where it lies, what to do next. */
export function summariseBuild(document: BuildDocument, notes: BuildNotes): string {
  const { accuracy, latency, memory, placement, energy } = document;
  const rows: string[][] = [
    ["", "teacher", "compiled", ""],
    [accuracy.metric, formatMetric(accuracy.teacher), formatMetric(accuracy.compiled), dropOf(document, notes)],
    ["same answer", "", formatShare(accuracy.agreement), `as the teacher, ${formatCount(accuracy.n)} samples`],
    ["latency", "", formatMs(latency.ms), `${formatCount(latency.cycles)} cycles on ${notes.target}`],
    ...(latency.capped === undefined ? [] : [["clock", "", `${latency.clockGHz} GHz`, latency.capped]]),
    [
      "floor",
      "",
      formatShare(latency.efficiency, 0),
      `reached of the ${formatCount(latency.floorCycles)} cycles that no schedule can beat`,
    ],
    ["SRAM peak", "", formatBytes(memory.sramPeakBytes), "per NPU"],
    ["DRAM traffic", "", formatBytes(memory.dramBytesPerInference), "per inference"],
    ["weights", formatBytes(4 * document.teacher.parameters), formatBytes(memory.weightBytes), "with scales"],
    [
      "file",
      formatBytes(notes.teacherBytes),
      formatBytes(notes.sealedBytes),
      `${formatBytes(notes.artifactBytes)} with the evidence`,
    ],
    [
      "energy",
      "",
      `${energy.mJ.mid.toPrecision(3)} mJ`,
      `estimate: ${energy.mJ.low.toPrecision(2)} to ${energy.mJ.high.toPrecision(2)}`,
    ],
    [
      "nodes",
      formatCount(document.teacher.nodes),
      formatCount(placement.npu + placement.vector + placement.cpu),
      placed(document),
    ],
  ]; // prettier-ignore
  const kept = notes.kept.length === 0 ? "" : `  unchanged since an earlier build: ${notes.kept.join(", ")}\n`;
  const cpu = notes.onCpu.map((line) => `  on the CPU: ${printable(line)}\n`).join("");
  const gates = notes.gates.map(({ gate, verdict, reason }) => `  ${MARKS[verdict]} ${gate}: ${reason}\n`).join("");
  const search = document.search ? `\n${searchTable(document.search)}` : "";
  return `\n${formatTable(rows)}${cpu}${kept}${search}\n${gates}${gates && "\n"}${closing(document, notes)}`;
}

const MARKS = { pass: "✓", fail: "✗", incomplete: "?" } as const;

const formatMetric = (value: number): string => value.toFixed(4);

function dropOf({ accuracy }: BuildDocument, { interval }: BuildNotes): string {
  const points = (value: number) => (100 * value).toFixed(2);
  const within = interval && ` (95 %: ${points(interval.low)} to ${points(interval.high)})`;
  return `drop ${points(accuracy.drop)} points${within ?? ""}`;
}

function placed({ placement, floatTensors, int16Tensors, int4Tensors }: BuildDocument): string {
  const parts = [
    `${placement.npu} on the array`,
    `${placement.vector} on the vector unit`,
    `${placement.cpu} on the CPU`,
  ];
  const narrow = int4Tensors > 0 ? `${int4Tensors} int4, ` : "";
  return `${parts.join(", ")}; ${narrow}${int16Tensors} int16 and ${floatTensors} float tensors`;
}

function closing({ artifact, digest, verdict }: BuildDocument, { signatures }: BuildNotes): string {
  const path = printable(artifact, 4096);
  const lines = [`verdict: ${verdict}`, `artifact: ${path}`, `digest: ${digest}`];
  if (signatures.build !== undefined && signatures.certifier !== undefined) {
    lines.push("signed by the build and by the certifier");
    lines.push("", `next: optimus-compile verify ${path} --key BUILD.pub.pem --key CERTIFIER.pub.pem`);
  } else {
    const missing = signatures.build === undefined ? "unsigned: the recipe has no `key`" : "not signed by a certifier";
    lines.push(`${missing} (\`optimus-compile keygen\` makes keys)`);
    lines.push("", `next: optimus-compile verify ${path} --unsigned`);
  }
  lines.push(`      optimus-compile report ${path} -o report.html`);
  lines.push(`      optimus-compile emulate ${path} --input X.npz --output Y.npz`);
  return `${lines.join("\n")}\n`;
}
