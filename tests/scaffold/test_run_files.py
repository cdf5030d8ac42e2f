from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ebmkit.errors import ConfigError
from ebmkit.scaffold.run_files import RunFile, run_file, run_files


@pytest.mark.parametrize("name", run_files())
def test_a_run_file_is_called_by_its_name_or_as_its_file(name: str) -> None:
    for spelling in (name, name.replace("-", "_"), f"{name}.toml"):
        assert run_file(spelling) == run_files()[name]
    assert tomllib.loads(run_file(name).text) == tomllib.loads(run_file(name).path.read_text())


def test_a_beginning_is_enough_where_one_name_has_it_and_a_whole_name_wins() -> None:
    names = set(run_files())
    for name in names:
        for end in range(1, len(name)):
            begun = [each for each in names if each.startswith(name[:end])]
            if len(begun) == 1 or name[:end] in names:
                assert run_file(name[:end]).name in (name, name[:end])
            else:
                with pytest.raises(ConfigError) as refused:
                    run_file(name[:end])
                assert all(each in str(refused.value) for each in begun)


def test_the_title_is_the_first_sentence_of_the_first_comment(tmp_path: Path) -> None:
    file = RunFile("it", tmp_path / "it.toml")
    for text, title in {
        "# One run of\n# J. B. Doe: small. More words.\n\n# Not this.\n[run]\n": "One run of J. B. Doe",
        "# Quick. It takes 2.5 minutes.\n": "Quick",
        "[run]\n# Not this.\n": "",
    }.items():
        file.path.write_text(text)
        assert file.title == title


def test_commands_in_a_run_file_name_it_where_it_will_stand(tmp_path: Path) -> None:
    file = RunFile("it", tmp_path / "it.toml")
    file.path.write_text("# ebmkit run examples/it.toml\n# or examples/paper/it.toml, of examples/own.py\n")
    assert file.text == "# ebmkit run it.toml\n# or it.toml, of examples/own.py\n"
