/**
 * Our quantization beside the peers', on the same teacher, calibration samples and held-out data, in one run:
 *
 *   python -m venv A && A/bin/pip install -r bench/peers/quantization/requirements.txt
 *   python -m venv B && B/bin/pip install -r bench/peers/quantization/requirements-aimet.txt
 *   node bench/peers/quantization/compare.ts quickstart --python A/bin/python --aimet B/bin/python
 *
 * One JSON line a row. With `--keep FOLDER` models and answers stay there, and what is there is not made again: so a row is taken
 * anew by deleting its files. `--write FOLDER` writes a teacher's lines to a file, too. `--minutes N`: as long as a row may take.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { importTeacher } from "../../../src/build/teacher.ts";
import { encodeModel } from "../../../src/onnx/write.ts";
import { recipeOf } from "../../../test/acceptance/quantization/teachers.ts";
import { calibrationOf } from "./calibration.ts";
import { quantize, type Says } from "./contender.ts";
import { figuresOf, gains, judge } from "./judge.ts";
import { FORMATS, type Format, type Row, rowsOf } from "./rows.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: "string" },
    aimet: { type: "string" },
    format: { type: "string", multiple: true, default: [FORMATS[0]] },
    calibration: { type: "string", default: "256" },
    samples: { type: "string", default: "Infinity" },
    minutes: { type: "string", default: "30" },
    keep: { type: "string" },
    write: { type: "string" },
  },
});
const folder = values.keep ?? mkdtempSync(join(tmpdir(), "peers-"));
try {
  for (const teacher of positionals) await compare(teacher, values.format as Format[]);
} finally {
  if (values.keep === undefined) rmSync(folder, { recursive: true });
}

async function compare(teacher: string, formats: readonly Format[]): Promise<void> {
  const own = join(folder, teacher);
  mkdirSync(own, { recursive: true });
  const lines: object[] = [];
  for (const format of formats) lines.push(...(await linesOf(teacher, format, own)));
  if (values.write === undefined) return;
  const name = join(values.write, `quantization-${teacher}.json`);
  writeFileSync(name, `${JSON.stringify(lines, short, 2)}\n`);
}

async function linesOf(teacher: string, format: Format, own: string): Promise<object[]> {
  const recipe = recipeOf(teacher, format);
  const { graph } = await importTeacher(recipe);
  const [model, calibration] = [join(own, "teacher.onnx"), join(own, "calibration.npz")];
  const count = Number(values.calibration);
  const steps = graph.states.length > 0 ? count : undefined;
  if (!existsSync(model)) writeFileSync(model, encodeModel({ ...graph, states: [] }));
  if (!existsSync(calibration)) writeFileSync(calibration, await calibrationOf(recipe, graph, count));
  const { python, aimet } = values;
  const rows = rowsOf({ teacher, recipe, format, folder: own, model, calibration, steps, python, aimet });
  const says = new Map(rows.map((row) => [row, said(row, own)]));
  const made = rows.filter((row) => says.get(row)?.failed === undefined);
  const judged = await judge(recipe, graph, made, { folder: own, samples: Number(values.samples) });
  const working = made.filter((row) => judged.rows.get(row)?.failed === undefined);
  const ours = working.filter(({ isOurs }) => isOurs);
  return rows.map((row) => {
    const found = { teacher, format, row: row.id, ...says.get(row) };
    const answered = working.includes(row);
    const better =
      row.isOurs || !answered ? [] : ours.map((mine): [string, object] => [mine.id, gains(judged, mine, row)]);
    const figures = answered && {
      ...figuresOf(judged, row),
      ...(better.length > 0 && { better: Object.fromEntries(better) }),
    };
    const failed = judged.rows.get(row)?.failed;
    const line = { ...found, ...(failed !== undefined && { failed }), ...figures };
    console.log(JSON.stringify(line, short));
    return line;
  });
}

/** What the row said when it last ran. */
function said(row: Row, own: string): Says {
  const file = join(own, `${row.id}.json`);
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as Says;
  const says = quantize(row, Number(values.minutes));
  writeFileSync(file, JSON.stringify(says));
  console.error(`${row.id}: ${says.failed ?? `${says.cpuMs} ms of processor time`}`);
  return says;
}

function short(_: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(6)) : value;
}
