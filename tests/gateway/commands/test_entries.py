"""What is wrong with a file is told with where it stands; nothing of a row is dropped unsaid."""

import pytest

from gateway.commands._entries import FileFaultsError, read_entries
from gateway.commands._outage_file import read_works

COLUMNS = ("id", "mw")


def faults_of(path, content: bytes, read=lambda path: read_entries(path, COLUMNS, ("id",))) -> tuple[str, ...]:
    path.write_bytes(content)
    with pytest.raises(FileFaultsError) as caught:
        read(path)
    return caught.value.faults


def test_entries_of_both_forms_come_with_their_places(tmp_path):
    rows, document = tmp_path / "a.csv", tmp_path / "a.json"
    rows.write_text('id,mw\nN1, 0.5 \n"N\n2",\n')
    document.write_text('[{"id": "N1", "mw": 0.5}, 7]')
    assert read_entries(rows, COLUMNS, ("id",)) == [
        ("line 2", {"id": "N1", "mw": "0.5"}),
        ("line 4", {"id": "N\n2"}),
    ]
    assert read_entries(document, COLUMNS, ("id",)) == [("entry 0", {"id": "N1", "mw": 0.5}), ("entry 1", {})]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"\xff\xfe", "it is no text in UTF-8"),
        ("a.json", b"\xff\xfe", "it is no text in UTF-8"),
        ("a.json", b"{}", "not a list of entries"),
        ("a.json", b"[" * 100_000, "not JSON"),
        ("a.csv", b"id,mvar\n", "line 1: column 'mvar' is not known; use id, mw"),
        ("a.csv", b"mw\n", "line 1: there is no column 'id'"),
        ("a.csv", b"id\n" + b"x" * 200_000, "line 2: field larger than field limit"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, name, content, said):
    (fault,) = faults_of(tmp_path / name, content)
    assert fault.startswith(f"{name}: {said}")


def test_a_cell_too_much_is_told(tmp_path):
    content = b"id,start,end,open\nW1,2030-01-01T00:00Z,2030-01-01T01:00Z,SW12,SWT\n"
    (fault,) = faults_of(tmp_path / "oms.csv", content, read_works)
    assert fault.startswith("oms.csv: line 2: 'a cell beyond the last column' is not known")
