"""inhouse serve over TLS, with a certificate of its own."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.cli.test_serve import KEY, command, environ, failure, serving

from inhouse.cli.checks.network import running
from inhouse.cli.client import Client
from inhouse.cli.failures import Failure
from inhouse.settings import Settings

__all__ = ["environ"]

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    chain, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]  # noqa: RUF005 - by lines
        + ["-subj", "/CN=inhouse", "-addext", "subjectAltName=IP:127.0.0.1"]
        + ["-keyout", str(key), "-out", str(chain)],
        check=True,
        capture_output=True,
    )
    return chain, key


def test_a_server_with_a_certificate_speaks_tls_only(tmp_path, environ, certificate):
    chain, key = certificate
    flags = ("--tls-certificate", str(chain), "--tls-key", str(key))
    with serving(tmp_path / "data", environ, *flags) as server:
        settings = Settings(port=server.port, tls_certificate=chain, tls_key=key)
        assert settings.url.startswith("https://")
        assert running(settings)
        answer = Client(f"{settings.url}/v1", KEY, certificate=str(chain)).get("/models")
        assert answer["data"]
        with pytest.raises(Failure, match="CERTIFICATE_VERIFY_FAILED"):
            Client(f"{settings.url}/v1", KEY).get("/models")
        with pytest.raises(Failure):
            Client(f"http://127.0.0.1:{server.port}/v1", KEY).get("/models")
        assert server.end() == 0


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file or directory"), ("nonsense", "NO_START_LINE")]
)
def test_a_certificate_that_cannot_be_used_is_one_line(tmp_path, environ, content, reason):
    path = tmp_path / "tls.pem"
    if content:
        path.write_text(content)
    flags = ("--tls-certificate", str(path), "--tls-key", str(path))
    code, said = failure(command(tmp_path / "data", environ, *flags))
    assert code == 1
    assert said.startswith(f"inhouse: tls_certificate {path}, tls_key {path}: ")
    assert reason in said or "PEM" in said
    assert said.count("\n") == 1
