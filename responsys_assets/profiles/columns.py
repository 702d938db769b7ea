"""The columns of profiles: which lists have each, of which type, and the rule that merges it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from responsys_assets.config.models import Priority, Profiles
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError
from responsys_assets.profiles.live import ListExports
from responsys_assets.system_columns import (
    CHANNELS,
    DELIVERABILITY_COLUMNS,
    LISTS,
    PERMISSION_COLUMNS,
    UPDATED_AT,
    Channel,
)

RuleName = Literal[
    "latest",
    "latest_non_empty",
    "priority",
    "smallest",
    "largest",
    "together",
    "deliverability",
    "permission",
]


@dataclass(frozen=True)
class Column:
    """A column of profiles.

    `lists` are the numbers of the lists that contribute: in order of preference for `priority`,
    else in that of the configuration; for `together` those that have the whole group.
    """

    name: str
    kind: str
    rule: RuleName
    lists: tuple[int, ...]


def plan_columns(
    project: Project, sources: Sequence[ListExports], stated: Collection[Channel] = ()
) -> tuple[Column, ...]:
    """The columns of profiles after the match columns, in order.

    `stated` are the channels of which the consent ledger says anything.

    Raises:
        ConfigError: for a name that no list has, or that is two columns in disguise.
    """
    has = [source.columns() for source in sources]
    # what no list has yet may come with the first export of a list that still waits
    all_here = len(sources) == len(project.config.lists)
    if all_here:
        _no_unknown_names(project, has)
    names = list(_names(project.config.profiles, has, stated))
    _no_disguise(project, sources, names)
    columns = []
    for name in names:
        having = _having(has, name)
        if name in PERMISSION_COLUMNS:
            columns.append(Column(name, "text", "permission", having))
        elif name in DELIVERABILITY_COLUMNS:
            columns.append(Column(name, "text", "deliverability", having))
        else:
            kind = _one_type(project, sources, has, name)
            columns.append(_ruled(project.config.profiles, sources, has, name, kind))
    return tuple(columns)


def _names(
    profiles: Profiles, has: Sequence[Mapping[str, object]], stated: Collection[Channel]
) -> Iterator[str]:
    """The chosen columns; permission and deliverability always, wherever any list has them."""
    found = dict.fromkeys(name for columns in has for name in columns)
    if profiles.columns == "all":
        chosen: Iterable[str] = found
    elif profiles.columns == "shared":
        chosen = (name for name in found if all(name in columns for columns in has))
    else:
        # until the list that has it sends its first export, a named column is left out
        chosen = (name for name in profiles.columns if name in found)
    always = [
        name
        for channel in CHANNELS.values()
        for name, there in (
            (channel.permission, channel in stated or channel.permission in found),
            (channel.deliverability, channel.deliverability in found),
        )
        if there
    ]
    every = dict.fromkeys((*chosen, *always))
    return (name for name in every if name not in profiles.match_columns)


def _having(has: Sequence[Mapping[str, object]], name: str) -> tuple[int, ...]:
    return tuple(n for n, columns in enumerate(has) if name in columns)


def _ruled(
    profiles: Profiles,
    sources: Sequence[ListExports],
    has: Sequence[Mapping[str, object]],
    name: str,
    kind: str,
) -> Column:
    having = _having(has, name)
    for group in profiles.together:
        if name in group:
            whole = (n for n in having if all(member in has[n] for member in group))
            return Column(name, kind, "together", tuple(whole))
    rule = profiles.rules.get(name, "latest")
    if isinstance(rule, Priority):
        number = {source.name: n for n, source in enumerate(sources)}
        preferred = dict.fromkeys(number[one] for one in rule.priority if one in number)
        return Column(name, kind, "priority", tuple(n for n in preferred if n in having))
    return Column(name, kind, rule, having)


def _no_unknown_names(project: Project, has: Sequence[Mapping[str, object]]) -> None:
    profiles = project.config.profiles
    known = dict.fromkeys(name for columns in has for name in columns)
    named = [("profiles.rules", name) for name in profiles.rules]
    named += [("profiles.together", name) for group in profiles.together for name in group]
    if isinstance(profiles.columns, tuple):
        named += [("profiles.columns", name) for name in profiles.columns]
    for key, name in named:
        if name not in known and name not in profiles.match_columns:
            close = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else "mend the name or remove it"
            raise _error(project, key, f"no list has a column {name}; {hint}")
    for group in profiles.together:
        if not any(all(name in columns for name in group) for columns in has):
            raise _error(
                project,
                "profiles.together",
                f"no list has all of {', '.join(group)}, so they could never come from one row; "
                "mend the group or remove it",
            )


def _no_disguise(project: Project, sources: Sequence[ListExports], names: Sequence[str]) -> None:
    """No two columns that engines and spreadsheets take for one, and none that the merge makes."""
    used = (*project.config.profiles.match_columns, *names)
    spelled = {name.casefold(): name for name in (UPDATED_AT, LISTS)}
    for name in used:
        other = spelled.setdefault(name.casefold(), name)
        if other in (UPDATED_AT, LISTS):
            raise _disguised(
                project, _list_with(sources, name), name, other, "that the merge makes"
            )
        if other != name:
            place = f"of list {_list_with(sources, other)}"
            raise _disguised(project, _list_with(sources, name), name, other, place)
    # within one file even a column that is left out can hide another one
    spelled |= {c.address.casefold(): c.address for c in CHANNELS.values()}
    for source in sources:
        for name in sorted({name for one in source.sources for name in one.columns}):
            other = spelled.get(name.casefold(), name)
            if other != name and any(other in one.columns for one in source.sources):
                raise _disguised(project, source.name, name, other, "beside it")


def _disguised(project: Project, list_name: str, name: str, other: str, place: str) -> ConfigError:
    return _error(
        project,
        f"lists.{list_name}.rename",
        f"the column {name} of list {list_name} would be taken for the {other} {place}, which is "
        "the same but for case; rename it here",
    )


def _list_with(sources: Sequence[ListExports], name: str) -> str:
    return next(s.name for s in sources if any(name in one.columns for one in s.sources))


def _one_type(
    project: Project,
    sources: Sequence[ListExports],
    has: Sequence[Mapping[str, set[str]]],
    name: str,
) -> str:
    """The type of a column in all lists and exports.

    Raises:
        ConfigError: if there are two, naming where.
    """
    types = [
        (source, kind)
        for source, columns in zip(sources, has, strict=True)
        for kind in sorted(columns.get(name, ()))
    ]
    first, wanted = types[0]
    for source, kind in types[1:]:
        if kind == wanted:
            continue
        if source is first:
            raise _error(
                project,
                f"lists.{source.name}.columns",
                f"{name} is {kind} in {source.file_with(name, kind)} and {wanted} in "
                f"{source.file_with(name, wanted)}: one of them is in force as it was read with "
                "other settings and not read anew; the profiles stay as they are. Put the type "
                f"back, take the file back (`responsys exports {source.name} withdraw FILE`), or "
                f"leave {name} out of profiles.columns",
            )
        raise _error(
            project,
            f"lists.{source.name}.columns",
            f"{name} is {kind} in list {source.name} and {wanted} in list {first.name}; "
            "make them equal or leave it out of profiles.columns",
        )
    return wanted


def _error(project: Project, key: str, message: str) -> ConfigError:
    return ConfigError("columns_do_not_fit", message, file=str(project.file), key=key)
