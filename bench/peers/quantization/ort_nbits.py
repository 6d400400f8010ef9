"""onnxruntime.quantization's weight-only quantizers of MatMul, 4 bits, blocks of 128, activations left in float32."""
import os
import tempfile

import onnxruntime
from onnxruntime.quantization import CalibrationDataReader
from onnxruntime.quantization import matmul_nbits_quantizer as nbits
from onnxruntime.quantization.shape_inference import quant_pre_process

from common import parse, report, samples, stopwatch

BLOCK = 128
FLOAT32 = 1


class Reader(CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)

    def __deepcopy__(self, memo):
        return self


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
        prepared = os.path.join(folder, "prepared.onnx")
        quant_pre_process(given.model, prepared)
        quantizer = nbits.MatMulNBitsQuantizer(
            prepared, block_size=BLOCK, is_symmetric=False, accuracy_level=FLOAT32, algo_config=config
        )
        quantizer.process()
        quantizer.model.save_model_to_file(given.out)
    settings = f"quant_pre_process; MatMulNBitsQuantizer(block_size={BLOCK}, accuracy_level={FLOAT32}, {told})"
    report("onnxruntime", {"onnxruntime": onnxruntime.__version__}, start, settings, given.out)


main()
