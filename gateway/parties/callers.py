"""Who asks, in terms of HTTP: the credentials of a request, and the answers to those who have none."""

from aiohttp import hdrs, web

from gateway.parties.identity import Denied, Gate, Shown
from gateway.parties.refusals import Refusal
from gateway.parties.tls import shown_certificate

PARTY_HEADER = "Ampacity-Party"
"""By which a party without `auth` says who it is."""

_SCHEME = "bearer"


def caller(request: web.Request, gate: Gate, claim: str = "", carrier: str = "") -> str:
    """The party that asks.

    Args:
        request: with its credentials.
        gate: holds them against the zone file.
        claim: the party that the request says it is; also that of a header.
        carrier: the platform, where it may hand over what others say; it has to prove itself.

    Raises:
        Refusal: 401 where nothing proves it, 403 where something proves another.
    """
    claim = claim or request.headers.get(PARTY_HEADER, "")
    try:
        proved = gate.caller(_shown(request))
    except Denied as error:
        raise _unproved(str(error)) from error
    if proved:
        if claim not in ("", proved) and proved != carrier:
            raise Refusal(403, f"{proved} cannot speak as {claim[:64]!r}", "sender", "use the id that is yours")
        return proved
    if gate.open_to(claim):
        return claim
    raise _unproved("nothing shows who you are")


def screen(request: web.Request, gate: Gate) -> None:
    """Let nobody through who can be turned away before anything is read.

    Raises:
        Refusal: 401: what it shows is nobody's, or it shows nothing where everybody has to.
    """
    try:
        proved = gate.caller(_shown(request))
    except Denied as error:
        raise _unproved(str(error)) from error
    if not proved and gate.is_closed:
        raise _unproved("nothing shows who you are")


def _shown(request: web.Request) -> Shown:
    given = request.headers.get(hdrs.AUTHORIZATION)
    token: str | None = None
    if given is not None:
        scheme, _, token = given.partition(" ")
        if scheme.lower() != _SCHEME or not token.strip():
            raise _unproved("Authorization is no bearer token")
        token = token.strip()
    transport = request.transport
    digest, names = shown_certificate(None if transport is None else transport.get_extra_info("ssl_object"))
    return Shown(token, digest, names)


def _unproved(problem: str) -> Refusal:
    remedy = "send `Authorization: Bearer` with your token, or the client certificate that the zone file names"
    return Refusal(401, problem, "Authorization", remedy, {hdrs.WWW_AUTHENTICATE: 'Bearer realm="ampacity"'})
