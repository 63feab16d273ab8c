"""Answers by key: each party has its own, and none can push out another's."""

from gateway.parties.keys import KEPT, Answer, Keys

TAKEN = Answer(202, {"status": "RECEIVED"})


def test_a_party_with_many_keys_pushes_out_its_own_alone() -> None:
    keys = Keys()
    keys.keep("AGENT_A", "k", b"a", TAKEN)
    for k in range(KEPT + 1):
        keys.keep("AGENT_B", f"k{k}", b"b", TAKEN)
    assert keys.recall("AGENT_A", "k", b"a") == TAKEN
    assert keys.recall("AGENT_B", "k0", b"b") is None
    assert keys.recall("AGENT_B", "k1", b"b") == TAKEN
