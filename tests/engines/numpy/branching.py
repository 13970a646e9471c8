"""Random graphs of int8 operators with branches, for which it matters who shares memory."""

from __future__ import annotations

import numpy as np

from tests.engines.numpy.random_graphs import Random
from tests.support.tflite_writer import GraphDef, OpDef, TensorDef

CONV, POOL, CONCATENATION, ADD, PAD, RESHAPE, DEPTHWISE, DENSE = 1, 5, 10, 11, 22, 17, 2, 8
"""Numbers of the options' types in the schema."""

SIDE, DEPTH = 48, 8
"""With margins, such a tensor is large enough to be shared."""

SHAPE = (1, SIDE, SIDE, DEPTH)


class Branching:
    """Grows operator by operator; each takes tensors that are there already."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.tensors = [TensorDef("x", SHAPE, "INT8", None, [0.05], [3])]
        self.operators: list[OpDef] = []
        self.whole = [0]
        """Tensors of the shape that all operators take."""

    def graph(self, count: int) -> GraphDef:
        """A graph of so many random steps; the last tensor and a random one are its outputs."""
        steps = (self.conv, self.depthwise, self.add, self.pad, self.reshape, self.join)
        for _ in range(count):
            steps[int(self.random.integers(len(steps)))]()
        outputs = {self.whole[-1], int(self.random.choice(self.whole[1:]))}
        return GraphDef(self.tensors, self.operators, (0,), sorted(outputs))

    def any(self) -> int:
        """A tensor, most likely a late one."""
        return self.whole[-min(len(self.whole), int(self.random.geometric(0.4)))]

    def new(self, shape: tuple[int, ...] = SHAPE, zero: int | None = None) -> int:
        """Another computed tensor."""
        zero = int(self.random.integers(-20, 20)) if zero is None else zero
        self.tensors.append(TensorDef(f"t{len(self.tensors)}", shape, "INT8", None, [0.05], [zero]))
        return len(self.tensors) - 1

    def constant(self, shape: tuple[int, ...], kind: str = "INT8", most: int = 128) -> int:
        """Random weights or biases."""
        numbers = self.random.integers(-most, most, shape)
        data = numbers.astype(np.int8 if kind == "INT8" else np.int32)
        count = shape[0] if len(shape) == 4 else 1
        scales = self.random.uniform(1e-3, 6e-3, count).tolist() if kind == "INT8" else ()
        zeros = [0] * len(scales)
        self.tensors.append(TensorDef(f"c{len(self.tensors)}", shape, kind, data, scales, zeros))
        return len(self.tensors) - 1

    def conv(self, source: int | None = None, depth: int = DEPTH, filters: int = DEPTH) -> None:
        """3 x 3 with SAME padding, or 1 x 1."""
        side = int(self.random.choice([1, 3]))
        source = self.any() if source is None else source
        weights = self.constant((filters, side, side, depth))
        bias, y = self.constant((filters,), "INT32", 2000), self.new((*SHAPE[:3], filters))
        options = {1: ("<i", 1), 2: ("<i", 1)}
        self.operators.append(OpDef("CONV_2D", (source, weights, bias), (y,), CONV, options))
        if filters == DEPTH:
            self.whole.append(y)

    def depthwise(self) -> None:
        """3 x 3 with SAME padding, channel by channel."""
        weights, bias = self.constant((1, 3, 3, DEPTH)), self.constant((DEPTH,), "INT32", 2000)
        inputs, y = (self.any(), weights, bias), self.new()
        options = {1: ("<i", 1), 2: ("<i", 1), 3: ("<i", 1)}
        self.operators.append(OpDef("DEPTHWISE_CONV_2D", inputs, (y,), DEPTHWISE, options))
        self.whole.append(y)

    def add(self) -> None:
        """The sum of two tensors, or of one with itself."""
        inputs, y = (self.any(), self.any()), self.new()
        self.operators.append(OpDef("ADD", inputs, (y,), ADD, {}))
        self.whole.append(y)

    def pad(self) -> None:
        """A border, and a pooling that takes it off again."""
        x = self.any()
        zero = self.tensors[x].zero_point[0]
        wide, y = self.new((1, SIDE + 1, SIDE + 1, DEPTH), zero), self.new(zero=zero)
        data = np.array([[0, 0], [0, 1], [1, 0], [0, 0]], np.int32)
        self.tensors.append(TensorDef("pads", (4, 2), "INT32", data))
        self.operators.append(OpDef("PAD", (x, len(self.tensors) - 1), (wide,), PAD, {}))
        options = {0: ("<b", 1), 1: ("<i", 1), 2: ("<i", 1), 3: ("<i", 2), 4: ("<i", 2)}
        self.operators.append(OpDef("MAX_POOL_2D", (wide,), (y,), POOL, options))
        self.whole.append(y)

    def reshape(self) -> None:
        """To another shape and back: views of the same memory."""
        x = self.any()
        zero = self.tensors[x].zero_point[0]
        flat, y = self.new((1, SIDE * SIDE * DEPTH), zero), self.new(zero=zero)
        for source, target in ((x, flat), (flat, y)):
            self.operators.append(OpDef("RESHAPE", (source,), (target,), RESHAPE, {}))
        self.whole.append(y)

    def join(self) -> None:
        """Two tensors side by side, and a convolution of both."""
        x = self.any()
        wide = self.new((*SHAPE[:3], 2 * DEPTH), self.tensors[x].zero_point[0])
        self.operators.append(
            OpDef("CONCATENATION", (x, x), (wide,), CONCATENATION, {0: ("<i", 3)})
        )
        self.conv(wide, 2 * DEPTH)
