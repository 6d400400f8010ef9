"""NNCF's post-training quantization of an ONNX model; --accurate: the mixed preset with the accurate bias correction."""
import nncf
import onnx

from common import parse, report, samples, stopwatch


def main():
    given = parse(__doc__)
    start = stopwatch()
    feeds = samples(given.calibration)
    options = {"preset": nncf.QuantizationPreset.MIXED, "fast_bias_correction": False} if given.accurate else {}
    quantized = nncf.quantize(onnx.load(given.model), nncf.Dataset(feeds), subset_size=len(feeds), **options)
    onnx.save(quantized, given.out)
    told = ", preset=MIXED, fast_bias_correction=False" if given.accurate else ""
    report("nncf", {"nncf": nncf.__version__}, start, f"nncf.quantize(subset_size={len(feeds)}{told})", given.out)


main()
