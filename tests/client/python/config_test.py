"""Where a client connects, by argument, environment, file and default."""

import creamery
import pytest
from creamery import InvalidArgumentError, _config


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("SERVER", "TOKEN_FILE", "TLS_CA", "PROJECT"):
        monkeypatch.delenv(f"CREAMERY_{name}", raising=False)
    (tmp_path / "creamery").mkdir()
    return tmp_path / "creamery" / "config.toml"


def test_without_anything_the_server_is_the_local_one():
    assert _config.settings() == _config.Settings("localhost:50051", None, None, None)


def test_the_file_says_what_nobody_else_says(home):
    home.write_text('server = "hpc:50051"\ntoken_file = "/t"\nproject = "planck"\ntls_ca = "/ca.pem"\n')
    found = _config.settings()
    assert (found.server, str(found.token_file), str(found.tls_ca), found.project) == (
        "hpc:50051",
        "/t",
        "/ca.pem",
        "planck",
    )


def test_the_environment_goes_before_the_file_and_arguments_before_both(home, monkeypatch):
    home.write_text('server = "file:1"\nproject = "file"\n')
    monkeypatch.setenv("CREAMERY_SERVER", "environment:1")
    monkeypatch.setenv("CREAMERY_PROJECT", "environment")
    assert _config.settings().server == "environment:1" and _config.settings().project == "environment"
    found = _config.settings(server="argument:1", project="argument")
    assert (found.server, found.project) == ("argument:1", "argument")


def test_another_server_does_not_get_the_token_of_the_file(home):
    home.write_text('server = "hpc:50051"\ntoken_file = "/t"\ntls_ca = "/ca.pem"\n')
    found = _config.settings(server="elsewhere:50051")
    assert found.token_file is None and found.tls_ca is None
    assert _config.settings(server="hpc:50051").token_file is not None


def test_a_token_leaves_the_token_file_alone(home):
    home.write_text('token_file = "/there/is/none"\n')
    with creamery.Client(token="t") as client:
        assert repr(client) == "<Client of localhost:50051>"


def test_the_home_of_a_user_is_meant_by_a_tilde(home, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    home.write_text('token_file = "~/token"\n')
    assert str(_config.settings().token_file) == "/home/ada/token"


@pytest.mark.parametrize(
    "text, said", [("server = hpc", "TOML"), ("server = 5", "server in .* is 5"), ("\xff", "TOML")]
)
def test_a_file_that_is_wrong_is_named(home, text, said):
    home.write_text(text, encoding="latin-1")
    with pytest.raises(InvalidArgumentError, match=said):
        creamery.Client()


def test_a_key_that_is_not_known_is_warned_of(home):
    home.write_text('sever = "hpc:1"\n')
    with pytest.warns(creamery.CreameryWarning, match="has sever, which is ignored; keys are server"):
        assert _config.settings().server == "localhost:50051"


@pytest.mark.server
def test_a_name_alone_is_of_the_project(server, home):
    home.write_text(f'server = "{server.address}"\nproject = "lensing"\n')
    with creamery.Client() as client:
        assert client.datasets.upload("kids", [[0.0], [1.0]], ["a"]).name == "projects/lensing/datasets/kids"
        assert client.datasets.get("kids").num_rows == 2
        assert client.datasets.get("lensing/kids").num_rows == 2
        with pytest.raises(creamery.NotFoundError, match="projects/lensing/models/cosmo"):
            client.model("cosmo")
