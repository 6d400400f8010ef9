/** Seeded graphs of two to five layers on chips of all sizes: small enough that every schedule of a space can be tried. */
import { Network, type Value } from "../../bench/backend/builder.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { loadTarget } from "../../src/target/load.ts";
import type { Target } from "../../src/target/schema.ts";

export interface Small {
  readonly graph: Graph;
  readonly target: Target;
  /** What the target was told. */
  readonly set: readonly string[];
  readonly layers: number;
}

type Pick = <T>(list: readonly T[]) => T;

/** Convolutions, depthwise ones, pools and sums, each on the value before it or, now and then, an older one; what none reads is an output. */
function image(net: Network, layers: number, pick: Pick): Value[] {
  const sides = layers <= 3 ? [7, 10, 14, 20, 28] : [6, 7, 9, 12];
  const side = pick(sides);
  const values = [net.input("x", [1, pick([8, 16, 48, 96]), side, side])];
  const unread = new Set<Value>();
  let depthwise = layers > 3;
  for (let layer = 0; layer < layers; layer++) {
    const x = pick([true, true, layers > 3]) ? values[values.length - 1] : pick(values);
    const twin = values.find((other) => other !== x && String(other.shape) === String(x.shape));
    const kind = pick(["point", "point", "wide", "depthwise", "pool", "sum", "sum"]);
    let made: Value;
    if (kind === "sum" && twin) {
      made = net.sum(x, twin);
      unread.delete(twin);
    } else if (kind === "pool" && x.shape[2] > 3) made = net.pool(x, "MaxPool", 3, pick([1, 2]), 1);
    else if (kind === "depthwise" && !depthwise) {
      made = net.conv(x, x.shape[1], 3, { groups: x.shape[1] });
      depthwise = true;
    } else {
      const same = pick([true, false]) ? x.shape[1] : pick([16, 64, 96, 160]);
      made = net.conv(x, same, kind === "wide" ? 3 : 1, { table: pick([true, false, false]) });
    }
    unread.delete(x);
    unread.add(made);
    values.push(made);
  }
  return [...unread];
}

/** Products of matrices, with a softmax between two of them. */
function sequence(net: Network, layers: number, pick: Pick): Value[] {
  let x = net.input("x", [1, pick([8, 24, 96, 130]), pick([16, 64, 96])]);
  const scores = pick([0, 1, layers]);
  for (let layer = 0; layer < layers; layer++) {
    const attends = layer === scores && layer + 2 <= layers;
    if (attends) {
      const weights = net.softmax(net.linear(x, pick([32, 64])));
      x = net.weigh(weights, net.learned([1, weights.shape[2], pick([32, 64])]));
      layer += 2;
    } else x = net.linear(x, pick([32, 96, 200]), pick([true, false]));
  }
  return [x];
}

/** `draw`: another graph of the same seed, where one is too large to be tried in every way. */
export function smallOf(seed: number, draw = 0): Small {
  const random = seededRandom(draw === 0 ? `optimum ${seed}` : `optimum ${seed} ${draw}`);
  const pick: Pick = (list) => list[Math.floor(random() * list.length)];
  const layers = pick([2, 2, 3, 3, 4, 5]);
  const net = new Network(`small ${seed}`);
  const outputs = pick([true, true, true, false]) ? image(net, layers, pick) : sequence(net, layers, pick);
  const array = pick([[], [], ["array.rows=32", "array.columns=32"], ["array.rows=64", "array.columns=128"]]);
  const set = [
    pick(layers <= 3 ? ["sram=32MiB", "sram=1MiB", "sram=64KiB", "sram=32KiB"] : ["sram=32MiB", "sram=1MiB"]),
    ...array,
  ];
  return { graph: net.finish(outputs), target: loadTarget("ai4", { set }), set, layers };
}
