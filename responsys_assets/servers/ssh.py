"""SSH connections: pinned host keys first, then the configured credentials and no others.

Nothing else in this package makes a `paramiko.Transport` to a server.
"""

from __future__ import annotations

import base64
import binascii
import logging
import socket
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import paramiko
from paramiko.config import SSH_PORT
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey
from paramiko.ssh_exception import IncompatiblePeer, NoValidConnectionsError

from responsys_assets.config.models import SftpServer
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError, ServerError, TransientServerError

CONNECT_SECONDS = 15.0
LOGIN_SECONDS = 30.0

# Modern OpenSSH's own choice without CBC, 3DES, MD5 and SHA-1; AES-GCM first, it is the fastest.
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
_MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
_RSA = ("rsa-sha2-512", "rsa-sha2-256")

# paramiko writes tracebacks of its thread to the log; we say it in words instead
_LOG = "responsys_assets.ssh"
logging.getLogger(_LOG).addHandler(logging.NullHandler())
logging.getLogger(_LOG).propagate = False


@dataclass(frozen=True)
class Account:
    """All that is needed to log in, read from the configuration and checked."""

    name: str
    host: str
    port: int
    username: str
    host_keys: tuple[paramiko.PKey, ...]
    key: paramiko.PKey | None
    password: str | None

    @property
    def label(self) -> str:
        return f"server {self.name} ({self.host}:{self.port})"

    def __repr__(self) -> str:
        return f"Account({self.label})"


class _HostKeyRefusedError(paramiko.SSHException):
    def __init__(self, shown: str) -> None:
        super().__init__(shown)
        self.shown = shown


class _PinnedPolicy(paramiko.MissingHostKeyPolicy):
    """Refuses every key but the pinned ones; several of one type are fine while rotating."""

    def __init__(self, pinned: tuple[paramiko.PKey, ...]) -> None:
        self._pinned = {key.asbytes() for key in pinned}

    def missing_host_key(self, _client: object, _name: str, key: paramiko.PKey) -> None:
        if key.asbytes() not in self._pinned:
            raise _HostKeyRefusedError(f"{key.get_name()} {key.fingerprint}")


def read_account(project: Project, name: str, config: SftpServer) -> Account:
    """The account of a server.

    Raises:
        ConfigError: if a variable is missing or a key cannot be read.
    """
    place = f"servers.{name}"

    def text(value: str | None, key: str) -> str | None:
        return None if value is None else project.text(value, f"{place}.{key}")

    host = project.text(config.host, f"{place}.host")
    port = project.text(str(config.port), f"{place}.port")
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ConfigError("bad_port", "expected a port number", key=f"{place}.port")
    if config.known_hosts_file is not None:
        known = project.path(config.known_hosts_file, f"{place}.known_hosts_file")
        pinned = _known_hosts(known, host, int(port), f"{place}.known_hosts_file")
    else:
        pinned = tuple(
            _host_key(project.text(line, f"{place}.host_keys"), f"{place}.host_keys")
            for line in config.host_keys
        )
    key = None
    if config.private_key_file is not None:
        path = project.path(config.private_key_file, f"{place}.private_key_file")
        passphrase = text(config.passphrase, "passphrase")
        key = _private_key(path, passphrase, f"{place}.private_key_file")
    return Account(
        name=name,
        host=host,
        port=int(port),
        username=project.text(config.username, f"{place}.username"),
        host_keys=pinned,
        key=key,
        password=text(config.password, "password"),
    )


def connect(account: Account) -> paramiko.SSHClient:
    """A client that is logged in; the caller closes it.

    Raises:
        TransientServerError: `server_unreachable`.
        ServerError: `host_key`, `auth_refused`, `ssh_incompatible`.
    """
    client = paramiko.SSHClient()
    client.set_log_channel(_LOG)
    client.set_missing_host_key_policy(_PinnedPolicy(account.host_keys))
    try:
        client.connect(
            account.host,
            account.port,
            username=account.username,
            pkey=account.key,
            password=account.password,
            allow_agent=False,
            look_for_keys=False,
            timeout=CONNECT_SECONDS,
            banner_timeout=LOGIN_SECONDS,
            auth_timeout=LOGIN_SECONDS,
            channel_timeout=LOGIN_SECONDS,
            transport_factory=lambda sock, **_: _transport(sock, account),
        )
    except BaseException as error:
        client.close()
        if isinstance(error, (paramiko.SSHException, OSError, EOFError)):
            raise _explained(error, account) from None
        raise
    return client


def _transport(sock: socket.socket, account: Account) -> paramiko.Transport:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(sock)
    options = transport.get_security_options()
    options.ciphers = tuple(cipher for cipher in _CIPHERS if cipher in options.ciphers)
    options.digests = tuple(mac for mac in _MACS if mac in options.digests)
    # ask for a type that is pinned: a server has several keys and shows one
    wanted: list[str] = []
    for key in account.host_keys:
        wanted += _RSA if key.get_name() == "ssh-rsa" else (key.get_name(),)
    options.key_types = tuple(dict.fromkeys(wanted))
    return transport


def _explained(error: Exception, account: Account) -> ServerError:
    label = account.label
    if isinstance(error, _HostKeyRefusedError):
        return _wrong_host_key(account, f"it showed {error.shown}")
    if isinstance(error, IncompatiblePeer):
        if "host key" in str(error):
            return _wrong_host_key(account, "it has no key of the types pinned")
        return ServerError(
            "ssh_incompatible",
            f"{label} offers only algorithms that are not safe any more; "
            "ask its owner to allow AES-CTR or AES-GCM and SHA-2",
        )
    # paramiko reports a time-out and a dropped connection as a refusal, in these words
    said = str(error).lower()
    if isinstance(error, paramiko.AuthenticationException) and not (
        "timeout" in said or "eof" in said or "shut down" in said
    ):
        kind = "key" if account.key is not None else "password"
        return ServerError(
            "auth_refused",
            f"{label} refuses the {kind} of user {account.username}; check that the user name "
            f"is right and that the public key or password is known there "
            "(on Responsys a new key can take days)",
        )
    return TransientServerError(
        "server_unreachable",
        f"{label} cannot be reached: {_reason(error)}; "
        "check host, port and network, and whether the server is up",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    if isinstance(error, NoValidConnectionsError):
        return "the connection was refused"
    if isinstance(error, TimeoutError) or "timeout" in str(error).lower():
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "the connection was closed before the login was complete"


def _wrong_host_key(account: Account, what: str) -> ServerError:
    return ServerError(
        "host_key",
        f"{account.label} is not the server it should be: {what}, which is not pinned. "
        "Nothing was sent to it. Ask its owner whether the key has changed; only then put the "
        f"new line into servers.{account.name}.host_keys (or the known_hosts_file)",
    )


def _host_key(line: str, place: str) -> paramiko.PKey:
    kind, _, rest = line.strip().partition(" ")
    try:
        data = base64.b64decode(rest.split()[0], validate=True)
        return paramiko.PKey.from_type_string(kind, data)
    except (IndexError, binascii.Error, paramiko.SSHException, ValueError):
        raise ConfigError(
            "bad_host_key",
            "expected host key lines such as ssh-ed25519 AAAA...: the output of "
            "`ssh-keyscan` without the host name",
            key=place,
        ) from None


def _known_hosts(path: Path, host: str, port: int, place: str) -> tuple[paramiko.PKey, ...]:
    """Every key the file has for the host: paramiko's own look-up keeps one of a type."""
    named = host if port == SSH_PORT else f"[{host}]:{port}"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ConfigError("bad_known_hosts", f"{path} cannot be read", key=place) from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(("#", "@")):
            continue
        try:
            entry = HostKeyEntry.from_line(line, number)
        except InvalidHostKey:
            raise ConfigError(
                "bad_known_hosts", "this line is damaged", file=str(path), line=number, key=place
            ) from None
        if entry is not None and any(_names(name, named) for name in entry.hostnames):
            found.append(entry.key)
    if not found:
        raise ConfigError(
            "bad_known_hosts",
            f"{path} has no key of {named}; get its line from the server's owner",
            key=place,
        )
    return tuple(found)


def _names(pattern: str, named: str) -> bool:
    """Whether a host of a known_hosts line, hashed or not, is this one."""
    if pattern.startswith("|1|"):
        return paramiko.HostKeys.hash_host(named, pattern) == pattern
    return pattern == named


def _private_key(path: Path, passphrase: str | None, place: str) -> paramiko.PKey:
    password: Any = passphrase.encode() if passphrase else None
    try:
        return _parsed_key(path, path.read_bytes(), password)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    except (paramiko.SSHException, ValueError, TypeError):
        # the loaders do not tell a wrong passphrase from a damaged file
        reason = "it is no private key that OpenSSH knows, or `passphrase` does not open it"
    raise ConfigError("bad_private_key", f"the private key {path}: {reason}", key=place)


@lru_cache(maxsize=8)
def _parsed_key(path: Path, _content: bytes, password: Any) -> paramiko.PKey:
    """Parsed once as long as the file stays the same: checking an RSA key takes a while."""
    return paramiko.PKey.from_path(path, password)
