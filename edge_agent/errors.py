"""The error tree. Whether trying again can help is a property of the class.

::

    EdgeAgentError
    ├── ConfigError           the YAML is wrong; carries every problem found   (exit code 78)
    ├── UsageError            the command line is wrong                         (exit code 2)
    ├── ModelError            a model file cannot be read, run or decoded
    ├── DelegateError         an accelerator's library is missing or refuses the model
    ├── InferenceError        the model failed on this input                    retriable
    ├── SignalMismatch        windows or features do not fit what the source gives
    ├── SourceError           a source of frames
    │   ├── SourceUnavailable missing, busy, unplugged, silent, garbled         retriable
    │   │   └── SourceSilent  it was open for long, and nothing came
    │   └── SourceUnusable    it can never work as configured
    ├── OutputError           a result cannot be written (disk full, no access)
    ├── StoreError            the model store cannot do what is asked
    │   └── DownloadError     a model cannot be fetched, for now                retriable
    └── StateError            what must survive a restart cannot be kept
        └── StateInUse        another process keeps it
"""

from __future__ import annotations


class EdgeAgentError(Exception):
    """Base of all errors that a user can meet; the text says what happened and the cure.

    `cure` is one sentence that tells what to do; it is appended in brackets.
    """

    retriable = False
    exit_code = 1

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(f"{message} ({cure})" if cure else message)
        self.message = message
        self.cure = cure


class ConfigError(EdgeAgentError):
    """The configuration is not valid; `problems` holds one line for each mistake."""

    exit_code = 78

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UsageError(EdgeAgentError):
    """The command line asks for something that makes no sense."""

    exit_code = 2


class ModelError(EdgeAgentError):
    """A model file is missing, damaged, unsupported or does not fit its labels or decoder."""


class DelegateError(EdgeAgentError):
    """An accelerator's delegate library cannot be loaded or refuses the model."""


class InferenceError(EdgeAgentError):
    """The model failed on one input."""

    retriable = True


class SignalMismatch(EdgeAgentError):
    """What a pipeline makes of a signal does not fit its rate or its channels."""


class SourceError(EdgeAgentError):
    """A source of frames failed."""


class SourceUnavailable(SourceError):
    """The source is missing, busy, unplugged, silent or sends garbage; try again later."""

    retriable = True


class SourceSilent(SourceUnavailable):
    """The source was open for as long as it may be silent, and nothing came."""


class SourceUnusable(SourceError):
    """The source cannot work as it is configured; trying again will not help."""


class OutputError(EdgeAgentError):
    """A result cannot be written: disk full, no access, unknown format."""


class StoreError(EdgeAgentError):
    """The model store has no such model, is damaged, or cannot be written."""


class DownloadError(StoreError):
    """A model cannot be fetched: offline, refused, cut short; try again later."""

    retriable = True


class StateError(EdgeAgentError):
    """What must survive a restart cannot be kept: no folder, no access, disk full."""


class StateInUse(StateError):
    """Another process keeps its state in the same file."""
