"""Who a caller is, by what it shows."""

from hashlib import sha256

import pytest

from gateway.parties.identity import Denied, Gate, Proof, Shown

A, B = "token of a", "token of b"
CERT = "ab" * 32


def digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


GATE = Gate(
    {
        "A": Proof(token_sha256=digest(A)),
        "B": Proof(token_stored=True),
        "C": Proof(certificates=frozenset({CERT})),
        "D": Proof(subject="d.example"),
        "E": Proof(token_sha256=digest("e"), certificates=frozenset({"cd" * 32})),
        "F": None,
    },
    lambda: {"B": digest(B), "A": digest("not asked for")},
)


@pytest.mark.parametrize(
    ("shown", "party"),
    [
        (Shown(A), "A"),
        (Shown(B), "B"),
        (Shown(None, CERT), "C"),
        (Shown(None, "00" * 32, ("d.example",)), "D"),
        (Shown("e", "cd" * 32), "E"),
        (Shown(), ""),
        (Shown(None, "00" * 32, ("d.example", "other")), ""),
        (Shown(None, "cd" * 32), ""),
    ],
)
def test_who_shows_what_is_asked_of_a_party_is_that_party(shown: Shown, party: str) -> None:
    assert GATE.caller(shown) == party


@pytest.mark.parametrize(
    "shown", [Shown(""), Shown("wrong"), Shown("not asked for"), Shown("e"), Shown("e", CERT), Shown("\udcff")]
)
def test_what_is_nobodys_lets_nobody_in(shown: Shown) -> None:
    with pytest.raises(Denied):
        GATE.caller(shown)


def test_only_who_proves_nothing_is_open() -> None:
    assert [name for name in ("A", "C", "F", "nobody") if GATE.open_to(name)] == ["F"]


def test_no_token_is_ever_repeated() -> None:
    assert A not in repr(Shown(A))
    assert digest(A) not in repr(Proof(token_sha256=digest(A)))
