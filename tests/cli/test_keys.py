"""inhouse keys, on a data folder."""

import json

import pytest

from inhouse.cli import main


@pytest.fixture
def inhouse(tmp_path, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, "--data", str(tmp_path / "data")])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_new_key_is_all_that_stdout_gets(inhouse):
    code, out, err = inhouse("keys", "create", "--name", "laptop")
    assert code == 0
    assert out.startswith("sk-")
    assert len(out.split()) == 1
    assert "'laptop'" in err


def test_keys_are_listed_without_their_values(inhouse):
    value = inhouse("keys", "create", "--name", "laptop")[1].strip()
    _, out, _ = inhouse("keys", "list")
    assert "laptop" in out
    assert value not in out
    (key,) = json.loads(inhouse("keys", "list", "--json")[1])
    assert (key["name"], key["role"], key["permissions"]) == ("laptop", "member", ["*"])
    assert value not in json.dumps(key)


def test_a_key_can_be_restricted(inhouse):
    made = json.loads(
        inhouse("keys", "create", "--owner", "--permission", "models.read", "--json")[1]
    )
    assert (made["role"], made["permissions"]) == ("owner", ["models.read"])
    assert made["value"].startswith("sk-")


def test_a_revoked_key_is_listed_no_more(inhouse):
    made = json.loads(inhouse("keys", "create", "--json")[1])
    assert inhouse("keys", "revoke", made["id"])[0] == 0
    assert json.loads(inhouse("keys", "list", "--json")[1]) == []


def test_revoking_a_key_that_is_not_there_fails_in_one_line(inhouse):
    inhouse("keys", "create")
    assert inhouse("keys", "revoke", "key_x") == (1, "", "inhouse: No such API key: key_x\n")


def test_a_key_for_a_project_that_is_not_there_is_refused(inhouse):
    code, _, err = inhouse("keys", "create", "--project", "proj_x")
    assert (code, err) == (1, "inhouse: No such project: proj_x\n")
