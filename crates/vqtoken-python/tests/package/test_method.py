"""The quantizer, the reducers and the token hash on arrays."""

from __future__ import annotations

import numpy as np
import pytest

import vqtoken


def test_codes_are_means_of_their_unit_tokens(grid):
    quantization = vqtoken.quantize(grid, 8)
    units = grid / np.linalg.norm(grid, axis=-1, keepdims=True)
    for code in range(quantization.codes):
        members = units[quantization.index_map == code]
        np.testing.assert_allclose(quantization.codebook[code], members.mean(axis=0), atol=1e-6)


def test_the_same_seed_gives_the_same_bits(grid):
    first, second = (vqtoken.quantize(grid, 8, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.codebook, second.codebook)
    np.testing.assert_array_equal(first.index_map, second.index_map)


def test_rows_are_one_frame_of_one_row(grid):
    rows = grid.reshape(-1, 16)
    flat, shaped = vqtoken.quantize(rows, 8), vqtoken.quantize(rows.reshape(1, 1, -1, 16), 8)
    assert flat.index_map.shape == (144,)
    np.testing.assert_array_equal(flat.index_map, shaped.index_map.ravel())


def test_an_adaptive_budget_shows_its_curve(grid):
    quantization = vqtoken.quantize(grid, "adaptive:elbow:2-12")
    assert [point.codes for point in quantization.curve] == list(range(2, 13))
    assert 2 <= quantization.codes <= 12
    distortions = [point.distortion for point in quantization.curve]
    assert distortions == sorted(distortions, reverse=True)
    assert quantization.curve_picture().startswith(b"\x89PNG")


def test_a_fixed_budget_has_no_curve(grid):
    quantization = vqtoken.quantize(grid, 4)
    assert quantization.curve == []
    with pytest.raises(vqtoken.TokensError):
        quantization.curve_picture()


@pytest.mark.parametrize("budget", [0, -1, "many", "adaptive:elbow:9-3", 10**6, 3.5, None.__class__])
def test_a_budget_that_is_none_is_refused(grid, budget):
    with pytest.raises(vqtoken.ReduceError):
        vqtoken.quantize(grid, budget)


@pytest.mark.parametrize("info", vqtoken.REDUCERS, ids=lambda info: info.name)
def test_every_reducer_reduces(info):
    tokens = np.random.default_rng(1).normal(size=(8, 8, 8, 16)).astype(np.float32)
    reduction = vqtoken.reduce(tokens, info.usage.split(", ")[0])
    count = len(reduction.tokens)
    assert 1 <= count <= 512  # Thresholds keep all of random tokens.
    assert reduction.positions.shape == (count,)
    assert (np.diff(reduction.positions) > 0).all()
    assert reduction.positions[-1] < reduction.sequence_length
    assert reduction.assignment.shape == (512,)
    assert -1 <= reduction.assignment.min() and reduction.assignment.max() == count - 1
    assert (reduction.quantization is not None) == (info.name == "vqtoken")


def test_a_pruning_reducer_keeps_tokens_as_they_are(grid):
    reduction = vqtoken.reduce(grid, "uniform:10")
    np.testing.assert_array_equal(reduction.tokens, grid.reshape(-1, 16)[reduction.positions])


@pytest.mark.parametrize("name", ["nothing:3", "tome", "tome:0", "tome:1000", "vqtoken:x"])
def test_a_reducer_that_is_none_is_refused(grid, name):
    with pytest.raises(vqtoken.ReduceError):
        vqtoken.reduce(grid, name)


def test_pooling_halves_both_sides(grid):
    assert vqtoken.pool(grid).shape == (4, 3, 3, 16)


def test_the_hash_knows_where_codes_are(grid):
    quantization = vqtoken.quantize(grid, 5)
    hashed = quantization.hash()
    assert hashed.shape == (4, 6, 6) and hashed.codes == 5
    for code in range(5):
        frames, rows, columns = np.nonzero(quantization.index_map == code)
        np.testing.assert_array_equal(hashed.cells(code), np.stack([frames, rows, columns], axis=1))
        np.testing.assert_array_equal(
            hashed.positions(code), np.flatnonzero(quantization.index_map.ravel() == code)
        )
        share = (quantization.index_map == code).mean(axis=(1, 2))
        np.testing.assert_allclose(hashed.presence(code), share, atol=1e-7)
    assert hashed.code_at(3, 5, 1) == quantization.index_map[3, 5, 1]
    paths = hashed.paths(4)
    assert paths.shape == (5, 4, 5)
    np.testing.assert_allclose(paths[:, :, 0].sum(axis=0), 1, atol=1e-6)


def test_the_hash_refuses_what_is_outside(grid):
    hashed = vqtoken.quantize(grid, 5).hash()
    for call in (lambda: hashed.code_at(4, 0, 0), lambda: hashed.cells(5), lambda: hashed.positions(9)):
        with pytest.raises(IndexError):
            call()
    with pytest.raises(vqtoken.ArrayError):
        vqtoken.TokenHash(np.zeros((2, 2), np.uint32))
    with pytest.raises(vqtoken.ArrayError):
        vqtoken.TokenHash(np.full((1, 2, 2), -1))
    with pytest.raises(vqtoken.ArrayError):
        vqtoken.TokenHash(np.full((1, 2, 2), 7), codes=3)
    assert vqtoken.TokenHash(np.zeros((1, 2, 2), np.int64)).codes == 1


def test_tok_dense_is_accuracy_a_token():
    assert vqtoken.tok_dense(46.8, 13.0) == pytest.approx(3.6)
