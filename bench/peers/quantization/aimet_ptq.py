"""AIMET-ONNX's quantization: batch norms folded, a scale a channel; --accurate: Sequential MSE before calibration."""
import aimet_onnx
import onnx
from aimet_onnx.batch_norm_fold import fold_all_batch_norms_to_weight
from aimet_onnx.common.quantsim_config.config_utils import get_path_for_target_config

from common import parse, report, samples, stopwatch


def main():
    given = parse(__doc__)
    start = stopwatch()
    model = onnx.load(given.model)
    fold_all_batch_norms_to_weight(model)
    sim = aimet_onnx.QuantizationSimModel(
        model,
        param_type=aimet_onnx.int8,
        activation_type=aimet_onnx.int8,
        config_file=get_path_for_target_config("default_config_per_channel"),
        providers=["CPUExecutionProvider"],
    )
    feeds = samples(given.calibration)
    if given.accurate:
        aimet_onnx.apply_seq_mse(sim, feeds)
    sim.compute_encodings(feeds)
    onnx.save(sim.to_onnx_qdq(), given.out)
    told = "; apply_seq_mse" if given.accurate else ""
    settings = f"fold_all_batch_norms_to_weight; QuantizationSimModel(int8, int8, default_config_per_channel){told}"
    report("aimet-onnx", {"aimet-onnx": aimet_onnx.__version__}, start, settings, given.out)


main()
