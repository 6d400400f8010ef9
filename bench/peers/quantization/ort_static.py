"""
onnxruntime.quantization, static, as its documentation recommends: pre-processing, QDQ, S8S8, a scale a channel; --accurate: ranges
by percentile. (Its entropy calibration has 128 bins for 128 levels, so that it gives the ranges of MinMax.)
"""
import os
import tempfile

import onnxruntime
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

from common import parse, report, samples, stopwatch
from ort_common import Reader, prepared


def main():
    given = parse(__doc__)
    start = stopwatch()
    method = CalibrationMethod.Percentile if given.accurate else CalibrationMethod.MinMax
    with tempfile.TemporaryDirectory() as folder:
        ready = os.path.join(folder, "prepared.onnx")
        before = prepared(given.model, ready)
        quantize_static(
            ready,
            given.out,
            Reader(samples(given.calibration)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=method,
        )
    settings = f"{before}; quantize_static(QDQ, QInt8, QInt8, per_channel=True, {method.name})"
    report("onnxruntime", {"onnxruntime": onnxruntime.__version__}, start, settings, given.out)


main()
