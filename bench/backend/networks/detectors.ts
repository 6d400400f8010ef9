/** Networks that say what is where in an image. */
import type { Graph } from "../../../src/ir/graph.ts";
import { Network, type Value } from "../builder.ts";

export function yoloV8n(batch = 1): Graph {
  const net = new Network("yolov8n");
  const silu = (x: Value, channels: number, kernel: number, stride = 1) =>
    net.conv(x, channels, kernel, { stride, table: true });
  const block = (x: Value, channels: number, repeats: number, shortcut: boolean) => {
    const both = silu(x, channels, 1);
    const half = channels / 2;
    const parts = [net.slice(both, 1, 0, half), net.slice(both, 1, half, channels)];
    for (let repeat = 0; repeat < repeats; repeat++) {
      const last = parts[parts.length - 1];
      const deep = silu(silu(last, half, 3), half, 3);
      parts.push(shortcut ? net.sum(deep, last) : deep);
    }
    return silu(net.concat(parts, 1), channels, 1);
  };
  let x = silu(net.input("x", [batch, 3, 640, 640]), 16, 3, 2);
  x = block(silu(x, 32, 3, 2), 32, 1, true);
  const third = block(silu(x, 64, 3, 2), 64, 2, true);
  const fourth = block(silu(third, 128, 3, 2), 128, 2, true);
  x = block(silu(fourth, 256, 3, 2), 256, 1, true);
  const reduced = silu(x, 128, 1);
  const pools = [reduced];
  for (let index = 0; index < 3; index++) pools.push(net.pool(pools[index], "MaxPool", 5, 1, 2));
  const fifth = silu(net.concat(pools, 1), 256, 1);
  const up4 = block(net.concat([net.upsample(fifth), fourth], 1), 128, 1, false);
  const out3 = block(net.concat([net.upsample(up4), third], 1), 64, 1, false);
  const out4 = block(net.concat([silu(out3, 64, 3, 2), up4], 1), 128, 1, false);
  const out5 = block(net.concat([silu(out4, 128, 3, 2), fifth], 1), 256, 1, false);
  const heads = [out3, out4, out5].flatMap((scale) => [
    net.conv(silu(silu(scale, 64, 3), 64, 3), 64, 1),
    net.conv(silu(silu(scale, 80, 3), 80, 3), 80, 1),
  ]);
  return net.finish(heads);
}
