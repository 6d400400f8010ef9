/**
 * A goal instead of formats: a plan with much fewer bytes than 8 bits throughout, no slower, and hardly worse; the time that was
 * predicted; and no uniform plan that is better in everything. `--teacher`, `--samples` (of the held-out data) and `--set` choose.
 */
import { openBuildData, wantedOf } from "../../src/build/data.ts";
import { openStages } from "../../src/build/kept.ts";
import { importTeacher } from "../../src/build/teacher.ts";
import { cacheFolder } from "../../src/cache/folder.ts";
import { decodeRecord } from "../../src/ir/record.ts";
import type { Recipe } from "../../src/recipe.ts";
import { costOfGraph, type PlanCost } from "../../src/search/costs.ts";
import { type Judgement, judgeRecord } from "../../src/search/judge.ts";
import type { FormatName } from "../../src/search/layers.ts";
import { searchFormats } from "../../src/search/search.ts";
import { loadTarget } from "../../src/target/load.ts";
import { type AcceptanceOptions, attempt, type Outcome } from "./check.ts";
import { recipeOf } from "./quantization/teachers.ts";

interface Bars {
  /** Less than the bytes of W8A8's weights, as a share of them. */
  readonly fewerBytes: number;
  readonly drop: number;
  /** How far the predicted time may be from the emulated one. */
  readonly time: number;
}

const BARS: Readonly<Record<string, Bars>> = {
  quickstart: { fewerBytes: 0.35, drop: 0.005, time: 0.03 },
  "ocr-rec": { fewerBytes: 0.35, drop: 0.003, time: 0.03 },
};

/** What the recipes leave open, and what fits plans of few bits: the rest is as they are. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  quickstart: [],
  "ocr-rec": ["quantize.block=32", "quantize.rounding=gptq", "quantize.int16Share=0"],
};

export async function* search({ teacher, samples, set = [] }: AcceptanceOptions): AsyncIterable<Outcome> {
  for (const name of teacher === undefined ? Object.keys(BARS) : [teacher]) {
    yield await attempt(name, () => one(name, BARS[name], samples, [...(SETTINGS[name] ?? []), ...set]));
  }
}

interface Whole {
  readonly cost: PlanCost;
  readonly judgement: Judgement;
}

async function one(name: string, bars: Bars | undefined, samples: number | undefined, set: readonly string[]) {
  if (bars === undefined) return { good: false, says: `no such teacher; there are ${Object.keys(BARS).join(", ")}` };
  const recipe = recipeOf(name, "W8A8", set);
  const target = loadTarget(recipe.target);
  const teacher = await importTeacher(recipe);
  const data = await openBuildData(recipe, teacher.graph);
  const cache = cacheFolder();
  const options = cache === undefined ? {} : { cache };
  const lower = async (own: Recipe) => (await openStages(own, target, options).lower(teacher, data)).record;
  const whole = async (record: Uint8Array, judged: Recipe): Promise<Whole> => ({
    cost: costOfGraph(decodeRecord(record), recipe, target),
    judgement: await judgeRecord(judged, record, wantedOf(teacher.graph)),
  });
  const uniform = async (format: FormatName): Promise<Uint8Array> =>
    lower({ ...recipe, quantize: { ...recipe.quantize, ...(format !== "W8A8" && { formats: { "*": format } }) } });
  const eight = await uniform("W8A8");
  const base = await whole(eight, recipe);
  const goal = { maxDrop: bars.drop, maxMs: base.cost.ms, samples: 64, tries: 8 };
  const found = await searchFormats({ ...recipe, goal }, target, teacher, data, options);
  const chosen = found.record.front.find((plan) => plan.chosen);
  const plan = await whole(found.lowered.record, recipe);
  const four = await whole(await uniform("W4A8"), recipe);
  data.close();
  const { certification } = recipe.data;
  const limited = samples === undefined ? certification : { ...certification, count: samples };
  const held = { ...recipe, data: { ...recipe.data, selection: limited } };
  const heldOut = await judgeRecord(held, found.lowered.record, wantedOf(teacher.graph));
  const heldOutEight = await judgeRecord(held, eight, wantedOf(teacher.graph));
  const fewerBytes = 1 - plan.cost.weightBytes / base.cost.weightBytes;
  const timeApart = (chosen?.ms ?? 0) / plan.cost.ms - 1;
  const dominated = [base, four].some((other) => dominates(other, plan));
  const good =
    fewerBytes >= bars.fewerBytes &&
    plan.cost.cycles <= base.cost.cycles &&
    plan.judgement.drop <= bars.drop &&
    Math.abs(timeApart) <= bars.time &&
    !dominated;
  const figures = {
    ...{ teacher: name, set, fewerBytes, timeApart, dominated, bars },
    layers: chosen?.layers,
    cycles: { plan: plan.cost.cycles, W8A8: base.cost.cycles, W4A8: four.cost.cycles },
    weightBytes: { plan: plan.cost.weightBytes, W8A8: base.cost.weightBytes, W4A8: four.cost.weightBytes },
    selection: { plan: brief(plan.judgement), W8A8: brief(base.judgement), W4A8: brief(four.judgement) },
    heldOut: { plan: brief(heldOut), W8A8: brief(heldOutEight) },
  };
  return { good, says: JSON.stringify(figures) };
}

const brief = ({ teacher, drop, agreement, samples }: Judgement) => ({ teacher, drop, agreement, samples });

/** At least as good in what they lose, take and weigh, and better in one. */
function dominates(a: Whole, b: Whole): boolean {
  const pairs = [
    [a.judgement.drop, b.judgement.drop],
    [a.cost.cycles, b.cost.cycles],
    [a.cost.weightBytes, b.cost.weightBytes],
  ];
  return pairs.every(([x, y]) => x <= y) && pairs.some(([x, y]) => x < y);
}
