/** The networks that the peers' published figures are for. */
import type { Graph } from "../../src/ir/graph.ts";
import { Network } from "../backend/builder.ts";

/** ResNet-18 at 224 × 224, as ZigZag's own input has it, with the pooling and the additions that ZigZag does not count. */
export function resNet18(): Graph {
  const net = new Network("resnet18");
  let x = net.conv(net.input("x", [1, 3, 224, 224]), 64, 7, { stride: 2, pad: 3 });
  x = net.pool(x, "MaxPool", 3, 2, 1);
  for (let stage = 0; stage < 4; stage++) {
    const width = 64 << stage;
    for (let block = 0; block < 2; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const inner = net.conv(x, width, 3, { stride });
      const shortcut = stride === 2 ? net.conv(x, width, 1, { stride }) : x;
      x = net.sum(net.conv(inner, width, 3), shortcut);
    }
  }
  return net.finish([net.linear(net.reshape(net.mean(x), [1, 512]), 1000)]);
}

/** A layer of SCALE-Sim's topology: no padding. */
export interface ScaleSimLayer {
  readonly name: string;
  readonly size: number;
  readonly kernel: number;
  readonly inputs: number;
  readonly filters: number;
  readonly stride: number;
}

/** ResNet-18 as SCALE-Sim's topologies/conv_nets/Resnet18.csv describes it: convolutions without padding, and the classifier. */
export const SCALESIM_RESNET18: readonly ScaleSimLayer[] = [
  ["Conv1", 224, 7, 3, 64, 2],
  ...["Conv2_1a", "Conv2_1b", "Conv2_2a", "Conv2_2b"].map((name) => [name, 56, 3, 64, 64, 1] as const),
  ["Conv3_1a", 56, 3, 64, 128, 2],
  ["Conv3_1b", 28, 3, 128, 128, 1],
  ["Conv3_s", 56, 1, 64, 128, 2],
  ...["Conv3_2a", "Conv3_2b"].map((name) => [name, 28, 3, 128, 128, 1] as const),
  ["Conv4_1a", 28, 3, 128, 256, 2],
  ["Conv4_1b", 14, 3, 256, 256, 1],
  ["Conv4_s", 28, 1, 128, 256, 2],
  ...["Conv4_2a", "Conv4_2b"].map((name) => [name, 14, 3, 256, 256, 1] as const),
  ["Conv5_1a", 14, 3, 256, 512, 2],
  ["Conv5_1b", 7, 3, 512, 512, 1],
  ["Conv5_s", 14, 1, 256, 512, 2],
  ...["Conv5_2a", "Conv5_2b"].map((name) => [name, 7, 3, 512, 512, 1] as const),
  ["FC", 1, 1, 512, 1000, 1],
].map((row) => {
  const [name, size, kernel, inputs, filters, stride] = row as [string, number, number, number, number, number];
  return { name, size, kernel, inputs, filters, stride };
});

/** One layer alone. SCALE-Sim rounds a window that begins in the image and ends outside up, so the input grows to hold it. */
export function scaleSimGraph({ name, size, kernel, inputs, filters, stride }: ScaleSimLayer): Graph {
  const net = new Network(name);
  const outputs = Math.ceil((size - kernel + stride) / stride);
  const side = (outputs - 1) * stride + kernel;
  return net.finish([net.conv(net.input("x", [1, inputs, side, side]), filters, kernel, { stride, pad: 0 })]);
}
