"""SSH signatures under answers, verified by ssh-keygen; and what can be read of them without it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bulkrunner.domain.approvals import Signer
from bulkrunner.errors import ConfigError, SignatureRefused, why_of
from bulkrunner.sentences import Sentence

# What signatures under answers are made for, so that no other signature of a key counts.
NAMESPACE = "approval@bulkrunner"

PATIENCE = 20.0
MOST_BYTES = 256 * 1024
MOST_SIGNERS = 200

_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_BEGINNING = b"SSHSIG" + (1).to_bytes(4, "big")
_KEY = re.compile(r"(?<!\S)((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+) +([A-Za-z0-9+/]+={0,2})(?!\S)")
_TOO_LATE = re.compile(r"expired|not yet valid|certificate.*valid", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Seal:
    """What stands in a signature: for what it was made, and by which key."""

    namespace: str
    key: bytes

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, as ssh-keygen prints it."""
        return fingerprint(self.key)


def fingerprint(key: bytes) -> str:
    """Return ``SHA256:…`` of a public key."""
    packed = base64.b64encode(hashlib.sha256(key).digest()).decode()
    return "SHA256:" + packed.rstrip("=")


def read_seal(signature: str) -> Seal:
    """Read an armoured signature. SignatureRefused: it is none."""
    body = signature.strip().removeprefix(_BEGIN).removesuffix(_END)
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
        key, rest = _string(data.removeprefix(_BEGINNING))
        namespace, _ = _string(rest)
        if data.startswith(_BEGINNING):
            return Seal(namespace=namespace.decode(), key=key)
    except (ValueError, binascii.Error):
        pass
    raise SignatureRefused(
        Sentence("signature_unreadable"),
        hint=Sentence("signature_unreadable_hint"),
        code="signature_unreadable",
    )


def _string(data: bytes) -> tuple[bytes, bytes]:
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 + length:
        raise ValueError
    return data[4 : 4 + length], data[4 + length :]


def read_signers(path: Path) -> tuple[str, ...]:
    """Return the lines of an allowed-signers file, without comments.

    Raises:
        ConfigError: it cannot be read, or holds no key.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConfigError(Sentence("reviewers_file_too_long", path=str(path), most=MOST_BYTES))
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            Sentence(
                "reviewers_file_unreadable",
                path=str(path),
                why=why_of(error) if isinstance(error, OSError) else str(error),
            ),
            hint=Sentence("reviewers_file_unreadable_hint"),
        ) from None
    found = tuple(_signer(path, number, row) for number, row in _rows(text))
    if not found or len(found) > MOST_SIGNERS:
        if not found:
            raise ConfigError(Sentence("reviewers_file_empty", path=str(path)))
        raise ConfigError(Sentence("reviewers_file_many_keys", path=str(path), most=MOST_SIGNERS))
    return found


def _rows(text: str) -> Iterable[tuple[int, str]]:
    for number, row in enumerate(text.splitlines(), start=1):
        if (row := row.strip()) and not row.startswith("#"):
            yield number, row


def _signer(path: Path, number: int, row: str) -> str:
    """Return a line up to its key; what follows that is a comment."""
    found = _KEY.search(row)
    if found is None or not row[: found.start()].strip() or not row.isprintable():
        raise ConfigError(
            Sentence("reviewers_file_line", path=str(path), number=number),
            hint=Sentence("reviewers_file_line_hint"),
        )
    return row[: found.end()]


class SshSignatures:
    """Implements ``domain.ports.Signatures`` with the system's ssh-keygen."""

    def verify(self, text: str, signature: str, *, signers: Sequence[str], at: datetime) -> Signer:
        seal = read_seal(signature)
        if seal.namespace != NAMESPACE:
            raise SignatureRefused(
                Sentence(
                    "signature_namespace", namespace=repr(seal.namespace[:60]), wanted=NAMESPACE
                ),
                hint=Sentence("signature_namespace_hint", namespace=NAMESPACE),
                code="signature_namespace",
            )
        with tempfile.TemporaryDirectory(prefix="bulkrunner-") as folder:
            return _Check(Path(folder), text, signature, signers, at).signer(seal)


class _Check:
    """One verification, in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        text: str,
        signature: str,
        signers: Sequence[str],
        at: datetime,
    ) -> None:
        self._text = text.encode("utf-8", "surrogatepass")
        self._signature = folder / "signature"
        self._signers = folder / "signers"
        self._when = at.astimezone(UTC).strftime("%Y%m%d%H%M%S")
        self._signature.write_text(signature, encoding="utf-8")
        self._signers.write_text("".join(f"{row}\n" for row in signers), encoding="utf-8")
        self._known = {found[2] for row in signers if (found := _KEY.search(row))}

    def signer(self, seal: Seal) -> Signer:
        """Return whose signature it is. SignatureRefused: with the reason."""
        done = self._run("find-principals", "-f", self._signers, "-O", f"verify-time={self._when}")
        names = done.stdout.decode("utf-8", "replace").split()
        if done.returncode != 0 or not names:
            raise self._nobody(seal, done.stderr)
        done = self._run(
            *("verify", "-f", self._signers, "-I", names[0], "-n", NAMESPACE),
            *("-O", f"verify-time={self._when}"),
        )
        if done.returncode != 0:
            raise self._refused(seal, done.stderr)
        return Signer(identity=names[0], key=seal.fingerprint)

    def _nobody(self, seal: Seal, said: bytes) -> SignatureRefused:
        if base64.b64encode(seal.key).decode() in self._known:
            return self._refused(seal, said)
        return SignatureRefused(
            Sentence("signature_unknown_key", fingerprint=seal.fingerprint),
            hint=Sentence("signature_unknown_key_hint"),
            code="signature_unknown_key",
        )

    def _refused(self, seal: Seal, said: bytes) -> SignatureRefused:
        words = said.decode("utf-8", "replace")
        if _TOO_LATE.search(words):
            return SignatureRefused(
                Sentence("signature_expired", fingerprint=seal.fingerprint),
                hint=Sentence("signature_expired_hint"),
                code="signature_expired",
            )
        if "namespace" in words:
            return SignatureRefused(
                Sentence(
                    "signature_not_allowed", fingerprint=seal.fingerprint, namespace=NAMESPACE
                ),
                hint=Sentence("signature_not_allowed_hint"),
                code="signature_namespace",
            )
        return _wrong_text()

    def _run(self, command: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        program = shutil.which("ssh-keygen")
        if program is None:
            raise ConfigError(
                Sentence("ssh_keygen_missing"),
                hint=Sentence("ssh_keygen_missing_hint"),
            )
        given = [str(item) for item in arguments]
        try:
            return subprocess.run(  # noqa: S603 — the system's own program, no shell
                [program, "-Y", command, "-s", str(self._signature), *given],
                input=self._text,
                capture_output=True,
                timeout=PATIENCE,
                check=False,
                env={"PATH": "/usr/bin:/bin", "TZ": "UTC0", "LC_ALL": "C"},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(Sentence("ssh_keygen_failed", error=str(error))) from None


def _wrong_text() -> SignatureRefused:
    return SignatureRefused(
        Sentence("signature_wrong_text"),
        hint=Sentence("signature_wrong_text_hint"),
        code="signature_wrong_text",
    )
