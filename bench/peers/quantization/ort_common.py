"""What the scripts of onnxruntime.quantization share."""
from onnxruntime.quantization import CalibrationDataReader
from onnxruntime.quantization.shape_inference import quant_pre_process


class Reader(CalibrationDataReader):
    """Feeds one after the other; a copy of it is itself."""

    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)

    def __deepcopy__(self, memo):
        return self


def prepared(model, out):
    """ONNX Runtime's pre-processing, as far as it takes the model; gives the call that did it."""
    try:
        quant_pre_process(model, out)
        return "quant_pre_process"
    except Exception:
        quant_pre_process(model, out, skip_symbolic_shape=True)
        return "quant_pre_process(skip_symbolic_shape=True)"
