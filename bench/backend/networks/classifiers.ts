/** Networks that say what an image shows. */
import type { Graph } from "../../../src/ir/graph.ts";
import { Network, type Value } from "../builder.ts";

export function resNet50(batch = 1): Graph {
  const net = new Network("resnet50");
  let x = net.conv(net.input("x", [batch, 3, 224, 224]), 64, 7, { stride: 2, pad: 3 });
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
  const pooled = net.reshape(net.mean(x), [batch, 2048]);
  return net.finish([net.linear(pooled, 1000)]);
}

export function mobileNetV2(batch = 1): Graph {
  const net = new Network("mobilenet-v2");
  let x = net.conv(net.input("x", [batch, 3, 224, 224]), 32, 3, { stride: 2 });
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
  return net.finish([net.linear(net.reshape(net.mean(x), [batch, 1280]), 1000)]);
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

export function googLeNet(name: string, height: number, width: number, batch = 1): Graph {
  const net = new Network(name);
  let x = net.conv(net.input("x", [batch, 3, height, width]), 64, 7, { stride: 2, pad: 3 });
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
  return net.finish([net.linear(net.reshape(net.mean(x), [batch, 1024]), 1000)]);
}
