"""Dagster's UI for the people of this machine alone, with its daemon and its code server.

Dagster's webserver asks nobody who they are and answers to any name: a page that somebody
visits could read it (DNS rebinding, which shows in `Host`) or make it act (a request across
sites, which shows in `Origin` and `Sec-Fetch-Site`). Both are refused here.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
import yaml
from dagster import DagsterInstance
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from graphql import ASTValidationRule, GraphQLError, OperationDefinitionNode, OperationType
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from responsys_assets.errors import ResponsysError
from responsys_assets.pgp.process import dying_with_us

LOOPBACK = "127.0.0.1"
_OWN_NAMES = (LOOPBACK, "localhost")
_LOCATION = "responsys_assets.definitions"
_STATEMENT_MS, _RECYCLE_SECONDS, _OVERFLOW = 15_000, 3600, 20  # as Dagster's own command has them


class SameOrigin:
    """Refuses what a page of another site asks for, except to be followed as a link."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and _is_foreign(scope):
            refusal = PlainTextResponse("requests of other sites are refused", status_code=403)
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_foreign(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        return True
    if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return False
    return (
        scope.get("method") != "GET"
        or headers.get("sec-fetch-mode") != "navigate"
        or headers.get("sec-fetch-dest") != "document"
    )


class NoMutations(ASTValidationRule):
    """Refuses every operation that could change something, whatever Dagster thinks of it."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        if node.operation is OperationType.MUTATION:
            self.report_error(GraphQLError("this UI is read-only", node))


class Webserver(DagsterWebserver[WorkspaceProcessContext, Any]):
    """Dagster's webserver, which answers to `hosts` and to no other site."""

    def __init__(self, context: WorkspaceProcessContext, hosts: Sequence[str]) -> None:
        self._hosts = [*_OWN_NAMES, *hosts]
        super().__init__(context, live_data_poll_rate=2000)

    def build_middleware(self) -> list[Middleware]:
        return [
            Middleware(TrustedHostMiddleware, allowed_hosts=self._hosts, www_redirect=False),
            Middleware(SameOrigin),
            *super().build_middleware(),
        ]

    def build_graphql_validation_rules(self) -> Collection[type[ASTValidationRule]]:
        rules = super().build_graphql_validation_rules()
        return [*rules, NoMutations] if self._process_context.read_only else rules


def listen(port: int) -> socket.socket:
    """A socket on loopback, on this port or, if it is taken, on any free one."""
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError:
        return socket.create_server((LOOPBACK, 0))


def serve(listener: socket.socket, *, hosts: Sequence[str] = (), read_only: bool = False) -> bool:
    """The UI and, unless it is `read_only`, the daemon, until the process is told to end.

    The instance is that of `$DAGSTER_HOME`. Returns whether it ended because it was told to,
    and not because the daemon died.
    """
    warnings.simplefilter("ignore")  # Dagster's own are nothing for users
    with ExitStack() as stack:
        instance = stack.enter_context(_instance())
        instance.optimize_for_webserver(_STATEMENT_MS, _RECYCLE_SECONDS, _OVERFLOW)
        workspace = stack.enter_context(_code_server(instance))
        context = stack.enter_context(
            WorkspaceProcessContext(
                instance,
                WorkspaceFileTarget([str(workspace)]),
                version=__version__,
                read_only=read_only,
            )
        )
        app = Webserver(context, hosts).create_asgi_app()
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        daemon = None if read_only else stack.enter_context(_daemon(workspace, server))
        with suppress(KeyboardInterrupt):  # raised again once everybody was answered
            server.run(sockets=[listener])
        return daemon is None or daemon.poll() is None


def _instance() -> DagsterInstance:
    try:
        return DagsterInstance.get()
    except Exception as error:  # noqa: BLE001 - whatever the databases say of what they find
        raise ResponsysError(
            "dagster_storage",
            f"Dagster cannot open its storage in {os.environ['DAGSTER_HOME']} "
            f"({type(error).__name__}); move its folders history and schedules away and start "
            "this again: what was done is known from the lake, only old runs are no longer shown",
        ) from None


@contextmanager
def _code_server(instance: DagsterInstance) -> Iterator[Path]:
    """One process with our definitions, for webserver, daemon and runs; its workspace file."""
    target = ModuleTarget(
        module_name=_LOCATION,
        attribute=None,
        working_directory=str(Path.cwd()),
        location_name=_LOCATION,
    )
    with (
        ProxyServerManager(instance, target, code_server_log_level="warning") as manager,
        tempfile.TemporaryDirectory(prefix="responsys-") as folder,
    ):
        file = Path(folder) / "workspace.yaml"
        file.write_text(yaml.safe_dump({"load_from": [*manager.get_code_server_specs()]}))
        yield file


@contextmanager
def _daemon(workspace: Path, server: uvicorn.Server) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon, which ends with us; if it ends before, so does the webserver."""
    child = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)],
        start_new_session=True,  # Ctrl-C is for us; we end it
        preexec_fn=dying_with_us(),  # noqa: PLW1509 - it makes two system calls
    )

    def watch() -> None:
        child.wait()
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield child
    finally:
        child.terminate()
        child.wait()
