"""SCALE-Sim on its ResNet-18 topology, output stationary, 96 x 96, memory that keeps up; prints one JSON document.

    python -m venv VENV && VENV/bin/pip install -r bench/peers/requirements-scalesim.txt
    VENV/bin/python bench/peers/scalesim-resnet18.py > bench/peers/results/scalesim-resnet18.json     # 2 minutes

The topology is read from standard input where it is given one (bench/peers/compare.ts --topology prints it).
"""

import contextlib
import csv
import glob
import json
import os
import sys
import tempfile

from scalesim.scale_sim import scalesim

CONFIG = """[general]
run_name = resnet18

[architecture_presets]
ArrayHeight: 96
ArrayWidth: 96
IfmapSramSzkB: 8192
FilterSramSzkB: 8192
OfmapSramSzkB: 8192
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 1000
Dataflow: os
MemoryBanks: 1
ReadRequestBuffer: 64
WriteRequestBuffer: 64

[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2

[sparsity]
SparsitySupport: false
SparseRep: ellpack_block
OptimizedMapping: false
BlockSize: 8
RandomNumberGeneratorSeed: 40

[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""

topology = sys.stdin.read()
with tempfile.TemporaryDirectory() as folder:
    config, layers, layout = (os.path.join(folder, name) for name in ("scale.cfg", "topology.csv", "layout.csv"))
    with open(config, "w") as out:
        out.write(CONFIG)
    with open(layers, "w") as out:
        out.write(topology)
    with open(layout, "w") as out:
        out.write(topology)
    with contextlib.redirect_stdout(sys.stderr):
        simulator = scalesim(
            save_disk_space=True, verbose=False, config=config, topology=layers, layout=layout, input_type_gemm=False
        )
        simulator.run_scale(top_path=folder)
    report = glob.glob(os.path.join(folder, "**", "COMPUTE_REPORT.csv"), recursive=True)[0]
    rows = list(csv.DictReader(open(report), skipinitialspace=True))
names = [line.split(",")[0] for line in topology.splitlines()[1:] if line.strip()]
cycles = [int(float(row["Total Cycles"])) for row in rows]
document = {
    "peer": "scalesim 3.0.0",
    "network": "resnet18",
    "cycles": sum(cycles),
    "layers": [{"name": name, "cycles": count} for name, count in zip(names, cycles)],
}
print(json.dumps(document, indent=1))
