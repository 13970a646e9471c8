"""Of windows that come stacked, those of which something may come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from edge_agent.result import Reading, Result, Scored
from edge_agent.runtime.inbox import Job
from edge_agent.runtime.reporter import Reporter
from edge_agent.scoring.base import Scorer, StackScorer
from edge_agent.tracking.base import Tracker


def worth_a_look(
    job: Job, results: Sequence[Result], scorer: Scorer, tracker: Tracker, reporter: Reporter
) -> Iterator[tuple[Job, Sequence[Scored]]]:
    """The frame with what counts in it; where windows are stacked, each as if it came by itself.

    A window is left out while nothing is followed and all that there is to it is a reading that
    is not told, since another comes after it. So take in each before the next one is asked for.
    """
    ends = job.frame.ends
    if ends is None or not isinstance(scorer, StackScorer):
        yield job, scorer.apply(job.frame, results)
        return
    last = len(ends) - 1
    judged = zip(scorer.apply_each(job.frame, results), ends.tolist(), strict=True)
    for number, (scored, end) in enumerate(judged):
        if number == last or tracker.active or _tells(scored, end, reporter):
            yield replace(job, frame=job.frame.window(number)), scored


def _tells(scored: Sequence[Scored], timeline: float, reporter: Reporter) -> bool:
    for each in scored:  # noqa: SIM110 - a generator takes three times as long
        if not isinstance(each, Reading) or reporter.is_due(each, timeline):
            return True
    return False
