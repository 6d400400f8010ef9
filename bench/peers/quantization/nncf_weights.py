"""NNCF's weight compression of an ONNX model to 4 bits; --accurate: AWQ and scale estimation on the calibration samples."""
import nncf
import onnx

from common import parse, report, samples, stopwatch


def main():
    given = parse(__doc__)
    start = stopwatch()
    feeds = samples(given.calibration)
    options = {"dataset": nncf.Dataset(feeds), "subset_size": len(feeds), "awq": True, "scale_estimation": True}
    compressed = nncf.compress_weights(
        onnx.load(given.model),
        mode=nncf.CompressWeightsMode.INT4_SYM,
        group_size=128,
        advanced_parameters=nncf.AdvancedCompressionParameters(
            group_size_fallback_mode=nncf.GroupSizeFallbackMode.ADJUST
        ),
        **(options if given.accurate else {}),
    )
    onnx.save(compressed, given.out)
    told = ", awq, scale_estimation" if given.accurate else ""
    settings = f"nncf.compress_weights(INT4_SYM, group_size=128{told})"
    report("nncf", {"nncf": nncf.__version__}, start, settings, given.out)


main()
