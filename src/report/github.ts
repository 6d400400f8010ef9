import { printable } from "./escape.ts";
import { type Finding, findingsOf, type GateDocument, type GateLine, sentenceOf } from "./gate-document.ts";

/** GitHub shows no more of one step. */
const MAX_ANNOTATIONS = 10;
const MAX_SUMMARY = 2 ** 20;
const MAX_TEXT = 2000;

const LEVELS = { fail: "error", incomplete: "warning", waived: "notice", pass: "notice" } as const;

/** Workflow commands: an annotation each for the ten worst findings, and how many more there are in the last one. */
export function githubOf(document: GateDocument): string {
  const findings = findingsOf(document);
  const left = findings.length - MAX_ANNOTATIONS;
  const lines = findings.slice(0, MAX_ANNOTATIONS).map((finding, at) => {
    const more = left > 0 && at === MAX_ANNOTATIONS - 1 ? ` (and ${left} more: see the job summary)` : "";
    return annotation(finding, more);
  });
  return [...lines, `verdict: ${document.verdict}`, ""].join("\n");
}

function annotation(finding: Finding, more: string): string {
  const { line } = finding;
  const { file, line: at, column } = line.place;
  const properties = `file=${property(file)},line=${at},col=${column},title=${property(`gate ${line.gate}: ${line.verdict}`)}`;
  return `::${LEVELS[line.verdict]} ${properties}::${data(sentenceOf(finding).slice(0, MAX_TEXT) + more)}`;
}

/** A message ends at its line's end, and `%` begins an escape. */
const data = (text: string): string =>
  text.toWellFormed().replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
/** A property ends at a comma, too, and a list of them at a colon. */
const property = (text: string): string => data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");

/** Markdown for the job's page; less than the mebibyte that GitHub takes, whole rows only, failures before the rest. */
export function githubSummaryOf(document: GateDocument): string {
  const head = `## optimus-compile gate: ${document.verdict}\n\n| artifact | gate | verdict | |\n| --- | --- | --- | --- |\n`;
  const bad = findingsOf(document);
  const good = document.artifacts.flatMap((artifact) =>
    artifact.gates.filter(({ verdict }) => verdict === "pass").map((line): Finding => ({ artifact, line })),
  );
  const rows = [...bad, ...good].map(row);
  let [text, size, count] = ["", Buffer.byteLength(head) + 100, 0];
  for (const next of rows) {
    size += Buffer.byteLength(next);
    if (size >= MAX_SUMMARY) break;
    text += next;
    count++;
  }
  return `${head}${text}${count < rows.length ? `\n${rows.length - count} more rows do not fit here.\n` : ""}`;
}

const MARKS: Readonly<Record<GateLine["verdict"], string>> = {
  pass: "✅ pass",
  fail: "❌ fail",
  incomplete: "❔ not enough evidence",
  waived: "🟡 waived",
};

function row(finding: Finding): string {
  const { artifact, line } = finding;
  const text = sentenceOf(finding).slice(`${line.gate} of ${artifact.name}: `.length);
  return `| ${cell(artifact.name)} | ${cell(line.gate)} | ${MARKS[line.verdict]} | ${cell(text)} |\n`;
}

/** Text that can neither end the cell nor begin markup. */
function cell(text: string): string {
  return printable(text, 500)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replace(/[\\`*_[\]|~#!@]/g, (character) => `&#${character.codePointAt(0)};`);
}
