"""What the peers' scripts share: arguments, calibration data, and the line that says what the quantization took."""
import argparse
import json
import resource
import time

import numpy as np


def parse(description):
    """MODEL.onnx CALIBRATION.npz OUT.onnx: one array of samples for each input, the batch axis of 1 left out."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("model")
    parser.add_argument("calibration")
    parser.add_argument("out")
    parser.add_argument("--accurate", action="store_true", help="the slower of the settings that the peer recommends")
    return parser.parse_args()


def samples(path):
    """Feeds of one sample each, in order."""
    arrays = {name: array for name, array in np.load(path).items()}
    count = len(next(iter(arrays.values())))
    return [{name: array[index : index + 1] for name, array in arrays.items()} for index in range(count)]


def report(peer, versions, start, settings):
    """`start`: time.perf_counter() after the imports, before the model was loaded."""
    line = {
        "peer": peer,
        "versions": versions,
        "settings": settings,
        "ms": round((time.perf_counter() - start) * 1000),
        "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(line))
