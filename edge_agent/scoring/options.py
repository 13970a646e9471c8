"""Options of `smooth:`, `anomaly:` and `reading:` of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from edge_agent.options import Doc, Fraction, Options

Method = Literal["reconstruction", "forecast", "distance", "robust_z"]


@dataclass(frozen=True, slots=True)
class SmoothOptions(Options):
    """How the scores of one window are joined with those before it."""

    average: Annotated[
        int, Ge(1), Le(10_000), Doc("A label's score is the mean of this many windows.")
    ] = 1


@dataclass(frozen=True, slots=True)
class AnomalyOptions(Options):
    """What is normal, and how far from it is an anomaly."""

    method: Annotated[
        Method | Literal["auto"],
        Doc(
            "reconstruction: mean squared difference of the window and what the model makes of it; "
            "forecast: root mean square difference of the rows that came and what the model "
            "predicted of them from the windows before; "
            "distance: from the enrolled normal windows (of what the model puts out, or of the "
            "window itself where there is no model); robust_z: how many robust standard deviations "
            "it is off what it was lately. auto: reconstruction with a model, else robust_z."
        ),
    ] = "auto"
    limit: Annotated[
        float | None,
        Gt(0),
        Doc(
            "Value above which it is an anomaly; default: as `edge-agent calibrate` found it, for "
            "robust_z 6."
        ),
    ] = None
    hysteresis: Annotated[
        float, Ge(0), Lt(1), Doc("It ends once the value is below the limit by this part of it.")
    ] = 0.2
    average: Annotated[
        int, Ge(1), Le(10_000), Doc("The value is the mean of this many windows.")
    ] = 1
    history: Annotated[
        int, Ge(16), Le(100_000), Doc("Windows that tell robust_z what is usual.")
    ] = 500
    quantile: Annotated[
        Fraction, Gt(0.5), Doc("Part of the normal windows that calibration goes by.")
    ] = 0.999
    margin: Annotated[
        float, Ge(1), Doc("The limit that calibration finds is so many times that quantile.")
    ] = 1.5


@dataclass(frozen=True, slots=True)
class ReadingOptions(Options):
    """A number of the model's output, or of the window where there is no model."""

    unit: Annotated[str, Doc("Unit, as subscribers and Home Assistant show it.")] = ""
    output: Annotated[int, Ge(0), Doc("Which of the numbers, counted from 0.")] = 0
    scale: Annotated[float, Doc("The number is multiplied with this ...")] = 1.0
    offset: Annotated[float, Doc("... and this is added.")] = 0.0
    average: Annotated[
        int, Ge(1), Le(10_000), Doc("The reading is the mean of this many windows.")
    ] = 1
    above: Annotated[float | None, Doc("A reading above this is an event, `high`.")] = None
    below: Annotated[float | None, Doc("A reading below this is an event, `low`.")] = None
    hysteresis: Annotated[
        float, Ge(0), Doc("The event ends once the reading is back by this much.")
    ] = 0.0
