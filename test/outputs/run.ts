/**
 * What other programs read, made by the command from a real artifact and held to their own schemas:
 * `npm run test:outputs -- ARTIFACT`. SARIF 2.1.0 (OASIS), GitLab's Code Quality, CycloneDX 1.6 (its own library), JUnit,
 * GitHub's annotations; each of an artifact that passes and of one that fails, and each once more damaged, to be refused.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { Ajv } from "ajv";
import formats from "ajv-formats";
import { optimus } from "../cli/command.ts";
import { type Element, parseXml } from "../report/xml.ts";

const [given] = process.argv.slice(2);
if (given === undefined) {
  console.error("npm run test:outputs -- ARTIFACT");
  process.exit(2);
}
const artifact = resolve(given);
const folder = mkdtempSync(join(tmpdir(), "outputs-"));
const schemas = new URL("../../fixtures/schemas/", import.meta.url);

/** What a reader has against a text; nothing where it is as it must be. */
type Reader = (text: string) => string | undefined | Promise<string | undefined>;

/** SARIF's schema is of draft 4, which names itself by `id`; none of the words that it uses changed their meaning since. */
function bySchema(name: string): Reader {
  const {
    $schema: _,
    id: __,
    ...schema
  } = JSON.parse(readFileSync(new URL(name, schemas), "utf8")) as object & {
    $schema?: string;
    id?: string;
  };
  const ajv = new Ajv({ strict: false, validateSchema: false, allErrors: true });
  formats.default(ajv);
  const check = ajv.compile(schema);
  return (text) => (check(JSON.parse(text)) ? undefined : ajv.errorsText(check.errors));
}

/** As CI systems read JUnit: suites that count their own testcases, each with at most one outcome. */
function junit(text: string): string | undefined {
  let root: Element;
  try {
    root = parseXml(text);
  } catch (error) {
    return (error as Error).message;
  }
  if (root.name !== "testsuites" || root.children.length === 0) return "no testsuites";
  for (const suite of root.children) {
    const cases = suite.children.filter(({ name }) => name === "testcase");
    if (suite.name !== "testsuite" || suite.attributes.name === undefined) return "a suite without a name";
    if (cases.some(({ attributes }) => !attributes.name || !attributes.classname)) return "a testcase without a name";
    const counted = (kind: string) => cases.filter(({ children }) => children.some(({ name }) => name === kind)).length;
    const outcomes = { failures: "failure", errors: "error", skipped: "skipped" };
    for (const [attribute, kind] of Object.entries(outcomes)) {
      if (Number(suite.attributes[attribute]) !== counted(kind)) return `${attribute} are not as many as it says`;
    }
    if (Number(suite.attributes.tests) !== cases.length) return "tests are not as many as it says";
  }
  return undefined;
}

/** A workflow command a line, ten at most, and no line beside them. */
function github(text: string): string | undefined {
  const lines = text.split("\n").filter((line) => line !== "");
  const commands = lines.filter((line) => /^::(error|warning|notice) ([a-z]+=[^,:\r]*,?)*::/.test(line));
  if (commands.length > 10) return `${commands.length} annotations`;
  return text.includes("\r") || lines.some((line) => line.startsWith("::") && !commands.includes(line))
    ? "a line that is no command"
    : undefined;
}

async function cyclonedx(text: string): Promise<string | undefined> {
  const found = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);
  return found === null ? undefined : JSON.stringify(found);
}

const budgets = join(folder, "strict.yaml");
writeFileSync(budgets, 'budgets:\n  - artifact: "*"\n    gates: { maxCycles: 1, maxSramBytes: 1, minSamples: 1 }\n');

const gate = (reporter: string) => ["gate", artifact, "--unsigned", "--reporter", reporter];
const readers: readonly (readonly [name: string, args: readonly string[], reader: Reader, damaged: string])[] = [
  ["SARIF", gate("sarif"), bySchema("sarif-2.1.0.json"), '{"version":"2.1.0","runs":[{"tool":{}}]}'],
  ["GitLab", gate("gitlab"), bySchema("gitlab-code-quality.json"), '[{"description":"x"}]'],
  ["JUnit", gate("junit"), junit, '<testsuites><testsuite name="x" tests="2"/></testsuites>'],
  ["GitHub", gate("github"), github, "::error file=x\r::y\n"],
  ["CycloneDX", ["certificate", "bom", artifact], cyclonedx, '{"bomFormat":"CycloneDX","specVersion":"1.6","made":1}'],
];

let [passed, failed] = [0, 0];
function tell(what: string, complaint: string | undefined): void {
  if (complaint === undefined) passed++;
  else failed++;
  console.log(`${complaint === undefined ? "ok  " : "FAIL"} ${what}${complaint === undefined ? "" : `: ${complaint}`}`);
}

for (const [name, args, reader, damaged] of readers) {
  const judged = args[0] === "gate";
  for (const strict of judged ? [false, true] : [false]) {
    const { code, stdout, stderr } = await optimus([...args, ...(strict ? ["--budgets", budgets] : [])], {
      cwd: folder,
      env: { ...process.env, GITHUB_STEP_SUMMARY: undefined },
    });
    const what = judged ? `${name} of an artifact that ${strict ? "fails" : "passes"}` : name;
    tell(`${what}: exit status`, code === (strict ? 1 : 0) ? undefined : `${code}: ${stderr.slice(0, 400)}`);
    tell(what, await Promise.resolve(reader(stdout)).catch((error: Error) => error.message));
  }
  tell(`${name} damaged is refused`, (await reader(damaged)) === undefined ? "it was taken" : undefined);
}
rmSync(folder, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
