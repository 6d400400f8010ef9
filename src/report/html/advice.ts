/** What to try next: rules that read the figures, each with the figure that made it speak. */
import { formatBytes } from "../table.ts";
import { percent, significant, sizeText } from "./figures.ts";
import { type Advice, isAbsent, type LayersModel, leadOf, type ReportModel } from "./model.ts";
import { shortName } from "./text.ts";

type Known = Omit<ReportModel, "advice">;
type Rule = (model: Known) => Advice | undefined;

/** A share of the run that is worth speaking of. */
const MUCH = 0.25;

const RULES: readonly Rule[] = [
  ({ verdict }) =>
    verdict === undefined
      ? {
          title: "Certify it",
          says: "Nobody has judged this artifact on data that the build did not see. `optimus-compile certify` does, with a key of its own.",
        }
      : undefined,

  ({ gates, accuracy }) => {
    const failed = gates.find(({ gate, verdict }) => verdict === "fail" && /Drop|Metric|Agreement|Flips/.test(gate));
    if (failed === undefined || accuracy === undefined) return undefined;
    return {
      title: "Win back accuracy",
      says: `${failed.gate} failed: ${failed.reason}. More and more varied calibration samples cost nothing at run time; the layers with the largest error are where a wider format pays first.`,
    };
  },

  ({ gates, accuracy }) => {
    const open = gates.find(({ verdict, shown }) => verdict === "incomplete" && shown !== undefined);
    if (open === undefined || accuracy === undefined) return undefined;
    return {
      title: "Label more data",
      says: `${open.gate} is undecided: ${accuracy.n} samples in ${accuracy.groups} groups cannot exclude ${significant(open.shown ?? Number.NaN, 3)}. More groups (pages, speakers, episodes) help more than more samples of the same ones.`,
    };
  },

  ({ accuracy }) => {
    const [worst] = accuracy?.slices ?? [];
    if (accuracy === undefined || worst === undefined || worst.drop <= 0) return undefined;
    const spread = accuracy.interval ? accuracy.interval.high - accuracy.drop : Math.abs(accuracy.drop);
    if (worst.drop - accuracy.drop <= spread || worst.drop < 2 * accuracy.drop) return undefined;
    return {
      title: `Look at ${shortName(worst.key, 30)} = ${shortName(worst.value, 30)}`,
      says: `It loses ${sizeText(accuracy.metric, worst.drop)}; over all samples ${accuracy.drop > 0 ? `it is ${sizeText(accuracy.metric, accuracy.drop)}` : "nothing is lost"}. If calibration data has few of these, add some.`,
    };
  },

  ({ layers }) => {
    if (isAbsent(layers)) return undefined;
    const heard = layers.layers.filter(({ sqnr }) => sqnr !== undefined);
    const worst = heard.reduce<(typeof heard)[number] | undefined>(
      (most, layer) => (most?.sqnr === undefined || (layer.sqnr ?? 0) < most.sqnr ? layer : most),
      undefined,
    );
    if (worst?.sqnr === undefined || worst.sqnr >= 15) return undefined;
    return {
      title: `Give ${shortName(leadOf(worst), 40)} finer codes`,
      says: `Its values are only ${significant(worst.sqnr, 3)} dB above their error, the least of ${heard.length} layers, and take ${percent(worst.share)} of the time: precision is cheapest where time is short and error large.`,
    };
  },

  ({ layers }) =>
    bound(
      layers,
      "DRAM",
      "Move less",
      (share) =>
        `${share} of the run waits for DRAM. Smaller weights help, and so does reusing them: several inputs a run, or layers whose intermediate values stay in SRAM.`,
    ),
  ({ layers }) =>
    bound(
      layers,
      "latency",
      "Move in larger pieces",
      (share) =>
        `${share} of the run waits for the first byte of a transfer. Fewer, larger layers hide it; a smaller model than this gains little from more bandwidth.`,
    ),
  ({ layers }) =>
    bound(
      layers,
      "vector",
      "Relieve the vector unit",
      (share) =>
        `${share} of the run is the vector unit's. Softmax, normalisations and unfused activations are what it does: cheaper ones (ReLU, hard-swish) fuse into the array's work.`,
    ),
  ({ layers }) =>
    bound(
      layers,
      "drain",
      "Accumulate longer",
      (share) =>
        `${share} of the run waits for results to leave the array. Layers with few input channels have little to add up for each result: fewer, deeper layers drain less.`,
    ),
  ({ layers }) =>
    bound(
      layers,
      "host",
      "Keep it off the host",
      (share) =>
        `${share} of the run is the host's. The layers table names the nodes; another form of the same operator may run on the chip.`,
    ),
  ({ layers }) =>
    bound(
      layers,
      "array",
      "The array is busy",
      (share) =>
        `${share} of the run is multiplication: what is left to gain is a smaller model, fewer channels, or channels in multiples of the array's width.`,
    ),

  ({ layers }) => {
    if (isAbsent(layers)) return undefined;
    const [best] = layers.whatIf;
    if (best === undefined || best.gain < 0.1) return undefined;
    return {
      title: "On the chip",
      says: `With ${best.what} and the same schedule the run would be ${percent(best.gain, 0)} shorter; no other single change of the chip gains as much.`,
    };
  },

  ({ calibration }) => {
    if (isAbsent(calibration) || calibration.after - calibration.before < 0.01) return undefined;
    return {
      title: "Set confidence thresholds anew",
      says: `The calibration error went from ${percent(calibration.before)} to ${percent(calibration.after)}: a threshold that was chosen for the teacher means something else now.`,
    };
  },

  ({ chip, cost }) => {
    if (isAbsent(chip) || cost === undefined) return undefined;
    const [sram] = chip.sram;
    if (sram === undefined || cost.sramPeakBytes < 0.9 * sram.bytes) return undefined;
    return {
      title: "SRAM is nearly full",
      says: `${formatBytes(cost.sramPeakBytes)} of ${formatBytes(sram.bytes)}: a larger input or wider layers would spill to DRAM.`,
    };
  },
];

function bound(
  layers: Known["layers"],
  limit: string,
  title: string,
  says: (share: string) => string,
): Advice | undefined {
  if (isAbsent(layers) || layers.cycles === 0) return undefined;
  const [first] = layers.limits;
  const own = layers.limits.find((one) => one.limit === limit);
  const share = (own?.cycles ?? 0) / layers.cycles;
  return own !== undefined && share >= MUCH && (own === first || share >= 0.35)
    ? { title, says: `${says(percent(share, 0))}${foremost(layers, limit)}` }
    : undefined;
}

/** The layer that has most of a limit's cycles, where it has many. */
function foremost({ layers }: LayersModel, limit: string): string {
  const own = layers.filter(({ boundBy }) => boundBy === limit).sort((a, b) => b.share - a.share);
  const [first] = own;
  return first === undefined || first.share < 0.1
    ? ""
    : ` ${shortName(leadOf(first), 40)} alone takes ${percent(first.share, 0)}.`;
}

/** In the order of urgency; nothing where the figures give no reason. */
export function adviceFor(model: Known): readonly Advice[] {
  return RULES.flatMap((rule) => rule(model) ?? []);
}
