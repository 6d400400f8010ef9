/** `gate --plan`: the limits of a recipe or of an artifact's evidence, and how many labels each will need. */
import { CompileError } from "../error.ts";
import { alphaOfLook } from "../evidence/statistics/spending.ts";
import { loadRecipe } from "../recipe.ts";
import { type Evidence, readEvidence, type Trust } from "./evidence.ts";
import { type PlanLine, planFromAssumptions, planFromRecords } from "./plan.ts";
import { metricOf } from "./relative.ts";

export interface PlanOptions {
  readonly trust: Trust;
  readonly limit?: number;
  readonly discordance?: number;
  readonly effect?: number;
  readonly groupSize?: number;
  readonly look?: number;
  readonly ledger?: string;
  readonly set?: readonly string[];
  readonly strict?: boolean;
  readonly warn?: (message: string) => void;
}

export interface PlanDocument {
  readonly schema: "optimus-compile/gate-plan@1";
  readonly look: number;
  readonly alpha: number;
  readonly plans: readonly PlanLine[];
}

const DROPS = ["maxDrop", "maxSliceDrop"] as const;

/** Throws usage/plan-gates where no drop is limited, usage/plan-assumption where nothing says how much the models differ. */
export async function planGate(path: string, options: PlanOptions): Promise<PlanDocument> {
  const pilot = path.endsWith(".dopt") ? readEvidence(path, options.trust) : undefined;
  const { set, strict, warn } = options;
  const limits: Readonly<Record<string, number | undefined>> =
    pilot?.gates ?? loadRecipe(path, { ...(set && { set }), ...(strict && { strict }), ...(warn && { warn }) }).gates;
  const look = await lookOf(pilot, options);
  const alpha = alphaOfLook(look);
  const wanted: [string, number][] =
    options.limit === undefined
      ? DROPS.flatMap((name): [string, number][] => (limits[name] === undefined ? [] : [[name, limits[name]]]))
      : [["maxDrop", options.limit]];
  if (wanted.length === 0) {
    throw new CompileError("usage/plan-gates", "no gate limits a drop, so there is nothing to plan", {
      where: path,
      remedy: "Give --limit 0.01, or gates: { maxDrop: 0.01 } in the recipe.",
    });
  }
  const plans: PlanLine[] = [];
  for (const [gate, limit] of wanted) {
    plans.push(...(await planOne(gate, limit, alpha, pilot, options)));
  }
  return { schema: "optimus-compile/gate-plan@1", look, alpha, plans };
}

async function planOne(
  gate: string,
  limit: number,
  alpha: number,
  pilot: Evidence | undefined,
  { discordance, effect = 1, groupSize = 1 }: PlanOptions,
): Promise<PlanLine[]> {
  if (discordance !== undefined) return [planFromAssumptions(gate, limit, alpha, { discordance, effect, groupSize })];
  if (pilot === undefined) {
    throw new CompileError("usage/plan-assumption", "a recipe alone does not say how much the two models will differ", {
      where: gate,
      remedy: "Give --discordance 0.02, or an artifact that was certified on some data of the kind.",
    });
  }
  const metric = await metricOf(pilot, undefined, ".");
  if (gate !== "maxSliceDrop") return [planFromRecords(gate, limit, alpha, { metric, records: pilot.records })];
  const keys = new Set(pilot.measured.slices?.map(({ key }) => key));
  return [...slices(pilot, keys)].map(([name, records]) =>
    planFromRecords(`${gate} ${name}`, limit, alpha, { metric, records }),
  );
}

/** Each slice must keep the gate by itself, so each needs its own labels. */
function slices({ records }: Evidence, keys: ReadonlySet<string>): Map<string, Evidence["records"][number][]> {
  const found = new Map<string, Evidence["records"][number][]>();
  for (const record of records) {
    for (const [key, value] of Object.entries(record.slices)) {
      if (!keys.has(key)) continue;
      const name = `${key} = ${value}`;
      const members = found.get(name);
      if (members) members.push(record);
      else found.set(name, [record]);
    }
  }
  return found;
}

/** The number that the next look at the data will have. */
async function lookOf(pilot: Evidence | undefined, { look, ledger }: PlanOptions): Promise<number> {
  if (look !== undefined) return look;
  if (ledger === undefined) return (pilot?.look ?? 0) + 1;
  const { readLedger } = await import("../certify/ledger.ts");
  const looks = readLedger(ledger).filter(({ data }) => pilot?.data === undefined || data === pilot.data);
  return Math.max(0, ...looks.map((one) => one.look)) + 1;
}
