"""Fills `${...}` in the values of a configuration from outside the file.

- `${VAR}` and `${VAR:-default}`: the environment; the default also stands in for an empty one
- `${credential:NAME}`: a systemd credential (LoadCredential=), read from $CREDENTIALS_DIRECTORY
- `${file:PATH}`: the content of a file, relative to the configuration's folder
- `$$`: a dollar sign

A replaced text is never looked at again, and never shown: it may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Environment
from dataclasses import replace
from pathlib import Path

from edge_agent.config.problem import YamlPath, quoted
from edge_agent.config.yaml_tree import Mapping, Node, Scalar, Sequence

MAX_FILE = 64 * 1024

_PIECE = re.compile(r"\$\$|\$\{([^{}]*)\}|\$\{")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_.@-]+")
_FORMS = "the forms are ${VAR}, ${VAR:-default}, ${credential:NAME} and ${file:PATH}; $$ is a $"


class Unfilled(Exception):
    """A `${...}` that cannot be filled; `args` are message and hint, free of any value."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint


class Substitution:
    """Fills texts from one environment and one folder."""

    def __init__(self, environ: Environment[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder
        self.failures: list[tuple[YamlPath, Scalar, Unfilled]] = []
        self._done: dict[int, Node] = {}

    def tree(self, node: Node, path: YamlPath = ()) -> Node:
        """The tree with every `${...}` filled; what cannot be is kept and noted in `failures`.

        Nodes that aliases share are filled, and fail, once.
        """
        if id(node) not in self._done:
            self._done[id(node)] = self._filled(node, path)
        return self._done[id(node)]

    def _filled(self, node: Node, path: YamlPath) -> Node:
        if isinstance(node, Mapping):
            return replace(
                node, items={key: self.tree(item, (*path, key)) for key, item in node.items.items()}
            )
        if isinstance(node, Sequence):
            return replace(
                node, items=tuple(self.tree(item, (*path, i)) for i, item in enumerate(node.items))
            )
        return self._scalar(node, path)

    def _scalar(self, node: Scalar, path: YamlPath) -> Scalar:
        if not isinstance(node.value, str) or "$" not in node.value:
            return node
        try:
            text = self.text(node.value)
        except Unfilled as error:
            self.failures.append((path, node, error))
            return replace(node, secret=True)
        return replace(node, text=text, value=text, secret="${" in node.value)

    def text(self, template: str) -> str:
        """The text with every `${...}` filled; raises Unfilled."""
        return _PIECE.sub(self._piece, template)

    def _piece(self, match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if match[1] is None:
            raise Unfilled("a '${' without its '}'", _FORMS)
        kind, colon, name = match[1].partition(":")
        if colon and kind == "credential":
            return self._credential(name)
        if colon and kind == "file":
            return self._file(name)
        return self._variable(match[1])

    def _variable(self, inside: str) -> str:
        match = _VARIABLE.fullmatch(inside)
        if match is None:
            raise Unfilled("a '${...}' that is none of ours", _FORMS)
        name, default = match.groups()
        value = self._environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            raise Unfilled(
                f"the environment variable {name} is not set",
                f"export {name}, or write ${{{name}:-default}}",
            )
        return value

    def _file(self, name: str) -> str:
        try:
            path = self._folder / Path(name).expanduser()
        except RuntimeError:
            raise Unfilled(f"{quoted(name)}: nobody has this home folder", _FORMS) from None
        return _read(path, f"${{file:{name}}}")

    def _credential(self, name: str) -> str:
        folder = self._environ.get("CREDENTIALS_DIRECTORY")
        cure = f"add LoadCredential={name}:/path/of/the/secret to the systemd unit"
        if not _NAME.fullmatch(name) or name in (".", ".."):
            raise Unfilled(f"{quoted(name)} is no name of a credential", _FORMS)
        if not folder:
            by_hand = "by hand: CREDENTIALS_DIRECTORY=/folder/of/the/secret edge-agent ..."
            what = f"the credential {name} needs systemd's $CREDENTIALS_DIRECTORY"
            raise Unfilled(what, f"{by_hand}; as a service: {cure}")
        return _read(Path(folder) / name, f"the credential {name}", cure)


def _read(path: Path, what: str, cure: str = "") -> str:
    """Text of a small file without its trailing line break."""
    try:
        if not path.is_file():  # a pipe or device could block for ever
            raise Unfilled(f"{what}: no such file", cure or f"it is looked for at {path}")
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE + 1)
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Unfilled(f"{what} is not UTF-8 text", "store the secret as plain text") from None
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise Unfilled(f"{what}: {reason}", f"check the access rights of {path}") from None
    except ValueError:
        raise Unfilled("no file can have this name", _FORMS) from None
    if len(content) > MAX_FILE:
        raise Unfilled(f"{what} is larger than {MAX_FILE // 1024} KiB", "point it at a small file")
    return text.removesuffix("\n").removesuffix("\r")
