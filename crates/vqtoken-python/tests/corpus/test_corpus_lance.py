"""Corpora as Lance data sets. Skipped where Lance is not installed."""

from __future__ import annotations

import pytest
import stub_model
from needed_packages import package

import vqtoken
from vqtoken.corpus import CorpusError, ask, encode, to_arrow, to_lance

lance = package("lance")


def test_a_data_set_has_all_rows_and_columns(files, tmp_path):
    (files / "bad.mp4").write_bytes(b"")
    encode(files, tmp_path / "out", loader=stub_model.load, rows_per_piece=3, workers=2)
    to_lance(tmp_path / "out", tmp_path / "out.lance")
    data = lance.dataset(str(tmp_path / "out.lance"))
    assert data.to_table().equals(to_arrow(tmp_path / "out"))
    failed = data.to_table(columns=["path", "error"], filter="error IS NOT NULL").to_pylist()
    assert failed == [{"path": str(files / "bad.mp4"), "error": "a bad video"}]


def test_tokens_and_answers_of_real_clips(corpus, tmp_path):
    data = to_lance(corpus, tmp_path / "tokens.lance")
    row = data.take([3]).to_pylist()[0]
    assert vqtoken.VideoTokens.from_bytes(row["vqt"]).codes == row["codes"] == 8
    ask(corpus, tmp_path / "answers", ["What moves?"], workers=1)
    answers = to_lance(tmp_path / "answers", tmp_path / "answers.lance")
    assert answers.to_table().equals(to_arrow(tmp_path / "answers"))


def test_a_data_set_is_overwritten_only_if_that_is_asked_for(files, tmp_path):
    encode(files, tmp_path / "out", loader=stub_model.load, workers=1)
    address = tmp_path / "out.lance"
    to_lance(tmp_path / "out", address)
    with pytest.raises(CorpusError, match='mode="overwrite"'):
        to_lance(tmp_path / "out", address)
    assert to_lance(tmp_path / "out", address, mode="append").count_rows() == 40
    assert to_lance(tmp_path / "out", address, mode="overwrite").count_rows() == 20


def test_what_cannot_be_written_is_an_error_that_names_the_place(files, tmp_path):
    encode(files, tmp_path / "out", loader=stub_model.load, workers=1)
    for address in ("nothing://none/x.lance", "/proc/none/x.lance"):
        with pytest.raises(CorpusError, match=address):
            to_lance(tmp_path / "out", address)
    with pytest.raises(CorpusError, match="no corpus"):
        to_lance(tmp_path, tmp_path / "x.lance")
