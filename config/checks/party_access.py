"""Parties are known before they are believed, and secrets travel only where nobody else reads them."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from config.checks.finding import Finding, Subject
from config.document import is_file
from config.parties import Listen, Party, PartyProof

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_FILES = ("ca_file", "certificate_file", "key_file")
_Path = tuple[str, ...]


def interface_is_secured(subject: Subject) -> Iterator[Finding]:
    """Beyond this machine the interface speaks TLS and believes nobody without proof."""
    listen, parties = subject.zone.listen, subject.zone.parties
    if bool(listen.certificate_file) != bool(listen.key_file):
        present, absent = _present(listen)
        yield Finding(("listen", present), f"listen has `{present}` without `{absent}`", "give both or neither")
    if listen.ca_file and not listen.certificate_file:
        problem = "listen has `ca_file`, but no `certificate_file`"
        yield Finding(("listen", "ca_file"), problem, "certificates are shown in TLS alone: give the interface its own")
    if listen.host in _LOOPBACK:
        return
    if parties and not listen.certificate_file:
        yield Finding(
            ("listen", "host"),
            f"whoever is between could read and change what parties tell {listen.host}",
            "give listen its certificate_file and key_file, or write host: 127.0.0.1",
        )
    for name, party in parties.items():
        if party.auth is None:
            yield Finding(
                ("parties", name),
                f"whoever reaches {listen.host} could speak as {name}, who has to prove nothing",
                "give it `auth` (see docs/parties.md), or write listen.host: 127.0.0.1",
            )


def parties_can_prove(subject: Subject) -> Iterator[Finding]:
    """Every proof can be given, is complete, and is that of one party."""
    owner: dict[str, str] = {}
    for name, party in subject.zone.parties.items():
        if party.simulated and subject.zone.listen.certificate_file:
            problem = f"{name} is simulated, and the testbed does not speak TLS with listen"
            yield Finding(("parties", name), problem, "write simulated: false, or take away listen.certificate_file")
        if party.auth is None:
            continue
        at, proof = ("parties", name, "auth"), party.auth
        yield from _proof(at, name, proof, subject.zone.listen)
        if party.simulated:
            yield Finding(at, f"{name} is simulated, and the testbed proves nothing", "write simulated: false")
        for mark in _marks(proof):
            if owner.setdefault(mark, name) != name:
                yield Finding(at, f"{name} proves itself by what {owner[mark]} has too", "each party needs its own")


def parties_can_be_reached(subject: Subject) -> Iterator[Finding]:
    """What the gateway shows to a party or webhook is complete, there, and not shown to everybody on the way."""
    for name, party in subject.zone.parties.items():
        at = ("parties", name)
        if party.simulated and not party.url:
            yield Finding((*at, "url"), f"{name} is simulated, but has no `url`", "write where the testbed plays it")
        if bool(party.certificate_file) != bool(party.key_file):
            present, absent = _present(party)
            yield Finding((*at, present), f"{name} has `{present}` without `{absent}`", "give both or neither")
        for key in _FILES:
            if getattr(party, key) and not party.url.startswith("https:"):
                yield Finding((*at, key), f"{name} has `{key}`, but its `url` is not https", "write https:// there")
        if party.token_variable and not _private(party.url):
            yield Finding(
                (*at, "token_variable"), f"the token for {name} would travel in the clear", "write https:// in its url"
            )
    for name, hook in subject.zone.webhooks.items():
        if not _private(hook.url):
            problem = f"what {name} is told would travel in the clear"
            yield Finding(("webhooks", name, "url"), problem, "write https:// there")


def access_files_are_there(subject: Subject) -> Iterator[Finding]:
    """Files that the parties' interface, a party or a webhook names exist."""
    zone = subject.zone
    named: list[tuple[_Path, object]] = [(("listen",), zone.listen)]
    named += [(("parties", name), party) for name, party in zone.parties.items()]
    named += [(("webhooks", name), hook) for name, hook in zone.webhooks.items()]
    for at, owner in named:
        for key in _FILES:
            if (file := getattr(owner, key, "")) and not is_file(Path(file)):
                yield Finding((*at, key), f"{at[-1]}: {file} is not a file", "correct the path")


def _proof(at: _Path, name: str, proof: PartyProof, listen: Listen) -> Iterator[Finding]:
    shows_certificate = proof.certificate_sha256 or proof.subject
    if not (proof.token_sha256 or proof.token_stored or shows_certificate):
        yield Finding(at, f"{name} has `auth` without any proof", "name a token or a certificate; see docs/parties.md")
    if proof.token_sha256 and proof.token_stored:
        problem = f"{name} has both `token_sha256` and `token_stored`"
        yield Finding(at, problem, "keep the one that says where the digest is")
    if proof.certificate_sha256 and proof.subject:
        problem = f"{name} has both `certificate_sha256` and `subject`"
        yield Finding(at, problem, "a fingerprint says more: keep that")
    if shows_certificate and not listen.ca_file:
        yield Finding(
            at,
            f"{name} would show a certificate that nobody asks for",
            "name in listen.ca_file who vouches for it, with listen.certificate_file and key_file",
        )


def _marks(proof: PartyProof) -> Iterator[str]:
    """What nobody else may have."""
    if proof.token_sha256:
        yield proof.token_sha256.lower()
    if not (proof.token_sha256 or proof.token_stored):  # with a token of its own, it may share a certificate
        yield from (one.replace(":", "").lower() for one in proof.certificate_sha256)
        yield from ([f"subject {proof.subject}"] if proof.subject else [])


def _present(owner: Listen | Party) -> tuple[str, str]:
    return ("certificate_file", "key_file") if owner.certificate_file else ("key_file", "certificate_file")


def _private(url: str) -> bool:
    """Whether nobody else reads what is sent there."""
    return not url or url.startswith("https:") or (urlsplit(url).hostname or "") in _LOOPBACK
