"""Reading YAML: lines are kept, ambiguity and references are refused, size and depth are bounded."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.document import MAX_BYTES, MAX_DEPTH, read_document
from config.faults import ConfigError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "file.yaml"


def read(file, text):
    file.write_text(text, encoding="utf-8")
    return read_document(file)


def faults_of(file, text):
    """(line, problem, remedy) of every fault, whether it ends the reading or not."""
    try:
        found = read(file, text).faults
    except ConfigError as error:
        found = error.faults
    return [(fault.place.line, fault.problem, fault.remedy) for fault in found]


def test_values_have_the_types_of_yaml_1_2(file):
    text = "a: 1\nb: -2.5\nc: 1e3\nd: true\ne: null\nf:\ng: text\nh: '1'\ni: 2021-01-01\nj: [1, {k: ~}]\nl: 1.\nm: .5\n"
    assert read(file, text).root.plain() == {
        "a": 1,
        "b": -2.5,
        "c": 1000.0,
        "d": True,
        "e": None,
        "f": None,
        "g": "text",
        "h": "1",
        "i": "2021-01-01",
        "j": [1, {"k": None}],
        "l": 1.0,
        "m": 0.5,
    }


def test_values_know_the_line_of_their_key(file):
    root = read(file, "a: 1\n\nb:\n  c:\n    3\n  d: [1,\n    2]\n").root
    assert root.value["a"].place.line == 1
    assert root.value["b"].value["c"].place.line == 4
    assert [item.place.line for item in root.value["b"].value["d"].value] == [6, 7]


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("NO", "write false, or 'NO' in quotes where a text is meant"),
        ("on", "write true, or 'on' in quotes where a text is meant"),
        ("010", "write a decimal number, or '010' in quotes where a text is meant"),
        ("12:30", "write a decimal number, or '12:30' in quotes where a text is meant"),
        ("1_000", "write a decimal number, or '1_000' in quotes where a text is meant"),
        ("0x1F", "write a decimal number, or '0x1F' in quotes where a text is meant"),
    ],
)
def test_what_yaml_tools_read_differently_is_refused(file, written, remedy):
    ((line, problem, found_remedy),) = faults_of(file, f"a: 1\nb: {written}\n")
    assert (line, found_remedy) == (2, remedy)
    assert problem.startswith(f"`{written}` is ")
    assert faults_of(file, f"a: 1\nb: '{written}'\n") == []


def test_keys_are_always_text(file):
    assert read(file, "NO: 1\n12: 2\n").root.plain() == {"NO": 1, "12": 2}


@pytest.mark.parametrize("written", [".inf", "-.INF", ".nan", "1e999", "9" * 400])
def test_a_number_is_finite(file, written):
    assert faults_of(file, f"a: {written}\n") == [
        (1, f"`{written}` is not a finite number", "write a number, or leave the key out")
    ]


def test_a_key_twice_is_refused_with_both_lines(file):
    assert faults_of(file, "a: 1\nb: 2\na: 3\n") == [
        (3, "key `a` is here for the second time (first on line 1)", "remove one")
    ]


def test_references_and_tags_are_refused_all_at_once(file):
    assert faults_of(file, "a: &x 1\nb: *x\nc: !!python/object:os.system {}\n") == [
        (1, "anchor `&x` is not supported", "remove it"),
        (2, "alias `*x` is not supported", "write the value out, or use `extends`"),
        (3, "tag `tag:yaml.org,2002:python/object:os.system` is not supported", "remove it"),
    ]


def test_an_alias_bomb_costs_no_more_than_its_text(file):
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
    )
    assert len(faults_of(file, bomb)) == 30 + 29 * 9


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000, "? " * 5000])
def test_deep_nesting_is_refused(file, text):
    ((_, problem, _),) = faults_of(file, f"a:\n {text}\n")
    assert problem == f"nested deeper than {MAX_DEPTH} levels"


def test_a_large_file_is_refused(file):
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match=f"larger than {MAX_BYTES} bytes"):
        read_document(file)


@pytest.mark.parametrize(
    ("text", "line", "problem", "remedy"),
    [
        ("", 1, "the file is empty", "write at least zone, network and devices"),
        ("# only a comment\n", 1, "the file is empty", "write at least zone, network and devices"),
        ("- a\n", 1, "not a mapping", "write `zone:`, `network:`, `devices:` at the top"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins", "keep one document per file: remove the `---`"),
        ("a: 1\nb: c: d\n", 2, "not valid YAML: mapping values are not allowed here", None),
        ("a:\n\t- b\n", 2, None, "indent with spaces, not tabs"),
        ("a: [1\nb: 2\n", 2, None, None),
        ("? [a]\n: 1\n", 1, "a key must be a single word", "write the key as plain text"),
    ],
)
def test_faults_of_syntax_name_the_line(file, text, line, problem, remedy):
    ((found_line, found_problem, found_remedy),) = faults_of(file, text)
    assert found_line == line
    assert problem is None or found_problem == problem
    assert remedy is None or found_remedy == remedy


@pytest.mark.parametrize("escape", ["\\ud800", "\\0", "\\e[2J"])
def test_control_and_half_characters_are_refused(file, escape):
    assert faults_of(file, f'a: 1\nb: "x{escape}"\n') == [
        (2, "the text has control characters or half a character in it", "remove the escapes")
    ]


def test_text_that_is_not_utf_8_is_refused_at_its_line(file):
    file.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigError, match=":2: not UTF-8 text"):
        read_document(file)


@given(text=st.text(st.sampled_from("ab:-[]{}&*!'\"#|>?,%@` \n\t0.~\x00\u2028é"), max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    with suppress(ConfigError):
        read_document(file)
