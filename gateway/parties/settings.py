"""The parties of a zone file as this room needs them: what they have to show, and how they are written to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config import parties
from config.parties import Listen, Party, PartyProof
from config.settings import ZoneFile
from gateway.coordination import wire
from gateway.parties.client import Reach
from gateway.parties.identity import Proof
from gateway.parties.tls import TlsFiles, client_context
from gateway.parties.webhooks import Webhook, matches


class PartiesError(Exception):
    """The parties' interface cannot start; says what stands in the way and what to do."""


@dataclass(frozen=True, slots=True)
class PartySettings:
    """Where we listen, whom we believe, and whom we write to."""

    host: str
    port: int
    tls: TlsFiles
    proofs: Mapping[str, Proof | None]
    reaches: Mapping[str, Reach] = field(repr=False)
    storage: Path
    receipt_s: float
    """How soon a receipt is due."""
    webhooks: tuple[Webhook, ...] = ()


def settings(zone: ZoneFile, environment: Mapping[str, str]) -> PartySettings:
    """What the zone file says; tokens of ours come from the environment, never from the file.

    Raises:
        PartiesError: a token is not there, or a certificate cannot be read.
    """
    listen = zone.listen
    return PartySettings(
        host=listen.host,
        port=listen.parties_port,
        tls=_files(listen),
        proofs={name: _proof(party.auth) for name, party in zone.parties.items()},
        reaches={name: _reach(name, party, environment) for name, party in zone.parties.items() if party.url},
        storage=Path(zone.storage.directory),
        receipt_s=zone.clocks.receipt_s,
        webhooks=tuple(_webhook(name, hook, environment) for name, hook in zone.webhooks.items()),
    )


def _proof(proof: PartyProof | None) -> Proof | None:
    if proof is None:
        return None
    certificates = frozenset(one.replace(":", "").lower() for one in proof.certificate_sha256)
    return Proof(proof.token_sha256.lower(), proof.token_stored, certificates, proof.subject, proof.by_platform)


def _reach(name: str, party: Party, environment: Mapping[str, str]) -> Reach:
    token = environment.get(party.token_variable, "") if party.token_variable else ""
    if party.token_variable and not token:
        raise PartiesError(f"the environment variable {party.token_variable} with our token for {name} is not set")
    if not party.url.startswith("https:"):
        return Reach(party.url, token)
    try:
        return Reach(party.url, token, client_context(_files(party)))
    except OSError as error:
        raise PartiesError(f"{name} cannot be called over TLS: {error}") from error


def _webhook(name: str, hook: parties.Webhook, environment: Mapping[str, str]) -> Webhook:
    secret = environment.get(hook.secret_variable, "")
    if not secret:
        raise PartiesError(f"the environment variable {hook.secret_variable} with the secret of {name} is not set")
    unknown = [one for one in hook.codes if not any(matches(one, code) for code in wire.TYPES)]
    if unknown:
        raise PartiesError(f"{name} wants {', '.join(unknown)}, which no message is; there are {', '.join(wire.TYPES)}")
    try:
        tls = client_context(TlsFiles(hook.ca_file)) if hook.url.startswith("https:") else None
    except OSError as error:
        raise PartiesError(f"{name} cannot be called over TLS: {error}") from error
    return Webhook(name, hook.url, secret.encode(), hook.codes, tls)


def _files(owner: Listen | Party) -> TlsFiles:
    return TlsFiles(owner.ca_file, owner.certificate_file, owner.key_file)
