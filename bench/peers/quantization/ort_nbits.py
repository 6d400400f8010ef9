"""onnxruntime.quantization's weight-only quantizers of MatMul, 4 bits, blocks of 128, activations left in float32."""
import os
import tempfile

import onnxruntime
from onnxruntime.quantization import matmul_nbits_quantizer as nbits

from common import parse, report, samples, stopwatch
from ort_common import Reader, prepared

BLOCK = 128
FLOAT32 = 1


def main():
    choices = ["default", "rtn", "hqq", "gptq"]
    given = parse(__doc__, algorithm={"choices": choices, "default": "default"})
    start = stopwatch()
    config, told = {
        "default": lambda: (nbits.DefaultWeightOnlyQuantConfig(BLOCK, accuracy_level=FLOAT32), "DefaultWeightOnlyQuantConfig"),
        "rtn": lambda: (nbits.RTNWeightOnlyQuantConfig(), "RTNWeightOnlyQuantConfig"),
        "hqq": lambda: (nbits.HQQWeightOnlyQuantConfig(BLOCK), "HQQWeightOnlyQuantConfig"),
        "gptq": lambda: (
            nbits.GPTQWeightOnlyQuantConfig(Reader(samples(given.calibration)), block_size=BLOCK, actorder=True, mse=True),
            "GPTQWeightOnlyQuantConfig(actorder=True, mse=True)",
        ),
    }[given.algorithm]()
    with tempfile.TemporaryDirectory() as folder:
        ready = os.path.join(folder, "prepared.onnx")
        before = prepared(given.model, ready)
        quantizer = nbits.MatMulNBitsQuantizer(
            ready, block_size=BLOCK, is_symmetric=False, accuracy_level=FLOAT32, algo_config=config
        )
        quantizer.process()
        quantizer.model.save_model_to_file(given.out)
    settings = f"{before}; MatMulNBitsQuantizer(block_size={BLOCK}, accuracy_level={FLOAT32}, {told})"
    report("onnxruntime", {"onnxruntime": onnxruntime.__version__}, start, settings, given.out)


main()
