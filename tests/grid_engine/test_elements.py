"""Admittances of lines, sequence transformers, shunts and sources: against circuit theory, by closed forms."""

import numpy as np

from grid_engine.elements.lines import line_primitives
from grid_engine.elements.primitive import FORTESCUE, Primitives, from_sequences, open_ends
from grid_engine.elements.sequences import sequence_primitives
from grid_engine.elements.shunts import shunt_primitives
from grid_engine.elements.sources import source_currents, source_primitives
from grid_engine.model import (
    ABSENT,
    EARTH,
    Buses,
    ComplexArray,
    IntArray,
    Lines,
    Nodes,
    Ratings,
    SequenceTransformers,
    Shunts,
    Sources,
)

NO_RATINGS = Ratings(*(np.empty(0) for _ in range(8)))


def lines(from_node: IntArray, to_node: IntArray, impedance: ComplexArray, shunt: ComplexArray) -> Lines:
    n = len(from_node)
    return Lines(tuple("abcdef"[:n]), from_node, to_node, impedance, shunt, np.ones(n, dtype=np.bool_), NO_RATINGS)


def three_phase_buses(*phase_v: float) -> tuple[Buses, Nodes]:
    n = len(phase_v)
    unknown = np.full(n, np.nan)
    return (
        Buses(tuple("abcdef"[:n]), np.array(phase_v), unknown, unknown, np.full((n, 2), np.nan)),
        Nodes(np.repeat(np.arange(n), 3), np.tile(np.arange(3), n)),
    )


def sequence_transformer(*, delta: bool, shift_deg: float = 0.0) -> SequenceTransformers:
    one, whole = np.ones(1), np.zeros(1, dtype=np.int64)
    return SequenceTransformers(
        ids=("t",),
        hv_node=np.array([[0, 1, 2]]),
        lv_node=np.array([[3, 4, 5]]),
        rated_va=1e6 * one,
        rated_hv_v=20e3 * one,
        rated_lv_v=400 * one,
        delta_hv=np.array([delta]),
        shift_deg=shift_deg * one,
        impedance_pu=np.array([0.01 + 0.05j]),
        magnetising_pu=np.zeros(1, dtype=np.complex128),
        impedance_zero_pu=np.array([0.02 + 0.04j]),
        magnetising_zero_pu=np.array([1e12 + 0j]),
        zero_hv_share=0.5 * one,
        tap_on_hv=np.array([True]),
        tap_neutral=whole,
        tap_min=whole - 2,
        tap_max=whole + 2,
        tap=whole,
        tap_step_pct=2.5 * one,
        in_service=np.ones(1, dtype=np.bool_),
        ratings=NO_RATINGS,
    )


def test_a_line_drops_its_impedance_and_draws_half_its_charging_at_each_end() -> None:
    impedance = np.array([[[0.3 + 1j, 0.1 + 0.4j], [0.1 + 0.4j, 0.5 + 1.2j]]])
    shunt = np.array([[[4e-6j, -1e-6j], [-1e-6j, 6e-6j]]])
    built = line_primitives(lines(np.array([[0, 1]]), np.array([[2, 3]]), impedance, shunt)).admittance_s[0]
    current = np.array([100 + 5j, -40 + 3j])
    sending = np.array([7200, -3600 + 6235j])
    receiving = sending - impedance[0] @ current
    into = built @ np.concatenate([sending, receiving])
    np.testing.assert_allclose(into[:2], current + shunt[0] @ sending / 2, rtol=1e-12)
    np.testing.assert_allclose(into[2:], -current + shunt[0] @ receiving / 2, rtol=1e-12)


def test_lines_of_fewer_conductors_leave_the_rest_of_their_rows_empty() -> None:
    impedance = np.zeros((2, 2, 2), dtype=np.complex128)
    impedance[0, 0, 0] = 2j
    impedance[1] = np.diag([1, 4])
    shunt = np.full((2, 2, 2), 1e-6j)
    built = line_primitives(
        lines(np.array([[0, ABSENT], [1, 2]]), np.array([[3, ABSENT], [4, EARTH]]), impedance, shunt)
    )
    assert built.node.tolist() == [[0, ABSENT, 3, ABSENT], [1, 2, 4, EARTH]]
    np.testing.assert_allclose(built.admittance_s[0, [0, 0, 2], [0, 2, 2]], [-0.5j + 5e-7j, 0.5j, -0.5j + 5e-7j])
    assert not built.admittance_s[0, [1, 3]].any()
    assert not built.admittance_s[0][:, [1, 3]].any()
    np.testing.assert_allclose(built.admittance_s[1, 1, 3], -0.25)


def test_an_opened_end_floats_so_that_only_charging_is_drawn() -> None:
    impedance, shunt = np.full((1, 1, 1), 1 + 2j), np.full((1, 1, 1), 2e-6j)
    closed = line_primitives(lines(np.array([[0]]), np.array([[1]]), impedance, shunt))
    built = open_ends(closed, np.array([[False, True]])).admittance_s[0]
    np.testing.assert_allclose(built[0, 0], 1e-6j + 1 / (1 + 2j + 1 / 1e-6j), rtol=1e-9)
    assert not built[1].any()
    assert not built[:, 1].any()


def test_a_line_opened_at_both_ends_draws_nothing() -> None:
    impedance = np.full((1, 1, 1), 1 + 2j)
    closed = line_primitives(lines(np.array([[0]]), np.array([[1]]), impedance, 0 * impedance))
    assert not open_ends(closed, np.array([[True, True]])).admittance_s.any()


def test_an_end_at_earth_is_no_switch() -> None:
    built = Primitives(np.array([[0, EARTH]]), np.array([[[1, -1], [-1, 1]]], dtype=np.complex128))
    np.testing.assert_array_equal(open_ends(built, np.array([[False, True]])).admittance_s, built.admittance_s)


def test_a_singular_element_may_float() -> None:
    delta = np.array([[2, -1, -1], [-1, 2, -1], [-1, -1, 2]], dtype=np.complex128)
    matrix = np.block([[delta, -100 * delta], [-100 * delta, 1e4 * delta]])[None]
    built = open_ends(Primitives(np.arange(6)[None], matrix), np.array([[True] * 3 + [False] * 3]))
    np.testing.assert_allclose(built.admittance_s, 0, atol=1e-8)


def test_sequence_values_come_back_from_phase_matrices() -> None:
    values = [np.array([1 + 2j]), np.array([3 - 1j]), np.array([-4j])]
    matrix = FORTESCUE.conj().T @ from_sequences(*values)[0] @ FORTESCUE
    np.testing.assert_allclose(matrix, np.diag([value[0] for value in values]), atol=1e-14)


def test_a_shorted_sequence_transformer_takes_its_rated_current_over_its_impedance() -> None:
    built = sequence_primitives(
        sequence_transformer(delta=False), np.zeros(1, dtype=np.int64), *three_phase_buses(11547.0, 230.9)
    )
    positive = np.exp(-2j * np.pi / 3 * np.arange(3))
    current = built.admittance_s[0] @ np.concatenate([20e3 / np.sqrt(3) * positive, np.zeros(3)])
    rated_a = 1e6 / (np.sqrt(3) * 20e3)
    np.testing.assert_allclose(current[:3], rated_a / (0.01 + 0.05j) * positive, rtol=1e-9)
    np.testing.assert_allclose(current[3:], -50 * current[:3], rtol=1e-9)


def test_a_tap_on_the_high_side_lowers_the_low_side_and_the_shift_turns_it() -> None:
    transformer = sequence_transformer(delta=True, shift_deg=30.0)
    built = sequence_primitives(transformer, np.array([2]), *three_phase_buses(11547.0, 230.9)).admittance_s[0]
    positive = np.exp(-2j * np.pi / 3 * np.arange(3))
    unloaded = np.linalg.solve(built[3:, 3:], -built[3:, :3] @ (20e3 / np.sqrt(3) * positive))
    np.testing.assert_allclose(unloaded, 400 / np.sqrt(3) / 1.05 * positive * np.exp(-1j * np.pi / 6), rtol=1e-9)


def test_a_delta_lets_no_zero_sequence_through() -> None:
    built = sequence_primitives(
        sequence_transformer(delta=True), np.zeros(1, dtype=np.int64), *three_phase_buses(11547.0, 230.9)
    )
    current = built.admittance_s[0] @ np.array([1.0, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(current[3:], 0, atol=1e-12)
    np.testing.assert_allclose(current[:3], 1e-6 * 1e6 / 20e3**2, rtol=1e-3)


def test_a_shunt_is_the_matrix_that_it_was_given() -> None:
    matrix = 1e-3j * np.array([[[2, -1, -1], [-1, 2, -1], [-1, -1, 2]]], dtype=np.complex128)
    built = shunt_primitives(Shunts(("c",), np.array([[0, 1, 2]]), matrix, np.ones(1, dtype=np.bool_)))
    np.testing.assert_array_equal(built.admittance_s, matrix)
    assert built.node.tolist() == [[0, 1, 2]]


def test_a_source_at_its_own_voltage_feeds_nothing() -> None:
    admittance = from_sequences(np.array([0.5 - 2j]), np.array([1 - 4j]), np.array([1 - 4j]))
    sources = Sources(
        ids=("s",),
        node=np.array([[0, 1, 2]]),
        voltage_pu=np.array([1.0]),
        angle_deg=np.array([[30.0, -90.0, 150.0]]),
        admittance_s=admittance,
    )
    current = source_currents(sources, np.array([1.05]), *three_phase_buses(7200.0))
    terminal = 1.05 * 7200 * np.exp(1j * np.deg2rad(sources.angle_deg[0]))
    np.testing.assert_allclose(source_primitives(sources).admittance_s[0] @ terminal, current[0], rtol=1e-12)


def test_a_source_of_one_phase_leaves_the_others_alone() -> None:
    admittance = np.full((1, 3, 3), 1 - 4j)
    sources = Sources(("s",), np.array([[1, ABSENT, ABSENT]]), np.ones(1), np.zeros((1, 3)), admittance)
    current = source_currents(sources, np.ones(1), *three_phase_buses(100.0))
    np.testing.assert_allclose(current, [[100 - 400j, 0, 0]])
    assert np.count_nonzero(source_primitives(sources).admittance_s) == 1
