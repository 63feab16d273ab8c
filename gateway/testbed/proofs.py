"""What simulated parties show to whom they write, and what they ask of whom writes to them: tokens and certificates."""

import ssl
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from hmac import compare_digest

from config.parties import PartyKeys
from config.settings import ZoneFile


class ProofError(ValueError):
    """What a party is to show or to ask for is not there; says what and what to do."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What one simulated party has."""

    token: str = field(default="", repr=False)
    """Bearer token that it shows to the gateway; empty for none."""
    calling: ssl.SSLContext | None = None
    """Where it writes to https: whom it believes, and its certificate; None: the defaults of this machine."""
    listening: ssl.SSLContext | None = None
    """Where it is written to; None: plain HTTP."""
    certified: bool = False
    """Whether it shows a certificate."""


@dataclass(frozen=True, slots=True)
class Proofs:
    """What every party of a zone shows and asks for; with nothing in it, nobody shows anything."""

    by_party: Mapping[str, Proof] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Token that has to be shown to a party, where the zone file names one."""

    def shown(self, by: str, to: str) -> dict[str, str]:
        """Headers that prove to `to`, a party or else the gateway, that `by` writes."""
        token = self.asked.get(to, "") if to in self.by_party else self._of(by).token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def calling(self, by: str) -> ssl.SSLContext | bool:
        """How `by` speaks TLS with whom it writes to."""
        return self._of(by).calling or True

    def certified(self, by: str) -> bool:
        """Whether `by` shows a certificate."""
        return self._of(by).certified

    def listening(self, party: str) -> ssl.SSLContext | None:
        """How a party speaks TLS with whoever writes to it."""
        return self._of(party).listening

    def opens(self, party: str, authorization: str) -> bool:
        """Whether a header lets somebody write to a party."""
        asked = self.asked.get(party, "") if party in self.by_party else ""
        scheme, _, token = authorization.partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else ""
        return not asked or compare_digest(given.encode("utf-8", "surrogateescape"), asked.encode())

    def _of(self, party: str) -> Proof:
        return self.by_party.get(party, Proof())


def of_zone(zone: ZoneFile, played: Container[str], environment: Mapping[str, str]) -> Proofs:
    """What the zone file names for the parties that are `played`; tokens come from the environment.

    Raises:
        ProofError: a token is not there, or a certificate or key cannot be used.
    """
    asked = {
        name: environment[party.token_variable]
        for name, party in zone.parties.items()
        if environment.get(party.token_variable)
    }
    return Proofs(
        {
            name: _proof(name, party.url, zone.testbed.parties.get(name, PartyKeys()), environment)
            for name, party in zone.parties.items()
            if party.simulated and name in played
        },
        asked,
    )


def _proof(name: str, url: str, keys: PartyKeys, environment: Mapping[str, str]) -> Proof:
    token = environment.get(keys.token_variable, "") if keys.token_variable else ""
    if keys.token_variable and not token:
        problem = f"the environment variable {keys.token_variable} with the token of {name} is not set"
        raise ProofError(f"{problem}; make one with `ampacity party token {name} ZONE`")
    try:
        calling = _context(ssl.PROTOCOL_TLS_CLIENT, keys)
        listening = _context(ssl.PROTOCOL_TLS_SERVER, keys) if url.startswith("https:") else None
    except OSError as error:  # of TLS as well
        files = ", ".join(one for one in (keys.ca_file, keys.certificate_file, keys.key_file) if one)
        raise ProofError(
            f"testbed.parties.{name}: {files} cannot be used for TLS: {error}; correct the files"
        ) from error
    return Proof(token, calling, listening, bool(keys.certificate_file))


def _context(purpose: int, keys: PartyKeys) -> ssl.SSLContext:
    context = ssl.SSLContext(purpose)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if keys.certificate_file:
        context.load_cert_chain(keys.certificate_file, keys.key_file)
    if keys.ca_file:
        context.load_verify_locations(keys.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    elif purpose == ssl.PROTOCOL_TLS_CLIENT:
        context.load_default_certs()
    return context
