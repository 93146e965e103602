"""inhouse models, on a data folder."""

import json

import pytest

from inhouse.cli import main
from inhouse.engines.catalogue import seed
from inhouse.engines.scripted_kinds import GUISES

TEXT = "smollm2-135m-instruct"


@pytest.fixture
def inhouse(tmp_path, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        folders = ["--data", str(tmp_path / "data"), "--models", str(tmp_path / "models")]
        code = main(["models", *arguments, *folders])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def weights(tmp_path) -> str:
    """The source of a file that begins as GGUF does."""
    path = tmp_path / "Tiny-1M.gguf"
    path.write_bytes(b"GGUF" + bytes(60))
    return f"file:{path}"


def test_a_fresh_folder_has_the_defaults_not_pulled_yet(inhouse):
    models = {each["id"]: each for each in json.loads(inhouse("list", "--json")[1])}
    assert set(models) == set(seed().defaults)
    assert models[TEXT]["state"] == "not pulled"


def test_all_lists_what_can_be_pulled_too(inhouse):
    models = {
        each["id"]: each["state"] for each in json.loads(inhouse("list", "--all", "--json")[1])
    }
    assert set(models) == set(seed().entries)
    assert "can be pulled" in models.values()


def test_in_a_pipe_a_list_has_a_line_for_each_model(inhouse):
    lines = inhouse("list")[1].splitlines()
    assert f"{TEXT}\tnot pulled\t8192" in "\n".join(lines)
    assert len(lines) == len(seed().defaults)


def test_a_file_is_a_model_under_its_name(inhouse, weights):
    code, out, _ = inhouse("pull", weights, "--context-length", "64")
    assert (code, out) == (0, "tiny-1m is here.\n")
    shown = json.loads(inhouse("show", "tiny-1m", "--json")[1])
    assert (shown["state"], shown["context_length"], shown["size"]) == ("here", 64, 64)
    assert len(shown["sha256"]) == 64


def test_a_model_with_a_projector_sees(inhouse, weights, tmp_path):
    eyes = tmp_path / "mmproj.gguf"
    eyes.write_bytes(b"GGUF" + bytes(80))
    assert inhouse("pull", weights, "--name", "seer", "--mmproj", str(eyes))[0] == 0
    shown = json.loads(inhouse("show", "seer", "--json")[1])
    assert "vision" in shown["abilities"]
    assert (shown["mmproj"], len(shown["mmproj_sha256"])) == (str(eyes), 64)
    eyes.unlink()
    assert json.loads(inhouse("show", "seer", "--json")[1])["state"] == "not pulled"


def test_a_name_is_given_once(inhouse, weights):
    inhouse("pull", weights, "--name", "tiny")
    code, _, err = inhouse("pull", weights, "--name", "tiny")
    assert (code, err) == (1, "inhouse: There is a model 'tiny' already. Give another --name.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "pull takes the name of a model, or --defaults"),
        (("x", "--defaults"), 2, "pull takes the name of a model, or --defaults"),
        (("nonsense",), 1, "There is no model 'nonsense' to pull."),
        (("file:/none.gguf",), 1, "There is no file /none.gguf"),
        (("hf:a/b/weights.bin@main",), 1, "weights.bin"),
    ],
)
def test_what_cannot_be_pulled_is_one_line(inhouse, arguments, code, said):
    ended, out, err = inhouse("pull", *arguments)
    assert (ended, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_aliases_are_set_listed_and_removed(inhouse):
    assert inhouse("alias", "mine", TEXT)[0] == 0
    aliases = json.loads(inhouse("alias", "--json")[1])
    assert aliases == {**seed().aliases, "mine": TEXT}
    assert inhouse("alias", "--remove", "gpt-*")[0] == 0
    assert "gpt-*" not in json.loads(inhouse("alias", "--json")[1])
    assert inhouse("alias", "--remove", "gpt-*")[0] == 1


def test_an_alias_leads_to_a_model_that_is_there(inhouse):
    code, _, err = inhouse("alias", "mine", "nonsense")
    assert code == 1
    assert TEXT in err


def test_show_follows_aliases_and_rules_and_lists_them(inhouse):
    inhouse("alias", "mine", TEXT)
    for name in ("mine", "gpt-5.2", TEXT):
        shown = json.loads(inhouse("show", name, "--json")[1])
        assert shown["id"] == TEXT
        assert {"mine", "gpt-*"} <= set(shown["aliases"])
    assert inhouse("show", "nonsense")[0] == 1


def test_a_removed_model_stays_removed(inhouse):
    assert inhouse("remove", TEXT)[0] == 0
    assert TEXT not in inhouse("list")[1]
    assert inhouse("remove", TEXT)[0] == 1


@pytest.fixture
def behind(upstream, tmp_path, monkeypatch):
    """Puts the scripted upstream into the configuration, with more settings of it."""

    def configure(more: str = "") -> None:
        config = tmp_path / "inhouse.toml"
        config.write_text(f"[[upstreams]]\nname = 'gpu'\nbase_url = '{upstream.url}'\n{more}")
        monkeypatch.setenv("INHOUSE_CONFIG", str(config))

    return configure


def test_a_model_of_an_upstream_is_shown_with_what_is_known_of_it_and_how(
    inhouse, upstream, behind
):
    upstream.server.guise = GUISES["vllm"]
    behind("[upstreams.fields]\nseed = false\n")
    shown = json.loads(inhouse("show", "scripted", "--json")[1])
    assert (shown["state"], shown["source"]) == ("upstream", "gpu")
    assert (shown["server"], shown["takes_developer"], shown["counts_tokens"]) == (
        *("vLLM 0.14.1", True, True),
    )
    assert shown["fields"]["seed"] == {"rule": False, "by": "configured"}
    assert shown["fields"]["max_completion_tokens"] == {"rule": "max_tokens", "by": "probed"}
    assert shown["fields"]["verbosity"] == {"rule": "", "by": "assumed"}
    said = inhouse("show", "scripted")[1]
    assert "guided_json = 'structured_outputs.json' (probed)" in said
    assert "seed = False (configured)" in said


def test_a_model_whose_server_fails_or_is_left_alone_is_shown_as_assumed(inhouse, upstream, behind):
    upstream.server.fault = "500"
    behind()
    shown = json.loads(inhouse("show", "scripted", "--json")[1])
    assert (shown["server"], shown["takes_developer"]) == (None, None)
    assert {rule["by"] for rule in shown["fields"].values()} == {"assumed"}
    upstream.server.fault = None
    upstream.server.requests.clear()
    behind("probe = false\n")
    inhouse("show", "scripted")
    assert [path for path, _, _ in upstream.server.requests] == ["/v1/models"]


def test_an_upstream_that_does_not_answer_is_told(inhouse, tmp_path, monkeypatch):
    config = tmp_path / "inhouse.toml"
    config.write_text("[[upstreams]]\nname = 'gpu'\nbase_url = 'http://127.0.0.1:9/v1'\n")
    monkeypatch.setenv("INHOUSE_CONFIG", str(config))
    code, out, err = inhouse("list")
    assert code == 0
    assert TEXT in out
    assert err.startswith("upstream gpu: http://127.0.0.1:9/v1: ")
