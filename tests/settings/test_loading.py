from pathlib import Path

import pytest

from inhouse.settings import Settings, SettingsError, Upstream, load, options

SECRET = "s" * 32


def refusal(environ: dict[str, str], flags: dict[str, str | None] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ, flags)
    return str(caught.value)


@pytest.fixture
def toml(tmp_path: Path):
    def write(text: str) -> dict[str, str]:
        path = tmp_path / "inhouse.toml"
        path.write_text(text)
        return {"INHOUSE_CONFIG": str(path)}

    return write


def test_with_nothing_given_the_defaults_hold():
    settings = load({"PATH": "/bin"})
    assert settings == Settings()
    assert settings.data == Path.home() / ".inhouse"
    assert settings.models == settings.data / "models"
    assert settings.url == "http://127.0.0.1:8420"


def test_a_flag_wins_over_the_environment_and_that_over_the_file(toml):
    environ = toml("port = 1\nhost = '::1'\nparallel = 2\n") | {
        "INHOUSE_PORT": "2",
        "INHOUSE_HOST": "localhost",
    }
    settings = load(environ, {"port": "3", "host": None})
    assert (settings.port, settings.host, settings.parallel) == (3, "localhost", 2)


def test_the_config_flag_wins_over_its_variable(toml, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text("port = 5\n")
    assert load(toml("port = 4\n"), {"config": str(other)}).port == 5


def test_an_unknown_variable_is_refused_with_a_near_match():
    said = refusal({"INHOUSE_PROT": "1"})
    assert said.startswith("Unknown environment variable INHOUSE_PROT. Did you mean INHOUSE_PORT")


def test_an_empty_variable_is_not_set():
    assert load({"INHOUSE_PORT": ""}).port == 8420


def test_an_unknown_key_is_refused_with_its_file_and_a_near_match(toml):
    said = refusal(toml("prot = 1\n"))
    assert "inhouse.toml: unknown key 'prot'. Did you mean port" in said


def test_an_unknown_flag_is_refused():
    assert refusal({}, {"prot": "1"}) == "There is no flag for 'prot'. Did you mean port?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = '8420'", "port: expected a port number, got a string."),
        ("port = true", "port: expected a port number, got a boolean."),
        ("port = 70000", "port: expected a port between 0 and 65535, got 70000."),
        ("no_auth = 1", "no_auth: expected true or false, got an integer."),
        ("cors_origins = 'x'", "cors_origins: expected an array of strings, got a string."),
        ("cors_origins = [1]", "cors_origins: expected an array of strings, got an integer in it."),
        ("max_body_bytes = '9 bananas'", "expected a size such as 64MiB or 8GiB"),
        ("drain_seconds = 'soon'", "expected a duration such as 500ms, 30s or 2m"),
        ("parallel = 0", "parallel: expected at least 1, got 0."),
        ("log_level = 'loud'", "expected debug, info, warning or error, got 'loud'"),
        ("trusted_proxies = ['me']", "expected addresses or networks, got 'me'"),
        ("config = 'x.toml'", "'config' cannot be set in the file."),
        ("upstreams = 3", "upstreams: expected [[upstreams]] tables."),
        ("port = ", "not valid TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_refused_by_name(toml, text, said):
    assert said in refusal(toml(text))


def test_a_missing_file_is_refused(tmp_path):
    path = tmp_path / "none.toml"
    assert refusal({"INHOUSE_CONFIG": str(path)}).startswith(f"{path}: cannot be read")


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        ("1024", 1024),
        ("64MiB", 64 * 2**20),
        ("8 GiB", 8 * 2**30),
        ("2GB", 2 * 10**9),
        ("1.5k", 1536),
    ],
)
def test_sizes_have_units(raw, size):
    assert load({"INHOUSE_MEMORY_BUDGET_BYTES": raw}).memory_budget_bytes == (size)


@pytest.mark.parametrize(("raw", "seconds"), [("500ms", 0.5), ("30", 30), ("30s", 30), ("2m", 120)])
def test_durations_have_units(raw, seconds):
    assert load({"INHOUSE_DRAIN_SECONDS": raw}).drain_seconds == seconds


def test_lists_are_separated_by_commas_and_pip_arguments_by_spaces():
    settings = load(
        {
            "INHOUSE_CORS_ORIGINS": "https://a.example, https://b.example",
            "INHOUSE_PIP_ARGS": "--index-url 'https://x y'",
        }
    )
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.pip_args == ("--index-url", "https://x y")


def test_secrets_are_never_shown():
    settings = Settings(
        secret=(SECRET,),
        bootstrap_key="sk-first",
        upstreams=(Upstream(name="a", base_urls=("http://x/v1",), api_key="sk-other"),),
    )
    shown = repr(settings)
    assert SECRET not in shown
    assert "sk-first" not in shown
    assert "sk-other" not in shown


def test_secrets_have_no_flag():
    flags = {option.name: option.flag for option in options()}
    assert flags["secret"] is None
    assert flags["bootstrap_key"] is None


def test_no_auth_is_only_for_loopback_addresses():
    assert load({"INHOUSE_NO_AUTH": "yes", "INHOUSE_HOST": "::1"}).no_auth
    assert "only on a loopback address" in refusal(
        {"INHOUSE_NO_AUTH": "yes", "INHOUSE_HOST": "0.0.0.0"}  # noqa: S104 - refused
    )


@pytest.mark.parametrize(
    "environ",
    [
        {"INHOUSE_TLS_KEY": "k.pem"},
        {"INHOUSE_SECRET": "short"},
        {"INHOUSE_BOOTSTRAP_KEY": "two words"},
        {"INHOUSE_METRICS_PORT": "8420"},
    ],
)
def test_settings_that_do_not_agree_are_refused(environ):
    assert refusal(environ)


def test_an_upstream_is_read_from_the_file(toml):
    environ = toml(
        """
        [[upstreams]]
        name = "gpu"
        base_url = "http://gpu:8000/v1/"
        api_key_env = "GPU_KEY"
        idle_seconds = "90s"
        [upstreams.fields]
        max_completion_tokens = "max_tokens"

        [[upstreams]]
        name = "many"
        base_urls = ["unix:///run/a.sock", "https://b.example/v1"]
        models = ["m"]
        """
    )
    one, two = load(environ | {"GPU_KEY": "sk-gpu"}).upstreams
    assert one.base_urls == ("http://gpu:8000/v1",)
    assert (one.api_key, one.models, one.idle_seconds, one.retries) == ("sk-gpu", None, 90.0, 2)
    assert one.fields == {"max_completion_tokens": "max_tokens"}
    assert two.base_urls == ("unix:///run/a.sock", "https://b.example/v1")
    assert two.models == ("m",)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("base_url = 'http://x/v1'", "upstreams[0]: name is missing."),
        ("name = 'x'", "upstreams[0]: base_url is missing."),
        ("name = 'x'\nbase_url = 'ftp://x'", "expected an http, https or unix URL, got 'ftp://x'"),
        ("name = 'x'\nbase_url = 'http://me:pw@x/'", "without a user or password"),
        ("name = 'x'\nbase_urls = []", "expected at least one URL"),
        ("name = 'x'\nbase_ulr = 'http://x'", "unknown key 'base_ulr'. Did you mean base_ur"),
        ("name = 'x'\nbase_url = 'http://x'\nretries = 99", "expected at most 20, got 99"),
        ("name = 'x'\nbase_url = 'http://x'\napi_key_env = 'NONE'", "the variable NONE is not set"),
        (
            "name = 'x'\nbase_url = 'http://x'\napi_key_env = 'N'\napi_key = 'k'",
            "api_key_env and api_key: only one of them",
        ),
    ],
)
def test_an_upstream_that_is_wrong_is_refused_by_place(toml, table, said):
    assert said in refusal(toml(f"[[upstreams]]\n{table}\n"))


def test_two_upstreams_of_one_name_are_refused(toml):
    table = "[[upstreams]]\nname = 'x'\nbase_url = 'http://x'\n"
    assert "two have the name 'x'" in refusal(toml(table * 2))


def test_paths_in_the_file_are_meant_from_its_folder(toml, tmp_path):
    assert load(toml("data = 'state'\n")).data == tmp_path / "state"


def test_a_server_on_all_interfaces_is_shown_as_localhost():
    assert Settings(host="0.0.0.0").url == "http://localhost:8420"  # noqa: S104 - not bound
    assert Settings(host="::1", port=1).url == "http://[::1]:1"
