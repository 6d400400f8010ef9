"""Gradients of five small networks as PyTorch computes them, stored for test/train/networks.test.ts.

    pip install -r bench/peers/requirements.txt
    python bench/peers/train/gradients.py fixtures/gradients

Each network is exported to ONNX in eval mode, nothing folded, with weights drawn from seed 1. Beside it NAME.json says
where the inputs, the loss and each parameter's gradient lie in NAME.bin (little-endian float32, labels int64). They are
computed in float64 from the float32 weights, in training mode (no dropout), so that what differs is the other side's.
"""

import json
import math
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def conv_norm(inputs, outputs, kernel, stride=1, groups=1):
    pad = (kernel - 1) // 2
    conv = nn.Conv2d(inputs, outputs, kernel, stride, pad, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Basic(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = conv_norm(inputs, outputs, 3, stride)
        self.second = conv_norm(outputs, outputs, 3)
        same = stride == 1 and inputs == outputs
        self.past = nn.Identity() if same else conv_norm(inputs, outputs, 1, stride)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.past(x))


class ResNet18(nn.Module):
    """ResNet-18's layers with 3, 6, 12 and 24 channels instead of 64 to 512."""

    def __init__(self, width=3):
        super().__init__()
        self.stem = conv_norm(3, width, 7, 2)
        layers, inputs = [], width
        for stage in range(4):
            for block in range(2):
                outputs = width * 2**stage
                layers.append(Basic(inputs, outputs, 2 if stage > 0 and block == 0 else 1))
                inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(inputs, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2, 1)
        return self.classifier(F.adaptive_avg_pool2d(self.layers(x), 1).flatten(1))


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


class MobileNetV2(nn.Module):
    """MobileNetV2's seventeen blocks with an eighth of its channels, at least 3."""

    def __init__(self):
        super().__init__()
        stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
        layers, inputs = [conv_norm(3, 4, 3, 2), nn.ReLU6()], 4
        for expansion, channels, repeats, stride in stages:
            for at in range(repeats):
                outputs = max(3, channels // 8)
                layers.append(Inverted(inputs, outputs, stride if at == 0 else 1, expansion))
                inputs = outputs
        layers += [conv_norm(inputs, 32, 1), nn.ReLU6()]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(32, 5)

    def forward(self, x):
        return self.classifier(self.layers(x).mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x, mask=None):
        batch, length, width = x.shape
        size = width // self.heads
        parts = self.qkv(x).reshape(batch, length, 3, self.heads, size).permute(2, 0, 3, 1, 4)
        q, k, v = parts[0], parts[1], parts[2]
        scores = q @ k.transpose(2, 3) / math.sqrt(size)
        if mask is not None:
            scores = scores + mask
        return self.out((scores.softmax(3) @ v).transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, mask=None):
        x = x + self.attention(self.norm1(x), mask)
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Vit(nn.Module):
    """Patches of 4 × 4 of a 12 × 12 image, a class token, one block."""

    def __init__(self, width=16):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.1)
        self.positions = nn.Parameter(torch.randn(1, 10, width) * 0.1)
        self.block, self.norm = Block(width, 2), nn.LayerNorm(width)
        self.classifier = nn.Linear(width, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.classifier(self.norm(self.block(x))[:, 0])


class Gpt(nn.Module):
    """Characters, one causal block."""

    def __init__(self, width=16, length=10, vocabulary=20):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(length, width) * 0.1)
        self.block, self.norm = Block(width, 2), nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.register_buffer("mask", torch.full((length, length), -1e9).triu(1))

    def forward(self, tokens):
        return self.head(self.norm(self.block(self.embedding(tokens) + self.positions, self.mask)))


class Lstm(nn.Module):
    """Two layers, the first in both directions; the last step is classified."""

    def __init__(self):
        super().__init__()
        self.first = nn.LSTM(6, 8, bidirectional=True)
        self.second = nn.LSTM(16, 10)
        self.classifier = nn.Linear(10, 5)

    def forward(self, x):
        y, _ = self.first(x)
        y, _ = self.second(y)
        return self.classifier(y[-1])


def images(batch, size):
    return torch.randn(batch, 3, size, size), torch.randint(5, (batch,))


NETWORKS = {
    "resnet18": (ResNet18, lambda: images(4, 48)),
    "mobilenet-v2": (MobileNetV2, lambda: images(4, 48)),
    "vit-block": (Vit, lambda: images(3, 12)),
    "gpt-block": (Gpt, lambda: (torch.randint(20, (2, 10)), torch.randint(20, (2, 10)))),
    "lstm": (Lstm, lambda: (torch.randn(7, 3, 6), torch.randint(5, (3,)))),
}


def export(model, x, path):
    model.eval()
    torch.onnx.export(
        model,
        (x,),
        str(path),
        input_names=["x"],
        output_names=["scores"],
        opset_version=17,
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
        dynamo=False,
    )


def own_initializers(path, names):
    """The exporter writes equal tensors once and the others as Identity of the first: give each its own again."""
    import onnx

    proto = onnx.load(path)
    weights = {weight.name: weight for weight in proto.graph.initializer}
    for node in [n for n in proto.graph.node if n.op_type == "Identity" and n.input[0] in weights]:
        copy = proto.graph.initializer.add()
        copy.CopyFrom(weights[node.input[0]])
        copy.name = node.output[0]
        proto.graph.node.remove(node)
    missing = set(names) - {weight.name for weight in proto.graph.initializer}
    assert not missing, missing
    onnx.save(proto, path)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, (build, draw) in NETWORKS.items():
        torch.manual_seed(1)
        model = build()
        # Scales and shifts that are not 1 and 0, so that a gradient that forgets them is seen.
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.data += 0.2 * torch.randn_like(parameter)
        x, labels = draw()
        names = [each for each, _ in model.named_parameters()]
        export(model, x, folder / f"{name}.onnx")
        own_initializers(folder / f"{name}.onnx", names)
        model = model.double().train()
        given = x.double() if x.is_floating_point() else x
        scores = model(given)
        loss = F.cross_entropy(scores.flatten(0, -2), labels.flatten())
        loss.backward()
        tensors, parts, offset = [], [], 0

        def put(what, array):
            nonlocal offset
            data = np.ascontiguousarray(array)
            tensors.append({"name": what, "dtype": str(data.dtype), "shape": list(data.shape), "offset": offset})
            parts.append(data.tobytes())
            offset += data.nbytes

        # Eight bytes an element first, so that every view is aligned.
        put("labels", labels.numpy())
        put("x", x.numpy())
        for each, parameter in model.named_parameters():
            put(f"gradient/{each}", parameter.grad.float().numpy())
        (folder / f"{name}.bin").write_bytes(b"".join(parts))
        index = {"seed": 1, "torch": torch.__version__, "loss": loss.item(), "tensors": tensors}
        (folder / f"{name}.json").write_text(json.dumps(index) + "\n")
        print(name, sum(p.numel() for p in model.parameters()), loss.item())


if __name__ == "__main__":
    main()
