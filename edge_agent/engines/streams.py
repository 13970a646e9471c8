"""Models that remember in variables of their own, such as those of wake words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from numpy.typing import NDArray

from edge_agent.engines.base import Engine, T, Wrapper
from edge_agent.engines.state import Memory


class EnginePerStream(Wrapper):
    """Opens the model once for each stream, since its variables cannot all be taken out of it.

    `memory` is that of the stream in work. Its seat holds the engine, which begins anew with the
    next stream there, and is gone with the seat. `first` is the engine of the stream that comes
    first; `another` opens one more. Where another model takes a seat over, this one has its engine
    back: it may be asked again, when the file is another one already.
    """

    def __init__(self, first: Engine, another: Callable[[], Engine]) -> None:
        super().__init__(first)
        self._spare = [first]
        self._another = another
        self._is_closed = False
        self._opened = WeakSet([first])
        self.memory = Memory()

    def run(self, *tensors: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Outputs in their native dtypes; see `Engine.run`."""
        return self._own().run(*tensors)

    def fill(self, write: Callable[..., T]) -> T:
        """Call `write` with the inputs; see `Engine.fill`."""
        return self._own().fill(write)

    def reset(self) -> None:
        """Forget the stream in work."""
        self._own().reset()

    def give_back(self) -> None:
        """Forget the stream in work; the next one that begins has its engine."""
        own, self.memory = self.memory.seat.own, Memory()
        if own is not None and own[0] is self and not self._spare:
            self._take_back(own[1])

    def close(self) -> None:
        """Free the model of every stream; safe twice."""
        self._is_closed = True
        for engine in list(self._opened):
            engine.close()
        self._spare.clear()

    def _own(self) -> Engine:
        """The engine of the stream, a new one where the seat has none or that of another model."""
        memory, seat = self.memory, self.memory.seat
        if seat.own is None or seat.own[0] is not self:
            if seat.own is not None and isinstance(seat.own[0], EnginePerStream):
                seat.own[0]._take_back(seat.own[1])
            engine = self._spare.pop() if self._spare else self._another()
            self._opened.add(engine)
            seat.own = (self, engine)
        elif seat.stream is not memory.stream:
            seat.own[1].reset()
        seat.stream = memory.stream
        return seat.own[1]

    def _take_back(self, engine: Engine) -> None:
        if not self._is_closed:
            engine.reset()
            self._spare.append(engine)


class Forgetful(Wrapper):
    """Begins anew with each run: what follows in the stream has nothing to do with what was.

    Recurrent layers that were trained on whole windows need it, since TFLite would go on with the
    state that the last window left.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._engine = engine

    def run(self, *tensors: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Outputs in their native dtypes; see `Engine.run`."""
        try:
            return self._engine.run(*tensors)
        finally:
            self._engine.reset()  # not before: the inputs may be filled already

    def fill(self, write: Callable[..., T]) -> T:
        """Call `write` with the inputs; see `Engine.fill`."""
        return self._engine.fill(write)

    def reset(self) -> None:
        """Nothing is left to forget."""

    def close(self) -> None:
        """Free the model; safe twice."""
        self._engine.close()
