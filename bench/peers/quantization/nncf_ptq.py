"""NNCF's post-training quantization of an ONNX model; --accurate: the mixed preset with the accurate bias correction."""
import os
import tempfile

import nncf
import onnx

from common import parse, report, samples, stopwatch
from ort_common import prepared


def main():
    given = parse(__doc__)
    start = stopwatch()
    feeds = samples(given.calibration)
    options = {"preset": nncf.QuantizationPreset.MIXED, "fast_bias_correction": False} if given.accurate else {}
    before = ""

    def quantize(model):
        return nncf.quantize(model, nncf.Dataset(feeds), subset_size=len(feeds), **options)

    try:
        quantized = quantize(onnx.load(given.model))
    except AttributeError:
        # NNCF asks what type a Cast reads, and finds none of a constant. ONNX Runtime folds these, CastLike the second time.
        with tempfile.TemporaryDirectory() as folder:
            once, twice = (os.path.join(folder, name) for name in ("once.onnx", "twice.onnx"))
            before = f"{prepared(given.model, once)}; {prepared(once, twice)}; "
            quantized = quantize(onnx.load(twice))
    onnx.save(quantized, given.out)
    told = ", preset=MIXED, fast_bias_correction=False" if given.accurate else ""
    report("nncf", {"nncf": nncf.__version__}, start, f"{before}nncf.quantize(subset_size={len(feeds)}{told})", given.out)


main()
