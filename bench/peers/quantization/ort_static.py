"""onnxruntime.quantization, static, as its documentation recommends: pre-processing, QDQ, S8S8, a scale a channel."""
import os
import tempfile

import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from common import parse, report, samples, stopwatch


class Reader(CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def main():
    given = parse(__doc__)
    start = stopwatch()
    method = CalibrationMethod.Entropy if given.accurate else CalibrationMethod.MinMax
    with tempfile.TemporaryDirectory() as folder:
        prepared = os.path.join(folder, "prepared.onnx")
        quant_pre_process(given.model, prepared)
        quantize_static(
            prepared,
            given.out,
            Reader(samples(given.calibration)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=method,
        )
    settings = f"quant_pre_process; quantize_static(QDQ, QInt8, QInt8, per_channel=True, {method.name})"
    report("onnxruntime", {"onnxruntime": onnxruntime.__version__}, start, settings)


main()
