import type { ArtifactLine, GateDocument, GateLine } from "./gate-document.ts";

/** What a gate decided as JUnit: a suite per artifact, a testcase per gate. Missing evidence is an error, a waiver skips. */
export function junitOf({ artifacts }: GateDocument): string {
  const suites = artifacts.map(suiteOf).join("");
  const all = artifacts.flatMap(({ gates }) => gates);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="optimus-compile gate"${counts(all)}>\n${suites}</testsuites>\n`;
}

function counts(gates: readonly GateLine[]): string {
  const count = (verdict: GateLine["verdict"]) => gates.filter((line) => line.verdict === verdict).length;
  const skipped = count("waived");
  return ` tests="${gates.length}" failures="${count("fail")}" errors="${count("incomplete")}" skipped="${skipped}" time="0"`;
}

function suiteOf({ artifact, name, digest, gates }: ArtifactLine): string {
  const cases = gates.map((line) => caseOf(line, name)).join("");
  const properties = `    <properties>\n      <property name="artifact" value="${xml(artifact)}"/>\n      <property name="digest" value="${xml(digest)}"/>\n    </properties>\n`;
  // JUnit demands a time; a verdict is not of one, and the same artifacts are to give the same bytes.
  const fixed = ` hostname="localhost" timestamp="1970-01-01T00:00:00"`;
  return `  <testsuite name="${xml(name)}"${counts(gates)}${fixed}>\n${properties}${cases}  </testsuite>\n`;
}

function caseOf(line: GateLine, name: string): string {
  const head = `    <testcase name="${xml(line.gate)}" classname="${xml(name)}" file="${xml(line.place.file)}" line="${line.place.line}" time="0"`;
  const text = line.where === undefined ? line.reason : `${line.reason} (${line.where})`;
  if (line.verdict === "pass") return `${head}/>\n`;
  if (line.verdict === "waived") {
    const waiver = line.waiver ? `waived until ${line.waiver.until}: ${line.waiver.reason}` : "waived";
    return `${head}>\n      <skipped message="${xml(`${text}; ${waiver}`)}"/>\n    </testcase>\n`;
  }
  const [element, type] = line.verdict === "fail" ? ["failure", "gate"] : ["error", "incomplete"];
  return `${head}>\n      <${element} type="${type}" message="${xml(text)}">${xml(text)}</${element}>\n    </testcase>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

/** XML 1.0 has no other control characters and no lone surrogates, not even escaped. */
function xml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/[&<>"'\t\n\r]/g, (character) => ENTITIES[character]);
}
