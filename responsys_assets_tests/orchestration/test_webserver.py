"""The UI: whom it answers, and what a read-only one refuses."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_graphql.schema import create_schema
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    is_leaf_type,
    parse,
    validate,
)
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from responsys_assets.orchestration.webserver import Webserver, listen
from responsys_assets_tests.scorecard import Cases

NAMED = "ui.example.com"


@contextmanager
def serving(instance: dg.DagsterInstance, *, read_only: bool) -> Iterator[int]:
    """A webserver without a code location, on a port of its own."""
    with WorkspaceProcessContext(instance, EmptyWorkspaceTarget(), read_only=read_only) as context:
        config = uvicorn.Config(Webserver(context, [NAMED]).create_asgi_app(), log_level="error")
        server = uvicorn.Server(config)
        listener = listen(0)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
            listener.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    folder = tmp_path_factory.mktemp("home")
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        yield instance


@pytest.fixture(scope="module")
def port(home: dg.DagsterInstance) -> Iterator[int]:
    with serving(home, read_only=False) as found:
        yield found


@pytest.fixture(scope="module")
def read_only_port(home: dg.DagsterInstance) -> Iterator[int]:
    with serving(home, read_only=True) as found:
        yield found


def ask(port: int, method: str, path: str, document: Any = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    body = None
    if document is not None:
        body, sent = json.dumps(document), {"Content-Type": "application/json", **sent}
    connection.request(method, path, body, sent)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


@pytest.mark.scorecard(41)
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:3000", "", "[::1]"]
)
@pytest.mark.parametrize("path", ["/", "/graphql", "/server_info", "/logs/x/y.err"])
def test_a_foreign_host_is_refused_on_every_path(port: int, host: str, path: str) -> None:
    """Fails when TrustedHostMiddleware is taken out of `Webserver.build_middleware`."""
    assert ask(port, "GET", path, Host=host)[0] == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:3000", NAMED, f"{NAMED}:443"])
def test_its_own_names_and_those_of_its_proxy_are_answered(port: int, host: str) -> None:
    assert ask(port, "GET", "/server_info", Host=host)[0] == 200


SNEAKED = "/graphql?query=mutation%20%7B__typename%7D"
CROSS = {"Sec_Fetch_Site": "cross-site"}
PICTURE = {**CROSS, "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}
FRAME = {**CROSS, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}


@pytest.mark.scorecard(41)
@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", SNEAKED, PICTURE),
        ("GET", "/", FRAME),
        ("GET", "/server_info", {"Origin": "http://evil.example"}),
        ("GET", "/server_info", {"Origin": "null"}),
        ("POST", SNEAKED, {"Origin": "http://127.0.0.1:1"}),
        ("POST", "/graphql", {"Origin": "https://evil.example", "Content_Type": "text/plain"}),
        ("POST", "/report_asset_materialization/profiles", {"Origin": "http://evil.example"}),
        ("POST", "/report_asset_check/profiles", {**CROSS, "Sec_Fetch_Mode": "no-cors"}),
        ("POST", "/report_asset_observation/profiles", {**CROSS, "Sec_Fetch_Mode": "navigate"}),
    ],
)
def test_what_a_page_of_another_site_asks_for_is_refused(
    port: int, method: str, path: str, headers: dict[str, str]
) -> None:
    """Fails when SameOrigin is taken out of `Webserver.build_middleware`."""
    assert ask(port, method, path, **headers)[0] == 403


def test_a_link_from_another_site_is_followed_and_its_own_pages_are_answered(port: int) -> None:
    link = {**CROSS, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert ask(port, "GET", "/runs", **link)[0] == 200
    own = {"Origin": f"http://127.0.0.1:{port}", "Sec_Fetch_Site": "same-origin"}
    status, text = ask(port, "POST", "/graphql", {"query": "{ __typename }"}, **own)
    assert (status, json.loads(text)) == (200, {"data": {"__typename": "Query"}})


def hail(port: int, **headers: str) -> None:
    """Opens a websocket as the UI does."""
    with connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=["graphql-ws"],  # type: ignore[list-item]
        additional_headers=headers,
    ) as found:
        found.send(json.dumps({"type": "connection_init"}))
        assert json.loads(found.recv()) == {"type": "connection_ack"}


@pytest.mark.scorecard(41)
def test_a_websocket_of_another_site_is_refused(port: int, cases: Cases) -> None:
    """Fails when SameOrigin lets websockets pass."""
    hail(port)
    hail(port, Origin=f"http://127.0.0.1:{port}")
    for origin in cases.each(["http://evil.example", "null", "http://127.0.0.1:1"]):
        with pytest.raises(InvalidStatus, match="403"):
            hail(port, Origin=origin)


@pytest.mark.scorecard(41)
def test_a_websocket_to_a_foreign_host_is_refused(port: int) -> None:
    """Fails when TrustedHostMiddleware is taken out of `Webserver.build_middleware`."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(
            b"GET /graphql HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        assert client.recv(12) == b"HTTP/1.1 400"


SCHEMA: GraphQLSchema = create_schema().graphql_schema


def mutations() -> list[str]:
    kind = SCHEMA.mutation_type
    assert kind is not None
    return [*kind.fields]


def document_of(name: str) -> dict[str, Any]:
    """A complete request of a mutation, with something for everything that it demands."""
    kind = SCHEMA.mutation_type
    assert kind is not None
    arguments = kind.fields[name].args
    needed = {key: each.type for key, each in arguments.items() if demanded(each)}
    declared = ", ".join(f"${key}: {each}" for key, each in needed.items())
    passed = ", ".join(f"{key}: ${key}" for key in needed)
    head = f"mutation ({declared})" if needed else "mutation"
    call = f"{name}({passed})" if needed else name
    selection = " { __typename }"
    if is_leaf_type(inner(kind.fields[name].type)):
        selection = ""
    return {
        "query": f"{head} {{ {call}{selection} }}",
        "variables": {key: something(each) for key, each in needed.items()},
    }


def demanded(argument: Any) -> bool:
    return isinstance(argument.type, GraphQLNonNull)


def inner(kind: Any) -> Any:
    return inner(kind.of_type) if isinstance(kind, GraphQLNonNull | GraphQLList) else kind


def something(kind: GraphQLInputType) -> Any:
    """A value of a type."""
    if isinstance(kind, GraphQLNonNull):
        return something(kind.of_type)
    if isinstance(kind, GraphQLList):
        return [something(kind.of_type)]
    if isinstance(kind, GraphQLInputObjectType):
        return {key: something(each.type) for key, each in kind.fields.items() if demanded(each)}
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    scalars = {"Int": 1, "Float": 1.5, "Boolean": False, "RunConfigData": {}}
    return scalars.get(str(kind), "x")


@pytest.mark.scorecard(41)
@pytest.mark.parametrize("name", mutations())
def test_a_read_only_ui_refuses_every_mutation_of_the_schema(
    read_only_port: int, name: str
) -> None:
    """Fails for those that Dagster's own read-only mode lets pass (logTelemetry, setNuxSeen ...)
    when NoMutations is taken out of `Webserver.build_graphql_validation_rules`."""
    document = document_of(name)
    assert validate(SCHEMA, parse(document["query"])) == []  # nothing else is wrong with it
    status, text = ask(read_only_port, "POST", "/graphql", document)
    answer = json.loads(text)
    assert (status, answer["data"]) == (400, None)
    assert [each["message"] for each in answer["errors"]] == ["this UI is read-only"]


@pytest.mark.scorecard(41)
@pytest.mark.parametrize("kind", ["materialization", "check", "observation"])
def test_a_read_only_ui_takes_no_report_of_an_asset(
    read_only_port: int, port: int, kind: str
) -> None:
    """Fails when `read_only` does not reach Dagster's own context."""
    path = f"/report_asset_{kind}/profiles"
    document = {"passed": True, "check_name": "x", "data_version": "1"}
    assert ask(read_only_port, "POST", path, document)[0] == 401
    assert ask(port, "POST", path, document)[0] == 200


@pytest.mark.scorecard(41)
def test_a_mutation_by_websocket_or_by_address_is_refused_as_well(read_only_port: int) -> None:
    """Fails when the websocket or GET executes mutations of a read-only UI."""
    status, _ = ask(read_only_port, "GET", SNEAKED)
    assert status == 400
    with connect(
        f"ws://127.0.0.1:{read_only_port}/graphql",
        subprotocols=["graphql-ws"],  # type: ignore[list-item]
    ) as found:
        document = document_of("setNuxSeen")
        found.send(json.dumps({"type": "start", "id": "1", "payload": document}))
        assert json.loads(found.recv())["type"] == "error"


@pytest.mark.scorecard(41)
def test_it_listens_on_loopback_only() -> None:
    """Fails when `listen` binds 0.0.0.0."""
    with listen(0) as listener:
        port = listener.getsockname()[1]
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        bound = {row[1] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
    assert bound == {f"0100007F:{port:04X}"}


def test_a_port_that_is_taken_is_replaced_by_a_free_one() -> None:
    with listen(0) as first, listen(first.getsockname()[1]) as second:
        assert second.getsockname()[1] != first.getsockname()[1]
