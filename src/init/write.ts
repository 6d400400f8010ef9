import { dirname, isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Document, visit } from "yaml";
import type { Proposal } from "./propose.ts";

const schema = fileURLToPath(
  new URL(
    import.meta.url.endsWith(".ts") ? "../../docs/recipe.schema.json" : "../../../docs/recipe.schema.json",
    import.meta.url,
  ),
);

export interface Written {
  readonly target: string;
  /** Where the recipe will stand. */
  readonly path: string;
}

/** A recipe that says why each line is there, and that `build` takes as it is. */
export function writeRecipe(proposal: Proposal, { target, path }: Written): string {
  const folder = dirname(resolve(path));
  const near = (file: string): string => {
    const short = relative(folder, resolve(file)).replaceAll("\\", "/");
    return isAbsolute(short) || short.startsWith(".") ? short : `./${short}`;
  };
  const spec = Object.fromEntries(
    Object.entries(proposal.data).map(([key, value]) => [
      key,
      FILES.has(key) && typeof value === "string" ? near(value) : value,
    ]),
  );
  const split = (name: string) => indent(blockOf({ ...spec, split: name }), "    ");
  const { calibration, selection, certification } = proposal.samples;
  return [
    `# yaml-language-server: $schema=${near(schema)}`,
    `# What optimus-compile builds; written by \`init\`. Check it, then: optimus-compile build ${relative(process.cwd(), resolve(path))}`,
    `$schema: ${JSON.stringify(near(schema))}`,
    "",
    "# The teacher: the compiled program is judged by how well it keeps to it.",
    `model: ${JSON.stringify(near(proposal.model))}`,
    ...inputLines(proposal),
    "",
    "# Three disjoint parts of the data, by a hash of each sample's `group` (its own content where it has none), so that",
    "# nothing the compiler saw is in what it is judged by. Samples from one page, speaker or document need one group.",
    ...(proposal.data.reader === "images" ? PREPARED : []),
    "data:",
    `  calibration: # ${calibration} samples set the ranges of the int8 numbers`,
    split("calibration"),
    `  selection: # ${selection} samples, for passes that choose between candidates`,
    split("selection"),
    `  certification: # ${certification} samples make the evidence, and are seen by nothing else`,
    split("certification"),
    "",
    `# ${sentence(proposal.because)}`,
    `metric: ${proposal.metric}`,
    "",
    "# The chip (`optimus-compile targets` lists them) and how it is run.",
    `target: ${target}`,
    "",
    "# The build passes only if the evidence shows this, with 95 % confidence; too few samples are no pass either.",
    "gates:",
    proposal.metric === "agreement"
      ? "  minAgreement: 0.95 # of all answers are the teacher's"
      : "  maxDrop: 0.01 # at most one point worse than the teacher",
    "",
    "# Keys that sign, made by `optimus-compile keygen`; unsigned without.",
    "# key: build.pem",
    "# certifierKey: certifier.pem",
    "",
  ].join("\n");
}

const PREPARED = [
  "#",
  "# A pixel x becomes (x / 255 - mean) / deviation, in the order of `order`. Nothing in the model tells how it was trained:",
  "# where the teacher's own figure is bad, it was with other numbers than these usual ones.",
];

const FILES: ReadonlySet<string> = new Set(["npz", "path", "images", "labels", "folder"]);

/** One key a line; lists stay on the line of their key. */
function blockOf(spec: object): string {
  const document = new Document(spec);
  visit(document, {
    Seq(_, list) {
      list.flow = true;
    },
  });
  return document.toString({ flowCollectionPadding: false });
}

const indent = (text: string, by: string): string => text.trimEnd().replace(/^/gm, by);
const sentence = (text: string): string => `${text[0].toUpperCase()}${text.slice(1)}.`;

function inputLines({ shapes }: Proposal): string[] {
  if (shapes.size === 0) return [];
  const lines = [...shapes].map(([name, shape]) => `  ${JSON.stringify(name)}: { shape: [${shape.join(", ")}] }`);
  return [
    "",
    "# The chip needs fixed sizes, and the model leaves these open. They are the data's.",
    "inputs:",
    ...lines,
  ];
}
