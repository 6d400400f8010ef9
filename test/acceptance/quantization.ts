/**
 * Every teacher in every format that something is promised for, calibrated on five sets: how much worse its metric is, and how
 * many of its answers are the teacher's. `--teacher`, `--format`, `--seeds`, `--split selection` and `--set KEY=VALUE` (over the
 * recipe) choose.
 */
import { type AcceptanceOptions, attempt, type Outcome } from "./check.ts";
import { type Measurement, measure } from "./quantization/measure.ts";
import { type Bars, type FormatName, poolOf, recipeOf, TEACHERS } from "./quantization/teachers.ts";

const SEEDS = 5;

export async function* quantization(options: AcceptanceOptions): AsyncIterable<Outcome> {
  const names = options.teacher === undefined ? Object.keys(TEACHERS) : [options.teacher];
  for (const name of names) {
    if (!Object.hasOwn(TEACHERS, name)) {
      yield { name, good: false, says: `no such teacher; there are ${Object.keys(TEACHERS).join(", ")}` };
      continue;
    }
    const { bars } = TEACHERS[name];
    const formats = options.format === undefined ? Object.keys(bars) : [options.format];
    for (const format of formats as FormatName[]) {
      yield await attempt(`${name} ${format}`, () => one(name, format, bars[format] ?? {}, options));
    }
  }
}

async function one(name: string, format: FormatName, bars: Bars, options: AcceptanceOptions) {
  const { seeds = SEEDS, samples = Number.POSITIVE_INFINITY, split = "certification", set = [] } = options;
  const recipe = recipeOf(name, format, set);
  const found = await measure({ ...{ recipe, seeds, samples, split }, pool: poolOf(name, recipe) });
  const figures = { ...{ teacher: name, format, split, seeds, set }, ...found, bars };
  return { good: meets(found, bars), says: JSON.stringify(figures) };
}

function meets({ fp32, drop, agreement, int4Share }: Measurement, bars: Bars): boolean {
  const most = Math.min(bars.drop ?? Number.POSITIVE_INFINITY, fp32 * (bars.relativeDrop ?? Number.POSITIVE_INFINITY));
  return drop.mean <= most && agreement.mean >= (bars.agreement ?? 0) && int4Share.least >= (bars.int4Share ?? 0);
}
