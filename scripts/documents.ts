/** What follows from the code, mostly in docs/: nobody writes it, so it cannot be wrong for long. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { z } from "zod";
import { errorsPage } from "../src/explain.ts";
import { budgetsJsonSchema } from "../src/gate/budgets.ts";
import { fileNameOf, findOp } from "../src/ops/find.ts";
import type { Op } from "../src/ops/op.ts";
import type { Pass } from "../src/pass.ts";
import { listPasses, loadPass } from "../src/passes.ts";
import { configJsonSchema } from "../src/recipe/config.ts";
import { trainingJsonSchema } from "../src/recipe/training.ts";
import { targetJsonSchema } from "../src/target/schema.ts";
import { NVDLA_TABLE, nvdlaTarget } from "./nvdla.ts";

const root = new URL("../", import.meta.url);
const NOTICE = "<!-- Written by `npm run generate`; a test fails while it is stale. -->";

/** Each domain of operators, the folder they lie in, and what to say about them. */
const DOMAINS: readonly { domain: string; title: string; about: string }[] = [
  {
    domain: "",
    title: "ONNX",
    about:
      "The standard domain, in the forms of opset 21 and newer: what an older opset writes differently is rewritten at import.",
  },
  { domain: "com.microsoft", title: "com.microsoft", about: "What ONNX Runtime's optimizer fuses." },
  {
    domain: "npu",
    title: "npu",
    about:
      "The chip's integer operators, which the `lower` passes emit: see [integer semantics](integer-semantics.md).",
  },
];

/** Parts of file names that are abbreviations: `rms-normalization` is RMSNormalization. */
const ABBREVIATIONS = new Set(["dft", "gru", "lrn", "lstm", "nd", "rms", "rnn", "stft"]);

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly op: Op;
  readonly meaning: string;
}

function folderOf(domain: string): string {
  return domain === "" ? "src/ops" : `src/ops/${domain.replaceAll(".", "-")}`;
}

/** `hard-swish` → HardSwish. The inverse of `fileNameOf`, and checked to be. */
export function operatorNameOf(file: string): string {
  const words = file.split("-");
  const name = words
    .map((word) => (ABBREVIATIONS.has(word) ? word.toUpperCase() : word[0].toUpperCase() + word.slice(1)))
    .join("");
  if (fileNameOf(name) !== file) throw new Error(`bug: ${file}.ts is not found as ${name}`);
  return name;
}

/** The first sentence of the comment on the operator (or on the part of it that is shared); empty where there is none. */
function meaningOf(source: string): string {
  const comments = [
    ...source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n(?:const \w+: (?:Op|Recurrent)\b|export default)/g),
  ];
  const text = (comments.at(-1)?.[1] ?? "")
    .replace(/^\s*\* ?/gm, " ")
    .replace(/\s+/g, " ")
    .trim();
  return firstSentence(text);
}

/** Up to the first full stop, colon or semicolon that stands outside of brackets and code. */
function firstSentence(text: string): string {
  let depth = 0;
  let code = false;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "`") code = !code;
    if ("([".includes(text[at])) depth++;
    if (")]".includes(text[at])) depth--;
    const ends = ".:;".includes(text[at]) && (at + 1 === text.length || text[at + 1] === " ");
    if (ends && depth === 0 && !code) return `${text.slice(0, at)}.`;
  }
  return text;
}

function entriesOf(domain: string): Entry[] {
  const folder = folderOf(domain);
  if (!existsSync(new URL(`${folder}/`, root))) return [];
  const files = readdirSync(new URL(`${folder}/`, root)).filter((file) => file.endsWith(".ts"));
  const entries: Entry[] = [];
  for (const file of files.sort()) {
    const path = `${folder}/${file}`;
    const source = readFileSync(new URL(path, root), "utf8");
    // Beside the operators lie the files that all of them use; only an operator is a default export.
    if (!/^export default /m.test(source)) continue;
    const name = operatorNameOf(file.slice(0, -3));
    const op = findOp(domain, name);
    if (op === undefined) throw new Error(`bug: ${path} is not found as ${domain}:${name}`);
    entries.push({ name, path, op, meaning: meaningOf(source) });
  }
  return entries;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}

function mark(holds: boolean): string {
  return holds ? "yes" : "";
}

/** docs/operators.md: what is known of each operator. */
export function operatorsPage(): string {
  const sections = DOMAINS.map(({ domain, title, about }) => {
    const entries = entriesOf(domain);
    const isChip = domain === "npu";
    const heads = ["Operator", "Meaning", "MACs", ...(isChip ? [] : ["Integer form"])];
    const rows = entries.map(({ name, path, op, meaning }) => [
      `[${name}](../${path})`,
      meaning,
      mark(op.macs !== undefined),
      ...(isChip ? [] : [mark(op.integer !== undefined || op.riding !== undefined)]),
    ]);
    return `## ${title}\n\n${about} ${entries.length} operators.\n\n${table(heads, rows)}\n`;
  });
  const introduction = `# Operators

${NOTICE}

Every operator has one file, which holds all that is known of it: its types, its meaning as the interpreter computes it,
its multiply-accumulates, and its integer form, if the chip has one. An operator without an integer form runs on the CPU
where the recipe allows that, unless a pass takes it apart.
`;
  return [introduction, ...sections].join("\n");
}

/** A JSON schema's value as short text: a default, the choices or the type. */
function typeText(schema: Readonly<Record<string, unknown>>): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((choice) => `\`${choice}\``).join(" or ");
  if (Array.isArray(schema.anyOf)) return schema.anyOf.map((each) => typeText(each)).join(" or ");
  if (schema.type === "array")
    return `list of ${typeText((schema.items ?? {}) as Record<string, unknown>) || "values"}`;
  return typeof schema.type === "string" ? schema.type : "";
}

function optionsTable(pass: Pass<unknown>): string {
  if (pass.options === undefined) return "";
  const { properties = {} } = z.toJSONSchema(pass.options, { io: "input" }) as {
    properties?: Record<string, Record<string, unknown>>;
  };
  const rows = Object.entries(properties).map(([name, schema]) => [
    `\`${name}\``,
    typeText(schema),
    schema.default === undefined ? "" : `\`${JSON.stringify(schema.default)}\``,
    typeof schema.description === "string" ? schema.description : "",
  ]);
  return rows.length === 0 ? "" : `\n${table(["Option", "Values", "Default", ""], rows)}\n`;
}

/** docs/passes.md: what each pass does and what can be set. */
export function passesPage(): string {
  const sections = listPasses().map((name) => {
    const pass = loadPass(name);
    const lossy = pass.lossy ? " Changes numbers on purpose." : "";
    return `## ${name}\n\n[passes/${name}.ts](../passes/${name}.ts): ${pass.summary}${lossy}\n${optionsTable(pass)}`;
  });
  return [`# Passes\n\n${NOTICE}\n\nA recipe runs them in the order of its list, by these names.\n`, ...sections].join(
    "\n",
  );
}

/** Every generated page by its path from the repository's root. */
export function pages(): ReadonlyMap<string, string> {
  return new Map([
    ["docs/operators.md", operatorsPage()],
    ["docs/passes.md", passesPage()],
    ["docs/config.schema.json", `${JSON.stringify(configJsonSchema(), null, 2)}\n`],
    ["docs/errors.md", errorsPage(NOTICE)],
    ["docs/budgets.schema.json", `${JSON.stringify(budgetsJsonSchema(), null, 2)}\n`],
    ["docs/training.schema.json", `${JSON.stringify(trainingJsonSchema(), null, 2)}\n`],
    ["docs/target.schema.json", `${JSON.stringify(targetJsonSchema(), null, 2)}\n`],
    ...NVDLA_TABLE.map((one): [string, string] => [`targets/nvdla-${one.macs}.yaml`, nvdlaTarget(one)]),
  ]);
}

/** The pages whose file says something else. */
export function stalePages(): string[] {
  return [...pages()]
    .filter(([path, text]) => {
      const url = new URL(path, root);
      return !existsSync(url) || readFileSync(url, "utf8") !== text;
    })
    .map(([path]) => path);
}
