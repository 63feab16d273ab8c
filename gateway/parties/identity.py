"""Who a caller is: what it shows, held against what the zone file says that each party has to show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest


@dataclass(frozen=True, slots=True)
class Proof:
    """What a party has to show; all of it."""

    token_sha256: str = field(default="", repr=False)
    """Lower-case hex; empty: no token is asked for, or it is kept in the storage directory."""
    token_stored: bool = False
    certificates: frozenset[str] = frozenset()
    """SHA-256 of the certificates that it may show, lower-case hex."""
    subject: str = ""
    """Common name of a certificate that an authority vouches for."""
    by_platform: bool = False
    """The platform may hand over what this party says."""

    @property
    def has_token(self) -> bool:
        """Whether a token is part of it."""
        return bool(self.token_sha256) or self.token_stored

    @property
    def has_certificate(self) -> bool:
        """Whether a certificate is part of it."""
        return bool(self.certificates or self.subject)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a caller shows; certificates have passed TLS already."""

    token: str | None = field(default=None, repr=False)
    certificate_sha256: str = ""
    common_names: tuple[str, ...] = ()


class Denied(Exception):  # noqa: N818 - a decision, not a defect
    """The caller is not who it would have to be; says why."""


class Gate:
    """Tells callers apart."""

    def __init__(self, proofs: Mapping[str, Proof | None], stored: Callable[[], Mapping[str, str]] = dict) -> None:
        """`proofs` by party, `None` for one that proves nothing; `stored` gives the digests of kept tokens."""
        self._proofs, self._stored = proofs, stored

    def open_to(self, party: str) -> bool:
        """Whether a party of the zone is believed without proof."""
        return party in self._proofs and self._proofs[party] is None

    @property
    def is_closed(self) -> bool:
        """Whether everybody has to prove who they are."""
        return None not in self._proofs.values()

    def may_be_carried(self, party: str) -> bool:
        """Whether the platform may hand over what a party of the zone says."""
        proof = self._proofs.get(party)
        return self.open_to(party) or (proof is not None and proof.by_platform)

    def caller(self, shown: Shown) -> str:
        """The party that has proved itself; empty where nothing was shown that could prove anything.

        Raises:
            Denied: what was shown is nobody's.
        """
        if shown.token is not None:
            return self._by_token(shown.token, shown)
        found = [name for name, proof in self._proofs.items() if proof and not proof.has_token and _fits(proof, shown)]
        if len(found) > 1:
            raise Denied(f"the certificate is that of {' and '.join(found)}")
        return found[0] if found else ""

    def _by_token(self, token: str, shown: Shown) -> str:
        digest = sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        stored, found = self._stored(), ""
        for name, proof in self._proofs.items():  # every one, so that the time says nothing
            if proof is None or not proof.has_token:
                continue
            kept = stored.get(name, "") if proof.token_stored else proof.token_sha256
            if compare_digest(digest.encode(), kept.encode()):
                found = name
        proof = self._proofs.get(found)
        if proof is None:
            raise Denied("the bearer token is nobody's here")
        if proof.has_certificate and not _fits(proof, shown):
            raise Denied(f"{found} has to show its client certificate as well")
        return found


def _fits(proof: Proof, shown: Shown) -> bool:
    """Whether the certificate shown is the one asked for; False where none is."""
    if proof.certificates:
        return shown.certificate_sha256 in proof.certificates
    return bool(proof.subject) and shown.common_names == (proof.subject,)
