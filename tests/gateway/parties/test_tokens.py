"""Tokens are kept as digests, and a new one counts at once."""

from hashlib import sha256
from pathlib import Path

import pytest

from gateway.parties import tokens


def test_a_new_token_takes_the_place_of_the_old_without_a_restart(tmp_path: Path) -> None:
    stored = tokens.StoredTokens(tmp_path)
    assert stored() == {}
    for _ in range(2):
        token, digest = tokens.make()
        path = tokens.keep(tmp_path, "A", digest)
        assert stored() == {"A": sha256(token.encode()).hexdigest()}
        assert token not in path.read_text()
    tokens.keep(tmp_path, "B", "0" * 64)
    assert stored() == {"A": digest, "B": "0" * 64}
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["[]", "{", '{"A": 1}'])
def test_a_file_of_another_make_lets_nobody_in_and_is_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / tokens.FILE).write_text(text)
    assert tokens.StoredTokens(tmp_path)() == {}
    with pytest.raises(tokens.TokenFileError, match="move it away"):
        tokens.keep(tmp_path, "A", "0" * 64)
