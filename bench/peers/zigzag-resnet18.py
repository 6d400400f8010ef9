"""ZigZag's ResNet-18 on its own tesla_npu_like chip; prints one JSON document.

    python -m venv VENV && VENV/bin/pip install -r bench/peers/requirements-zigzag.txt
    VENV/bin/python bench/peers/zigzag-resnet18.py > bench/peers/results/zigzag-resnet18.json     # 2 to 3 minutes
"""

import contextlib
import json
import logging
import os
import sys
import tempfile

import zigzag
from zigzag.api import get_hardware_performance_zigzag

inputs = os.path.join(os.path.dirname(zigzag.__file__), "inputs")
logging.disable(logging.CRITICAL)


def run(locality: bool):
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        energy, cycles, models = get_hardware_performance_zigzag(
            f"{inputs}/workload/resnet18.onnx",
            f"{inputs}/hardware/tesla_npu_like.yaml",
            f"{inputs}/mapping/tesla_npu_like.yaml",
            dump_folder=folder,
            exploit_data_locality=locality,
            loma_show_progress_bar=False,
        )
    layers = [
        {"name": model.layer.name, "cycles": model.latency_total2, "computeCycles": model.latency_total0}
        for model, _ in models[0][1]
    ]
    return {"cycles": cycles, "energyPicojoules": energy, "layers": layers}


document = {"peer": "zigzag-dse 3.9.1", "network": "resnet18", "alone": run(False), "dataLocality": run(True)}
print(json.dumps(document, indent=1))
