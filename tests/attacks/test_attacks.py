from pathlib import Path

import pytest

from tests.attacks import MODULES, load
from tests.attacks.__main__ import BEGIN, DOCS, END, main, table, write
from tests.attacks.outcome import Outcome


@pytest.mark.parametrize("name", MODULES)
def test_what_gets_through_is_named_with_its_reason(name: str, tmp_path: Path) -> None:
    found = list(load(name)(tmp_path))

    assert found
    assert {one.kind: one.unexplained for one in found if one.unexplained} == {}
    assert [one.kind for one in found if not one.tried] == []


def test_the_table_counts_and_gives_reasons() -> None:
    one = Outcome("secret: sample", 6, ("a", "b", "c", "d", "e"), {"a": "it is no secret"})

    assert one.unexplained == ("b", "c", "d", "e")
    other = Outcome("false alarms in 1 MB", 40, ("f",), {"f": "it looks like one"}, is_attack=False)

    assert table([other, one]).splitlines() == [
        "| attack or secret | tried | got through |",
        "|---|---|---|",
        "| secret: sample | 6 | 5 |",
        "| all | 6 | 5 |",
        "| false alarms in 1 MB | 40 | 1 |",
        "",
        "Why they get through:",
        "",
        "- it looks like one (1): false alarms in 1 MB: f",
        "- it is no secret (1): secret: sample: a",
        "- NOT MEANT TO GET THROUGH (4): secret: sample: b; secret: sample: c; secret: sample: d and 1 more",
    ]


def test_a_name_that_is_none_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert "no attacks named nothing" in capsys.readouterr().err


def test_the_table_is_written_between_its_marks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    docs = tmp_path / "attacks.md"
    docs.write_text(f"before\n{BEGIN}old\n{END}behind\n", encoding="utf-8")
    monkeypatch.setattr("tests.attacks.__main__.DOCS", docs)
    write("the table\n")
    written = docs.read_text(encoding="utf-8")
    assert written.startswith(f"before\n{BEGIN}Run on 2")
    assert written.endswith(f":\n\nthe table\n{END}behind\n")


def test_the_docs_have_a_table() -> None:
    assert "| all |" in DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
