"""Statements as CSV and as a page."""

import csv
import io
from dataclasses import replace
from xml.etree import ElementTree as ET

from gateway.reports.statement import CSV_COLUMNS, as_csv, as_page
from gateway.settlement.performance import Obligation, performances
from gateway.settlement.settle import Deal, settled
from gateway.settlement.words import Box, Statement, Terms

MW = 1e6
TERMS = Terms(utilisation_per_mwh=60, penalty_per_mwh=90)
FOUND = performances(
    [Obligation(n * 300.0, 300.0, 2 * MW, Box(0, 1.2 * MW, "l1") if n else None) for n in range(3)],
    [0.0] * 3,
    [1.5 * MW, 1.2 * MW, 1.1 * MW],
    TERMS,
    [False, True, False],
)
STATEMENT = Statement(
    "st-1",
    "AGENT_A",
    0.0,
    900.0,
    settled(Deal("o<1>", "A", "DSO", "AGENT_A"), FOUND, TERMS),
    FOUND,
    inputs="digest 12ab",
)


def test_every_line_is_a_row_and_the_rows_add_up():
    rows = list(csv.DictReader(io.StringIO(as_csv(STATEMENT))))
    assert tuple(rows[0]) == CSV_COLUMNS
    signed = [float(r["amount"]) * (1 if r["payee"] == "AGENT_A" else -1) for r in rows]
    assert round(sum(signed), 2) == round(STATEMENT.net, 2)
    assert rows[0]["period_end"] == "1970-01-01T00:15Z"


def test_text_from_outside_is_no_formula():
    line = replace(STATEMENT.lines[0], reference="=HYPERLINK(1)")
    (row,) = csv.DictReader(io.StringIO(as_csv(replace(STATEMENT, lines=(line,)))))
    assert row["reference"] == "'=HYPERLINK(1)"


def test_the_page_is_whole_escaped_and_draws_the_intervals():
    text = as_page(STATEMENT)
    assert "o&lt;1&gt;" in text
    assert "o<1>" not in text
    assert text.count("<svg") == 1
    assert "excused by l1, estimated" in text
    assert "digest 12ab" in text
    assert "http" not in text.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    ), "it needs nothing beside itself"
    svg = text[text.index("<svg") : text.index("</svg>") + 6]
    assert ET.fromstring(svg).tag.endswith("svg")


def test_a_correction_says_why():
    second = STATEMENT.corrected(STATEMENT.lines, "the participant's meter was right")
    assert "Version 2: the participant&#x27;s meter was right." in as_page(second)
