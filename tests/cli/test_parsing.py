"""The command line: finding commands, reading flags, exit codes."""

import argparse

import pytest

from inhouse import __version__
from inhouse.cli import COMMANDS, main
from inhouse.cli.parsing import Parser, add_settings, parser, read_settings
from inhouse.settings import SettingsError, options


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_version_prints_the_version_and_nothing_else(capsys):
    assert run(capsys, "version") == (0, f"{__version__}\n", "")
    assert run(capsys, "--version") == (0, f"{__version__}\n", "")


def test_without_a_command_every_command_is_listed(capsys):
    code, out, _ = run(capsys)
    assert code == 0
    for name in COMMANDS:
        assert f"  {name} " in out


def test_an_unknown_command_is_refused_with_a_near_one(capsys):
    code, out, err = run(capsys, "sevre")
    assert (code, out) == (2, "")
    assert err == "inhouse: there is no command 'sevre'. Did you mean serve?\n"


def test_a_wrong_flag_is_one_line_and_exit_code_2(capsys):
    code, _, err = run(capsys, "serve", "--prot", "1")
    assert code == 2
    assert err.startswith("inhouse: unrecognized arguments: --prot 1\n")
    assert "Traceback" not in err


def test_a_wrong_setting_is_one_line_and_exit_code_2(capsys, monkeypatch):
    monkeypatch.setenv("INHOUSE_PROT", "1")
    code, _, err = run(capsys, "keys", "list")
    assert code == 2
    assert err.startswith("inhouse: Unknown environment variable INHOUSE_PROT.")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(capsys, name):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert COMMANDS[name].split()[0] in capsys.readouterr().out


def test_flags_of_serve_are_the_settings_that_have_one():
    flags = {text for action in parser("serve")._actions for text in action.option_strings}
    assert {option.flag for option in options() if option.flag} <= flags
    assert "--bootstrap-key" not in flags


def arguments(*given: str) -> argparse.Namespace:
    made = Parser(prog="test")
    add_settings(made)
    return made.parse_args(given)


def test_flags_become_settings():
    read = read_settings(arguments("--port", "9", "--no-auth", "--no-aliases"))
    assert (read.port, read.no_auth, read.aliases) == (9, True, False)
    assert read_settings(arguments()).aliases


def test_a_wrong_value_names_its_flag():
    with pytest.raises(SettingsError, match=r"^--port: expected an integer, got 'x'\.$"):
        read_settings(arguments("--port", "x"))
