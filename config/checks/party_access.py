"""Parties are known before they are believed, and secrets travel only where nobody else reads them."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from config.checks.finding import Finding, Subject
from config.document import is_file
from config.parties import Listen, Party, PartyKeys, PartyProof

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
        if party.auth is None:
            continue
        at, proof = ("parties", name, "auth"), party.auth
        yield from _proof(at, name, proof, subject.zone.listen)
        if party.simulated:
            yield from _shows(at, name, proof, subject.zone.testbed.parties.get(name, PartyKeys()))
        for mark in _marks(proof):
            if owner.setdefault(mark, name) != name:
                yield Finding(at, f"{name} proves itself by what {owner[mark]} has too", "each party needs its own")


def simulated_parties_have_their_keys(subject: Subject) -> Iterator[Finding]:
    """What the testbed shows as a party is complete, that of a party it plays, and not shown to others on the way."""
    zone = subject.zone
    to = zone.testbed.gateway_url or ("https://" if zone.listen.certificate_file else f"http://{zone.listen.host}")
    for name, keys in zone.testbed.parties.items():
        at, party = ("testbed", "parties", name), zone.parties.get(name)
        if party is None or not party.simulated:
            yield Finding(at, f"the testbed does not play {name}", "write simulated: true there, or take this away")
        if bool(keys.certificate_file) != bool(keys.key_file):
            present, absent = _present(keys)
            yield Finding((*at, present), f"{name} has `{present}` without `{absent}`", "give both or neither")
        if keys.token_variable and not _private(to):
            problem = f"the token of {name} would travel in the clear"
            yield Finding((*at, "token_variable"), problem, "write https:// in testbed.gateway_url")
    for name, party in zone.parties.items():
        keys = zone.testbed.parties.get(name, PartyKeys())
        if party.simulated and party.url.startswith("https:") and not keys.certificate_file:
            at, problem = ("parties", name, "url"), f"{name} is simulated, and has no certificate for its https `url`"
            yield Finding(at, problem, f"name certificate_file and key_file in testbed.parties.{name}")


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
    """Files that the parties' interface, a party, real or simulated, or a webhook names exist."""
    zone = subject.zone
    named: list[tuple[_Path, object]] = [(("listen",), zone.listen)]
    named += [(("parties", name), party) for name, party in zone.parties.items()]
    named += [(("webhooks", name), hook) for name, hook in zone.webhooks.items()]
    named += [(("testbed", "parties", name), keys) for name, keys in zone.testbed.parties.items()]
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


def _shows(at: _Path, name: str, proof: PartyProof, keys: PartyKeys) -> Iterator[Finding]:
    """What is asked of a simulated party, and the testbed does not have."""
    asked = (
        ("token", "token_variable", proof.token_sha256 or proof.token_stored, keys.token_variable),
        ("certificate", "certificate_file", proof.certificate_sha256 or proof.subject, keys.certificate_file),
    )
    for what, key, wanted, given in asked:
        if wanted and not given:
            problem = f"{name} is simulated, and the testbed has no {what} to show for it"
            yield Finding(at, problem, f"name {key} in testbed.parties.{name}, or write simulated: false")


def _marks(proof: PartyProof) -> Iterator[str]:
    """What nobody else may have."""
    if proof.token_sha256:
        yield proof.token_sha256.lower()
    if not (proof.token_sha256 or proof.token_stored):  # with a token of its own, it may share a certificate
        yield from (one.replace(":", "").lower() for one in proof.certificate_sha256)
        yield from ([f"subject {proof.subject}"] if proof.subject else [])


def _present(owner: Listen | Party | PartyKeys) -> tuple[str, str]:
    return ("certificate_file", "key_file") if owner.certificate_file else ("key_file", "certificate_file")


def _private(url: str) -> bool:
    """Whether nobody else reads what is sent there."""
    return not url or url.startswith("https:") or (urlsplit(url).hostname or "") in _LOOPBACK
