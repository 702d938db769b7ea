"""`responsys.yaml` to a `Project`; errors name file, line, key and what was expected."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from responsys_assets.config import checks
from responsys_assets.config.environment import environment
from responsys_assets.config.models import Config
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError

DEFAULT_FILE = "responsys.yaml"


class _Loader(yaml.SafeLoader):
    """YAML 1.2 scalars: `no`, `on`, `05:30` and dates stay text, as a reader would expect."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _regex, _first in (
    ("bool", r"true|false|True|False|TRUE|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_regex})$"), list(_first.replace("\0", ""))
    )


def config_path(option: str | None) -> Path:
    """`--config`, else `$RESPONSYS_CONFIG`, else `./responsys.yaml`."""
    return Path(option or os.environ.get("RESPONSYS_CONFIG") or DEFAULT_FILE).absolute()


def load(path: Path, env: Mapping[str, str] | None = None) -> Project:
    """Read and check a configuration; variables come from `.env` beside it and the environment.

    Raises:
        ConfigError: with file, line and key of the first thing that is wrong.
    """
    text = _read(path)
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            "config_syntax",
            f"this is not YAML: {getattr(error, 'problem', None) or error}",
            file=str(path),
            line=mark.line + 1 if mark else None,
        ) from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(
            "config_syntax",
            "expected keys such as account, lists, profiles",
            file=str(path),
            line=1,
        )
    plain = _plain(root, path, ())
    try:
        config = Config.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        # an unknown key often is the missing one, misspelled: it comes first
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        raise _explain(first, root, path) from None
    for problem in checks.problems(config):
        raise _at(root, path, problem.key, problem.message, "config_invalid")
    return Project(config=config, file=path, env=environment(path) if env is None else env)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            "config_missing",
            "there is no configuration here; `responsys init DIR` makes one, "
            "--config or RESPONSYS_CONFIG names another",
            file=str(path),
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(
            "config_unreadable", f"cannot be read: {reason}", file=str(path)
        ) from None


def _plain(node: yaml.Node, path: Path, where: tuple[str, ...]) -> Any:
    """The node as JSON-like data; refuses duplicate keys and keys that are not text."""
    if isinstance(node, yaml.MappingNode):
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key in out:
                raise ConfigError(
                    "config_duplicate_key",
                    "this key occurs twice; keep one",
                    file=str(path),
                    line=line,
                    key=".".join((*where, key)),
                )
            out[key] = _plain(value_node, path, (*where, key))
        return out
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, path, (*where, str(n))) for n, child in enumerate(node.value)]
    tag = node.tag.rsplit(":", 1)[-1]
    text = str(node.value)
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag in ("int", "float"):
        return int(text) if tag == "int" else float(text)
    return text


def _explain(error: ErrorDetails, root: yaml.Node, path: Path) -> ConfigError:
    key = _key_in(root, error["loc"])
    kind = error["type"]
    message = error["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        known = _known_keys(error["loc"])
        close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.6)
        hint = f"; did you mean {close[0]}?" if close else ""
        expected = f" (expected one of {', '.join(sorted(known))})" if known and not close else ""
        return _at(root, path, key, f"unknown key{hint}{expected}", "config_unknown_key")
    if kind == "missing":
        return _at(root, path, key, "this key is required and missing", "config_missing_key")
    if kind == "string_pattern_mismatch" and "\\$" in str(error.get("ctx", {}).get("pattern", "")):
        message = "expected a reference to an environment variable such as ${NAME}, never the value"
    return _at(root, path, key, _lower_first(message), "config_invalid")


def _lower_first(message: str) -> str:
    return message[:1].lower() + message[1:]


def _known_keys(loc: Sequence[int | str]) -> list[str]:
    """Keys that the model at the error's place accepts, read from the JSON Schema."""
    schema: dict[str, Any] = Config.model_json_schema()
    definitions = schema.get("$defs", {})
    nodes = [schema]
    for part in loc[:-1]:
        nodes = [
            child
            for node in _resolved(nodes, definitions)
            for child in (
                node.get("properties", {}).get(part),
                *node.get("patternProperties", {}).values(),
                node.get("additionalProperties"),
                node.get("items"),
            )
            if isinstance(child, dict)
        ] or nodes
    return [key for node in _resolved(nodes, definitions) for key in node.get("properties", {})]


def _resolved(nodes: Sequence[dict[str, Any]], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    out = []
    for node in nodes:
        for option in (*node.get("anyOf", ()), *node.get("oneOf", ()), node):
            reference = option.get("$ref")
            out.append(definitions[reference.rsplit("/", 1)[-1]] if reference else option)
    return out


def _key_in(root: yaml.Node, loc: Sequence[int | str]) -> tuple[str, ...]:
    """The error's place as keys of the file; drops the tags that unions add."""
    node: yaml.Node | None = root
    key: list[str] = []
    for position, part in enumerate(loc):
        child = _child(node, part)
        last = position == len(loc) - 1
        if child is None and not (last and isinstance(node, yaml.MappingNode)):
            continue
        key.append(str(part))
        node = child
    return tuple(key)


def _child(node: yaml.Node | None, part: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and str(part).isdigit():
        return node.value[int(part)] if int(part) < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        children: list[tuple[yaml.Node, yaml.Node]] = node.value
        for key_node, value_node in children:
            if key_node.value == str(part):
                return value_node
    return None


def _at(root: yaml.Node, path: Path, key: Sequence[str], message: str, code: str) -> ConfigError:
    """The error at the deepest part of `key` that the file has."""
    node: yaml.Node | None = root
    line = root.start_mark.line + 1
    for part in key:
        if isinstance(node, yaml.MappingNode):
            for key_node, _ in node.value:
                if key_node.value == part:
                    line = key_node.start_mark.line + 1
        node = _child(node, part)
        if node is None:
            break
        if isinstance(node, yaml.ScalarNode):
            line = node.start_mark.line + 1
    return ConfigError(code, message, file=str(path), line=line, key=".".join(key))
