/** Reference networks of the back end, by name. Post stages ride on their producers, as after fusion. */
import type { Graph } from "../../src/ir/graph.ts";
import { Network, type Value } from "./builder.ts";

function resNet50(): Graph {
  const net = new Network("resnet50");
  let x = net.conv(net.input("x", [1, 3, 224, 224]), 64, 7, { stride: 2, pad: 3 });
  x = net.pool(x, "MaxPool", 3, 2, 1);
  [3, 4, 6, 3].forEach((blocks, stage) => {
    const width = 64 << stage;
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const shortcut = block === 0 ? net.conv(x, width * 4, 1, { stride }) : x;
      const inner = net.conv(net.conv(x, width, 1), width, 3, { stride });
      x = net.sum(net.conv(inner, width * 4, 1), shortcut);
    }
  });
  const pooled = net.reshape(net.mean(x), [1, 2048]);
  return net.finish([net.linear(pooled, 1000)]);
}

function mobileNetV2(): Graph {
  const net = new Network("mobilenet-v2");
  let x = net.conv(net.input("x", [1, 3, 224, 224]), 32, 3, { stride: 2 });
  const stages = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ];
  for (const [expand, channels, repeats, first] of stages) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const stride = repeat === 0 ? first : 1;
      const hidden = x.shape[1] * expand;
      const wide = expand === 1 ? x : net.conv(x, hidden, 1);
      const deep = net.conv(wide, hidden, 3, { stride, groups: hidden });
      const narrow = net.conv(deep, channels, 1);
      x = stride === 1 && x.shape[1] === channels ? net.sum(narrow, x) : narrow;
    }
  }
  x = net.conv(x, 1280, 1);
  return net.finish([net.linear(net.reshape(net.mean(x), [1, 1280]), 1000)]);
}

function inception(net: Network, x: Value, [a, b1, b, c1, c, d]: readonly number[]): Value {
  return net.concat(
    [
      net.conv(x, a, 1),
      net.conv(net.conv(x, b1, 1), b, 3),
      net.conv(net.conv(x, c1, 1), c, 5),
      net.conv(net.pool(x, "MaxPool", 3, 1, 1), d, 1),
    ],
    1,
  );
}

function googLeNet(name: string, height: number, width: number): Graph {
  const net = new Network(name);
  let x = net.conv(net.input("x", [1, 3, height, width]), 64, 7, { stride: 2, pad: 3 });
  x = net.pool(x, "MaxPool", 3, 2, 1);
  x = net.pool(net.conv(net.conv(x, 64, 1), 192, 3), "MaxPool", 3, 2, 1);
  x = inception(net, x, [64, 96, 128, 16, 32, 32]);
  x = net.pool(inception(net, x, [128, 128, 192, 32, 96, 64]), "MaxPool", 3, 2, 1);
  x = inception(net, x, [192, 96, 208, 16, 48, 64]);
  x = inception(net, x, [160, 112, 224, 24, 64, 64]);
  x = inception(net, x, [128, 128, 256, 24, 64, 64]);
  x = inception(net, x, [112, 144, 288, 32, 64, 64]);
  x = net.pool(inception(net, x, [256, 160, 320, 32, 128, 128]), "MaxPool", 3, 2, 1);
  x = inception(net, x, [256, 160, 320, 32, 128, 128]);
  x = inception(net, x, [384, 192, 384, 48, 128, 128]);
  return net.finish([net.linear(net.reshape(net.mean(x), [1, 1024]), 1000)]);
}

function yoloV8n(): Graph {
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
  let x = silu(net.input("x", [1, 3, 640, 640]), 16, 3, 2);
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

/** One encoder layer: attention and a two-layer perceptron, pre-normalised. */
function encoderLayer(net: Network, x: Value, heads: number): Value {
  const [batch, tokens, width] = x.shape;
  const size = width / heads;
  const normal = net.norm(x);
  const split = (value: Value, perm: readonly number[]) =>
    net.transpose(net.reshape(value, [batch, tokens, heads, size]), perm);
  const query = split(net.linear(normal, width), [0, 2, 1, 3]);
  const key = split(net.linear(normal, width), [0, 2, 3, 1]);
  const value = split(net.linear(normal, width), [0, 2, 1, 3]);
  const mixed = net.matmul(net.softmax(net.matmul(query, key)), value);
  const joined = net.reshape(net.transpose(mixed, [0, 2, 1, 3]), [batch, tokens, width]);
  const attended = net.sum(x, net.linear(joined, width));
  return net.sum(attended, net.linear(net.linear(net.norm(attended), width * 4, true), width));
}

function vitB16(): Graph {
  const net = new Network("vit-b16");
  const patches = net.conv(net.input("x", [1, 3, 224, 224]), 768, 16, { stride: 16, pad: 0 });
  const tokens = net.transpose(net.reshape(patches, [1, 768, 196]), [0, 2, 1]);
  let x = net.concat([net.input("class", [1, 1, 768]), tokens], 1);
  for (let layer = 0; layer < 12; layer++) x = encoderLayer(net, x, 12);
  return net.finish([net.linear(net.slice(net.norm(x), 1, 0, 1), 1000)]);
}

function whisperTinyEncoder(): Graph {
  const net = new Network("whisper-tiny-encoder");
  const sound = net.input("mel", [1, 80, 1, 3000]);
  const first = net.conv(sound, 384, [1, 3], { table: true });
  const wide = net.conv(first, 384, [1, 3], { table: true });
  const halved = net.pool(wide, "MaxPool", 1, 2, 0);
  let x = net.transpose(net.reshape(halved, [1, 384, 1500]), [0, 2, 1]);
  for (let layer = 0; layer < 4; layer++) x = encoderLayer(net, x, 6);
  return net.finish([net.norm(x)]);
}

export const NETWORKS: ReadonlyMap<string, () => Graph> = new Map([
  ["resnet50", resNet50],
  ["mobilenet-v2", mobileNetV2],
  ["googlenet-224", () => googLeNet("googlenet-224", 224, 224)],
  ["googlenet-1280x960", () => googLeNet("googlenet-1280x960", 960, 1280)],
  ["yolov8n", yoloV8n],
  ["vit-b16", vitB16],
  ["whisper-tiny-encoder", whisperTinyEncoder],
]);
