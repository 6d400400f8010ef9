"""Trains the quick start's teachers on Fashion-MNIST and writes them as ONNX.

    pip install -r bench/peers/requirements.txt
    python bench/peers/train-fashion-mnist.py --network residual --bf16 --channels-last \
        --output fixtures/fashion-mnist/teacher.onnx
    python bench/peers/train-fashion-mnist.py --network depthwise --channels-last \
        --output fixtures/fashion-mnist/depthwise.onnx

The four IDX files are read from --data, by default where Debian's package
`dataset-fashion-mnist` puts them. The model is exported in eval mode with every
BatchNormalization left in the graph beside its Conv, as a training framework
hands it over, so that a compiler under test has them to fold. The input is
`image` [batch, 1, 28, 28] in 0..1, the output `logits` [batch, 10].

The accuracy printed is that of the last epoch on the 10,000 test images: no
epoch is picked by it.
"""

import argparse
import gzip
import math
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

DATA = "/usr/share/datasets/fashion-mnist"


def read_idx(path):
    with gzip.open(path, "rb") as stream:
        raw = stream.read()
    rank = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape).copy()


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = Stage(
                conv=nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                bn=nn.BatchNorm2d(outputs),
            )
        self.relu2 = nn.ReLU()

    def forward(self, x):
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu2(y + (x if self.shortcut is None else self.shortcut(x)))


class SeparableBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU()
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()

    def forward(self, x):
        x = self.relu1(self.bn1(self.depthwise(x)))
        return self.relu2(self.bn2(self.pointwise(x)))


class Stage(nn.Module):
    """Named modules in a row; the names become the ONNX node names."""

    def __init__(self, **modules):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


def stem(outputs, stride):
    return Stage(
        conv=nn.Conv2d(1, outputs, 3, stride, 1, bias=False),
        bn=nn.BatchNorm2d(outputs),
        relu=nn.ReLU(),
    )


def residual():
    return Stage(
        stem=stem(16, 1),
        stage1=Stage(block0=ResidualBlock(16, 16, 1)),
        stage2=Stage(block0=ResidualBlock(16, 32, 2), block1=ResidualBlock(32, 32, 1)),
        stage3=Stage(block0=ResidualBlock(32, 80, 2), block1=ResidualBlock(80, 80, 1)),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        classifier=nn.Linear(80, 10),
    )


def depthwise():
    return Stage(
        stem=stem(16, 2),
        block0=SeparableBlock(16, 32, 1),
        block1=SeparableBlock(32, 64, 2),
        block2=SeparableBlock(64, 64, 1),
        block3=SeparableBlock(64, 128, 2),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        classifier=nn.Linear(128, 10),
    )


NETWORKS = {"residual": (residual, 24, 0.2, 5e-4), "depthwise": (depthwise, 10, 0.2, 1e-4)}


def count_macs(model):
    macs = 0

    def hook(module, _, output):
        nonlocal macs
        if isinstance(module, nn.Conv2d):
            taps = module.weight[0].numel()
            macs += output[0].numel() * taps
        elif isinstance(module, nn.Linear):
            macs += module.weight.numel()

    handles = [m.register_forward_hook(hook) for m in model.modules()]
    model.eval()
    with torch.no_grad():
        model(torch.zeros(1, 1, 28, 28))
    for handle in handles:
        handle.remove()
    return macs


def augment(images, generator, reach=2):
    """Shift by up to `reach` pixels each way, mirror one image in two."""
    count = len(images)
    padded = F.pad(images, (reach,) * 4)
    dy, dx = torch.randint(0, 2 * reach + 1, (2, count, 1), generator=generator)
    steps = torch.arange(28)
    columns = torch.where(
        torch.rand(count, 1, generator=generator) < 0.5, steps, steps.flip(0)
    )
    rows = (steps + dy)[:, :, None]
    columns = (columns + dx)[:, None, :]
    return padded[torch.arange(count)[:, None, None], 0, rows, columns][:, None]


def accuracy(model, images, labels):
    model.eval()
    right = 0
    with torch.no_grad():
        for at in range(0, len(images), 500):
            logits = model(images[at : at + 500].float() / 255)
            right += (logits.argmax(1) == labels[at : at + 500]).sum().item()
    return right / len(images)


def export(model, path):
    """Eval statistics, nothing folded. PRESERVE keeps the exporter's own pass
    from fusing Conv with BatchNormalization."""
    import onnx

    model.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        model.to(memory_format=torch.contiguous_format),
        (torch.zeros(1, 1, 28, 28),),
        str(path),
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=17,
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
        dynamo=False,
    )
    # A block's last BatchNormalization and its shortcut's get the same gradient for
    # their shifts, so these stay equal, and the exporter writes one of them as an
    # Identity of the other: give each its own initializer again.
    proto = onnx.load(path)
    weights = {weight.name: weight for weight in proto.graph.initializer}
    for node in [n for n in proto.graph.node if n.op_type == "Identity" and n.input[0] in weights]:
        copy = proto.graph.initializer.add()
        copy.CopyFrom(weights[node.input[0]])
        copy.name = node.output[0]
        proto.graph.node.remove(node)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def verify(model, path, images, labels):
    """The same images through ONNX Runtime, against PyTorch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    model.eval()
    right, worst = 0, 0.0
    for at in range(0, len(images), 500):
        batch = images[at : at + 500].float() / 255
        logits = session.run(["logits"], {"image": batch.numpy()})[0]
        with torch.no_grad():
            worst = max(worst, float(np.abs(model(batch).numpy() - logits).max()))
        right += int((logits.argmax(1) == labels[at : at + 500].numpy()).sum())
    print(f"onnxruntime accuracy {right / len(images):.4f}, worst logit difference {worst:.2e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="residual")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(DATA))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", type=pathlib.Path, help="kept after each epoch, resumed from")
    parser.add_argument("--steps", type=int, help="stop after this many steps (timing only)")
    parser.add_argument("--export-only", action="store_true", help="export the checkpoint as it is")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--bf16", action="store_true", help="train under bfloat16 autocast")
    options = parser.parse_args()

    build, epochs, peak, decay = NETWORKS[options.network]
    epochs = options.epochs or epochs
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)

    def load(name, kind):
        return torch.from_numpy(read_idx(options.data / f"{name}-{kind}-ubyte.gz"))

    images, labels = load("train", "images-idx3")[:, None], load("train", "labels-idx1").long()
    held, held_labels = load("t10k", "images-idx3")[:, None], load("t10k", "labels-idx1").long()

    model = build()
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{options.network}: {parameters} parameters, {count_macs(model)} MACs", flush=True)
    if options.channels_last:
        model = model.to(memory_format=torch.channels_last)

    # No weight decay on BatchNormalization's scale and shift, nor on biases.
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.SGD(
        [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0}],
        lr=peak, momentum=0.9, nesterov=True,
    )
    per_epoch = len(images) // options.batch
    total = per_epoch * epochs
    warm = per_epoch

    def rate(step):
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    begun, spent = 0, 0.0
    if options.checkpoint and options.checkpoint.exists():
        state = torch.load(options.checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        generator.set_state(state["generator"])
        begun, spent = state["epoch"], state["spent"]
    if options.export_only:
        begun = epochs

    for epoch in range(begun, epochs):
        started = time.monotonic()
        model.train()
        order = torch.randperm(len(images), generator=generator)
        loss_sum = 0.0
        for step in range(per_epoch):
            if step == options.steps:
                print(f"{(time.monotonic() - started) / step * 1000:.1f} ms a step, loss {loss_sum / step:.4f}")
                return
            pick = order[step * options.batch : (step + 1) * options.batch]
            batch = augment(images[pick], generator).float() / 255
            with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
                logits = model(batch)
            loss = F.cross_entropy(logits.float(), labels[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            loss_sum += loss.item()
        spent += time.monotonic() - started
        score = accuracy(model, held, held_labels)
        print(
            f"epoch {epoch + 1}/{epochs}: loss {loss_sum / per_epoch:.4f}, "
            f"test accuracy {score:.4f}, {spent:.0f} s of training",
            flush=True,
        )
        if options.checkpoint:
            partial = options.checkpoint.with_suffix(".partial")
            torch.save(
                {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "generator": generator.get_state(),
                    "epoch": epoch + 1,
                    "spent": spent,
                },
                partial,
            )
            partial.replace(options.checkpoint)

    export(model, options.output)
    print(f"test accuracy {accuracy(model, held, held_labels):.4f}")
    verify(model, options.output, held, held_labels)


if __name__ == "__main__":
    main()
