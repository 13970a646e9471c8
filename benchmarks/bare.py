"""The least that has to be done: decode, resize, invoke, read the outputs, one after the other.

`python -m benchmarks.bare MODEL CLIP` prints frames per second and peak memory as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import cv2

from edge_agent.engines.interpreter import find_runtime


def main(model: str, clip: str) -> None:
    """Run the whole clip through the model."""
    interpreter = find_runtime().interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    outputs = [detail["index"] for detail in interpreter.get_output_details()]
    height, width = entry["shape"][1:3].tolist()
    capture = cv2.VideoCapture(clip, cv2.CAP_FFMPEG)
    frames = 0
    start = time.monotonic()
    while True:
        done, image = capture.read()
        if not done:
            break
        if frames == 0:
            start = time.monotonic()
        small = cv2.cvtColor(cv2.resize(image, (width, height)), cv2.COLOR_BGR2RGB)
        interpreter.set_tensor(entry["index"], small[None])
        interpreter.invoke()
        for index in outputs:
            interpreter.get_tensor(index)
        frames += 1
    elapsed = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"fps": frames / elapsed, "frames": frames, "peak_mib": peak / 1024}))


if __name__ == "__main__":
    main(*sys.argv[1:])
