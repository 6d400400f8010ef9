/** A search as a knapsack: one item for each group of values, its options the formats of the layers that read them. */
import type { Costs } from "./costs.ts";
import type { Option } from "./knapsack.ts";
import type { SearchedFormat, SearchSpace } from "./layers.ts";
import type { Sensitivity } from "./sensitivity.ts";

/** One way to store a group: the format of each of its layers, in their order. */
export interface GroupOption extends Option {
  readonly formats: readonly SearchedFormat[];
}

/** Options of one group, at most; groups have more where a value has many readers. */
const MOST_OPTIONS = 256;

/** Of each group the options than which no other is at least as good; loss in the distances' unit, costs above W8A8's. */
export function itemsOf(space: SearchSpace, sensitivity: Sensitivity, costs: Costs): GroupOption[][] {
  return space.groups.map(({ layers }, group) => {
    const whole = (["int8", "int16"] as const).flatMap((activations) => {
      const base = activations === "int16" ? costs.int16[group] : { cycles: 0, bytes: 0 };
      const start: GroupOption = { loss: sensitivity.values[group][activations].distance, ...base, formats: [] };
      return layers.reduce<GroupOption[]>(
        (options, layer) => {
          const saved = costs.int4[layer][activations];
          const { int8, int4 } = sensitivity.weights[layer];
          const wide = activations === "int16" ? "16" : "8";
          return thinned(
            options.flatMap((option) => [
              {
                ...option,
                loss: option.loss + int8.distance,
                formats: [...option.formats, `W8A${wide}` as SearchedFormat],
              },
              {
                loss: option.loss + int4.distance,
                cycles: option.cycles + saved.cycles,
                bytes: option.bytes + saved.bytes,
                formats: [...option.formats, `W4A${wide}` as SearchedFormat],
              },
            ]),
          );
        },
        [start],
      );
    });
    return thinned(whole);
  });
}

/** Without those that another option is at least as good as; evenly picked by bytes where there are too many. */
function thinned(options: readonly GroupOption[]): GroupOption[] {
  const kept = options.filter(
    (option, at) => !options.some((other, place) => place !== at && beats(other, option, place < at)),
  );
  if (kept.length <= MOST_OPTIONS) return kept;
  const sorted = kept.toSorted((a, b) => a.bytes - b.bytes || a.loss - b.loss);
  return Array.from({ length: MOST_OPTIONS }, (_, at) => {
    return sorted[Math.round((at * (sorted.length - 1)) / (MOST_OPTIONS - 1))];
  });
}

/** At least as good in everything; of equals the first. */
function beats(a: Option, b: Option, earlier: boolean): boolean {
  if (a.loss > b.loss || a.cycles > b.cycles || a.bytes > b.bytes) return false;
  return earlier || a.loss < b.loss || a.cycles < b.cycles || a.bytes < b.bytes;
}

/** The format of every layer, in the order of the layers. */
export function planOf(
  { layers, groups }: SearchSpace,
  items: readonly (readonly GroupOption[])[],
  choice: readonly number[],
): SearchedFormat[] {
  const plan = new Array<SearchedFormat>(layers.length).fill("W8A8");
  for (const [group, { layers: own }] of groups.entries()) {
    const { formats } = items[group][choice[group]];
    for (const [at, layer] of own.entries()) plan[layer] = formats[at];
  }
  return plan;
}
