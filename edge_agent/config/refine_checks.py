"""What no single value can tell of `refine:`, the second models of a pipeline."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.config.checks import Check, entries, pipeline_maps, text_at, texts_at
from edge_agent.config.problem import Mistake, did_you_mean, quoted
from edge_agent.config.yaml_tree import Mapping


def second_models(root: Mapping) -> Iterator[Mistake]:
    """They must be defined, and others than the main one."""
    known = entries(root, "models")
    for pipeline, name in pipeline_maps(root, "refine"):
        path = ("pipelines", pipeline, "refine", name)
        if name not in known:
            hint = did_you_mean(name, known) or "define it under models:"
            yield Mistake(path, f"{quoted(name)} is not among the models", hint, at_key=True)
        elif name == text_at(root, "pipelines", pipeline, "model"):
            message = "is the model that finds the objects, so it cannot name them more closely"
            yield Mistake(path, message, "name a classifier", at_key=True)


def refined_labels(root: Mapping) -> Iterator[Mistake]:
    """Only what counts can be looked at."""
    for pipeline, name in pipeline_maps(root, "refine"):
        counted = texts_at(root, ("pipelines", pipeline, "labels"))
        path = ("pipelines", pipeline, "refine", name, "labels")
        for i, label in enumerate(texts_at(root, path) if counted else ()):
            if label not in counted:
                message = f"{quoted(label)} is not among the labels of the pipeline"
                yield Mistake((*path, i), message, did_you_mean(label, counted))


def shared_labels(root: Mapping) -> Iterator[Mistake]:
    """An object has one name: two second models cannot both give it."""
    for pipeline in entries(root, "pipelines"):
        looked_at: dict[str, set[str]] = {}
        for name in entries(root, "pipelines", pipeline, "refine"):
            path = ("pipelines", pipeline, "refine", name)
            labels = set(texts_at(root, (*path, "labels")))
            for other, theirs in looked_at.items():
                shared = sorted(labels & theirs) if labels and theirs else ["every label"]
                if shared:
                    message = f"looks at {shared[0]}, as {quoted(other)} does already"
                    yield Mistake(path, message, "give each labels of its own", at_key=True)
                    break
            looked_at[name] = labels


ERRORS: tuple[Check, ...] = (second_models, refined_labels, shared_labels)
