"""Who is trusted, who is refused, and what is said of him."""

from datetime import timedelta

import pytest

from gateway.clock import wall
from protocols.opcua import trust
from protocols.opcua.trust import Peer, TrustError, TrustList
from tests.protocols.opcua.pki import Identity, issue

URI = "urn:plant"


@pytest.fixture(scope="module")
def authority() -> Identity:
    return issue("authority", is_authority=True)


@pytest.fixture(scope="module")
def server(authority: Identity) -> Identity:
    return issue("server", URI, by=authority)


@pytest.fixture(scope="module")
def alone() -> Identity:
    return issue("alone", URI)


def peer(*chain: Identity, uri: str = URI, host: str = "127.0.0.1") -> Peer:
    return Peer(tuple(one.certificate for one in chain), uri, host)


def listed(*identities: Identity) -> TrustList:
    return TrustList(tuple(one.certificate for one in identities))


def test_a_listed_certificate_is_trusted_for_itself_at_any_host(alone):
    assert listed(alone).refusal(peer(alone, host="10.0.0.9"), wall()) == ""


def test_an_unknown_certificate_is_refused_with_its_name_and_thumbprint(alone, server):
    reason = listed(server).refusal(peer(alone), wall())
    assert "neither its certificate nor its authority is in the trust list" in reason
    assert "CN=alone" in reason
    assert trust.thumbprint(alone.certificate) in reason


def test_an_authority_vouches_for_those_that_it_issued(authority, server):
    assert listed(authority).refusal(peer(server), wall()) == ""


def test_an_authority_vouches_through_one_that_the_peer_sends_along(authority):
    between = issue("between", by=authority, is_authority=True)
    below = issue("below", URI, by=between)
    assert listed(authority).refusal(peer(below, between), wall()) == ""
    assert "neither" in listed(authority).refusal(peer(below), wall())


def test_an_authority_does_not_vouch_at_another_host(authority, server):
    assert "another host than 10.0.0.9" in listed(authority).refusal(peer(server, host="10.0.0.9"), wall())


def test_who_is_no_authority_vouches_for_nobody(alone):
    below = issue("below", URI, by=alone)
    assert "neither" in listed(alone).refusal(peer(below), wall())


def test_a_name_alone_makes_no_authority(authority):
    impostor = issue("authority", is_authority=True)
    below = issue("below", URI, by=impostor)
    assert "neither" in listed(authority).refusal(peer(below), wall())


def test_an_application_of_another_name_is_refused(alone):
    assert "it is for urn:plant, not for urn:other" in listed(alone).refusal(peer(alone, uri="urn:other"), wall())


@pytest.mark.parametrize("begins", [timedelta(days=-9), timedelta(days=9)], ids=["over", "not yet"])
def test_out_of_its_time_it_is_refused(begins):
    late = issue("late", URI, begins=begins)
    assert "valid from" in listed(late).refusal(peer(late), wall())


def test_a_short_key_is_refused():
    short = issue("short", URI, bits=1024)
    assert "1024 bits" in listed(short).refusal(peer(short), wall())


def test_an_authority_out_of_its_time_vouches_for_nobody():
    old = issue("old", is_authority=True, begins=timedelta(days=-9))
    below = issue("below", URI, by=old)
    assert "CN=old: valid from" in listed(old).refusal(peer(below), wall())


def test_who_was_revoked_is_refused_even_if_listed(tmp_path, authority, server):
    for identity, name in ((authority, "authority"), (server, "server")):
        identity.write(tmp_path, name)
        (tmp_path / f"{name}.pem").unlink()
    assert trust.load(tmp_path).refusal(peer(server), wall()) == ""
    before = trust.stamp(tmp_path)
    (tmp_path / "authority.crl").write_bytes(authority.revoke([server]))
    assert trust.stamp(tmp_path) != before
    assert "revoked on" in trust.load(tmp_path).refusal(peer(server), wall())


def test_nobody_else_revokes(tmp_path, authority, server):
    impostor = issue("authority", is_authority=True)
    authority.write(tmp_path, "authority")
    (tmp_path / "authority.pem").unlink()
    (tmp_path / "authority.crl").write_bytes(impostor.revoke([server]))
    assert trust.load(tmp_path).refusal(peer(server), wall()) == ""


def test_no_certificate_is_no_identity(alone):
    assert "no certificate" in listed(alone).refusal(Peer(()), wall())


def test_a_directory_that_is_not_there_is_told(tmp_path):
    with pytest.raises(TrustError, match="cannot be read: No such file"):
        trust.load(tmp_path / "none")
    assert trust.stamp(tmp_path / "none") == ()


@pytest.mark.parametrize("name", ["a.der", "a.pem", "a.crl"])
def test_a_file_that_is_not_what_its_name_says_is_told_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"gibberish")
    with pytest.raises(TrustError, match=name):
        trust.load(tmp_path)


def test_a_chain_in_der_is_taken_apart(authority, server):
    assert trust.certificates_of(server.der + authority.der) == (server.certificate, authority.certificate)


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_a_chain_cut_short_is_no_chain(server, cut):
    with pytest.raises(ValueError):  # noqa: PT011 - the library's words
        trust.certificates_of(server.der[:-cut])
