"""One training step of the bench networks in PyTorch, as `npm run bench:train -- step` times it here.

    pip install -r bench/peers/requirements.txt
    python bench/peers/train/step.py residual-cnn --batch 128 --threads 2

Same layers, sizes and batch as bench/train/networks.ts; the loss's backward pass and an optimizer step are included
(SGD with momentum for the networks of images, AdamW for the GPT). Prints one JSON line: the median of the timed steps,
CPU time beside it, and the peak memory of the process.
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn


def conv_norm(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = conv_norm(inputs, outputs, 3, stride)
        self.second = conv_norm(outputs, outputs, 3)
        same = stride == 1 and inputs == outputs
        self.past = nn.Identity() if same else conv_norm(inputs, outputs, 1, stride)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.past(x))


class Residual(nn.Module):
    shape = (1, 28, 28)

    def __init__(self):
        super().__init__()
        self.stem = conv_norm(1, 16, 3)
        sizes = [(16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 80, 2), (80, 80, 1)]
        self.blocks = nn.Sequential(*[Block(*each) for each in sizes])
        self.classifier = nn.Linear(80, 10)

    def forward(self, x):
        return self.classifier(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        self.expand = nn.Sequential(conv_norm(inputs, wide, 1), nn.ReLU6()) if expansion > 1 else nn.Identity()
        self.deep = nn.Sequential(conv_norm(wide, wide, 3, stride, wide), nn.ReLU6())
        self.project = conv_norm(wide, outputs, 1)
        self.same = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.project(self.deep(self.expand(x)))
        return x + y if self.same else y


class Mobile(nn.Module):
    shape = (3, 32, 32)

    def __init__(self):
        super().__init__()
        layers, inputs = [conv_norm(3, 16, 3), nn.ReLU6()], 16
        for expansion, outputs, repeats, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 2, 2), (6, 64, 2, 2)]:
            for at in range(repeats):
                layers.append(Inverted(inputs, outputs, stride if at == 0 else 1, expansion))
                inputs = outputs
        layers += [conv_norm(64, 256, 1), nn.ReLU6()]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(256, 10)

    def forward(self, x):
        return self.classifier(self.layers(x).mean((2, 3)))


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        parts = self.qkv(self.norm1(x)).split(width, 2)
        q, k, v = [part.view(batch, length, self.heads, -1).transpose(1, 2) for part in parts]
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    vocabulary, context = 96, 128

    def __init__(self, width=192, layers=4, heads=6):
        super().__init__()
        self.embedding = nn.Embedding(self.vocabulary, width)
        self.positions = nn.Parameter(torch.zeros(self.context, width))
        self.layers = nn.Sequential(*[Layer(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, self.vocabulary, bias=False)

    def forward(self, tokens):
        return self.head(self.norm(self.layers(self.embedding(tokens) + self.positions))).flatten(0, 1)


NETWORKS = {"residual-cnn": (Residual, 128), "mobilenet-like": (Mobile, 32), "gpt": (Gpt, 16)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--channels-last", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    build, usual = NETWORKS[options.network]
    batch = options.batch or usual
    model = build()
    if options.network == "gpt":
        x = torch.randint(Gpt.vocabulary, (batch, Gpt.context))
        labels = torch.randint(Gpt.vocabulary, (batch * Gpt.context,))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    else:
        x = torch.rand(batch, *model.shape)
        labels = torch.randint(10, (batch,))
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    if options.channels_last:
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)

    def step():
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    for _ in range(3):
        step()
    walls, cpu = [], time.process_time()
    for _ in range(options.steps):
        begun = time.perf_counter()
        step()
        walls.append((time.perf_counter() - begun) * 1000)
    spent = (time.process_time() - cpu) * 1000 / options.steps
    median = statistics.median(walls)
    print(
        json.dumps(
            {
                "network": options.network,
                "parameters": sum(p.numel() for p in model.parameters()),
                "batch": batch,
                "msPerStep": round(median, 2),
                "cpuMsPerStep": round(spent, 2),
                "samplesPerSecond": round(batch * 1000 / median, 1),
                "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "threads": options.threads,
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
