"""Where secrets come from, and that they show nowhere."""

import os
import sys
from pathlib import Path

import pytest

from bulkrunner.adapters.libris.credentials import Credentials, find_credentials
from bulkrunner.config import load_settings
from bulkrunner.errors import AccessLost, ConfigError

ID, SECRET = "BULKRUNNER_STAGING_CLIENT_ID", "BULKRUNNER_STAGING_CLIENT_SECRET"
PRINTS = "import sys; sys.stderr.write('hunter2 on stderr'); print('hunter2'); print('more')"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def no_keyring(service, client_id):
    return None


def command(code=PRINTS):
    return f"client_secret_command = ['{sys.executable}', '-c', '''{code}''']\n"


def named(text, mode=0o600):
    path = Path("named.toml")
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return load_settings(path, {})


def find(settings, name="staging", keyring=no_keyring, **variables):
    return find_credentials(settings, settings.environment(name), variables, keyring=keyring)


def test_variables_come_first():
    settings = named("[environments.staging]\nclient_id = 'file'\n" + command())
    found = find(settings, **{ID: "supplier", SECRET: "from-variable\n"})
    assert found == Credentials(client_id="supplier", client_secret="from-variable")


def test_the_name_of_an_environment_is_part_of_the_variable():
    settings = named(
        "[environments.my-own]\nkind='test'\nbase_url='https://a.example'\n"
        "token_url='https://b.example/t'\n"
    )
    variables = {"BULKRUNNER_MY_OWN_CLIENT_ID": "i", "BULKRUNNER_MY_OWN_CLIENT_SECRET": "s"}
    assert find(settings, "my-own", **variables).client_secret == "s"
    with pytest.raises(AccessLost):
        find(settings, "staging", **variables)


def test_the_first_line_that_a_command_prints():
    settings = named("[environments.staging]\nclient_id = 'supplier'\n" + command())
    assert find(settings).client_secret == "hunter2"


def test_a_command_is_no_shell_line():
    settings = named(
        "[environments.staging]\nclient_id = 'c'\n"
        f"client_secret_command = ['{sys.executable}', '-c', 'import sys; print(sys.argv[1])', "
        "'$HOME; `id` | x']\n"
    )
    assert find(settings).client_secret == "$HOME; `id` | x"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; print('hunter2'); sys.exit(3)", "ended with 3"),
        ("print()", "printed nothing"),
        ("import sys; sys.stdout.buffer.write(b'hunter2\\xff')", "no text"),
    ],
)
def test_a_command_that_fails_says_so_without_its_output(code, words, capfd):
    settings = named("[environments.staging]\nclient_id = 'supplier'\n" + command(code))
    with pytest.raises(AccessLost, match=words) as caught:
        find(settings)
    assert "hunter2" not in str(caught.value) + caught.value.hint + "".join(capfd.readouterr())


def test_a_command_that_is_not_there():
    settings = named(
        "[environments.staging]\nclient_id = 'c'\nclient_secret_command = ['/nowhere/at/all']\n"
    )
    with pytest.raises(AccessLost, match="cannot be started"):
        find(settings)


def test_the_keyring_comes_last():
    asked = []

    def keyring(service, client_id):
        asked.append((service, client_id))
        return ("supplier", "from-keyring")

    found = find(named(""), keyring=keyring)
    assert found == Credentials(client_id="supplier", client_secret="from-keyring")
    assert asked == [("bulkrunner/staging", None)]


def test_what_is_missing_is_named_with_every_place():
    with pytest.raises(AccessLost) as caught:
        find(named(""))
    error = caught.value
    assert (error.exit_code, error.code) == (7, "no_credentials")
    assert f"{ID} and {SECRET} not set" in error.message
    assert "keyring" in error.message
    with pytest.raises(AccessLost, match=f": {SECRET} not set"):
        find(named(""), **{ID: "supplier"})
    with pytest.raises(AccessLost, match=f": {ID} not set") as caught:
        find(named(""), **{SECRET: "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_folder_that_came_from_elsewhere_starts_no_program(folder):
    marker = folder / "ran"
    text = "[environments.staging]\n" + command(f"open('{marker}', 'w')")
    Path("bulkrunner.toml").write_text(text)
    with pytest.raises(ConfigError, match="client_secret_command"):
        load_settings(None, {})
    assert not marker.exists()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_starts_no_program(mode):
    with pytest.raises(ConfigError, match="chmod go-w"):
        named("[environments.staging]\n" + command(), mode)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_starts_no_program():
    path = Path("named.toml")
    path.write_text("[environments.staging]\n" + command())
    os.chown(path, 12345, -1)
    with pytest.raises(ConfigError, match="belongs to you"):
        load_settings(path, {})


@pytest.mark.parametrize("given", ["'pass show x'", "[]", "['a', 5]", "['']"])
def test_a_command_is_a_list_of_arguments(given):
    with pytest.raises(ConfigError, match="client_secret_command"):
        named(f"[environments.staging]\nclient_secret_command = {given}\n")


# The user's own file


def own_file(folder, text, mode=0o600):
    path = folder / "home" / ".config" / "bulkrunner" / "bulkrunner.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(mode)
    return {"HOME": str(folder / "home")}


def test_the_users_own_file_holds_ids_and_commands(folder):
    home = own_file(folder, "[environments.staging]\nclient_id = 'mine'\n" + command())
    settings = load_settings(None, home)
    assert find(settings) == Credentials(client_id="mine", client_secret="hunter2")


def test_the_users_own_folder_may_be_elsewhere(folder):
    path = folder / "xdg" / "bulkrunner" / "bulkrunner.toml"
    path.parent.mkdir(parents=True)
    path.write_text("[environments.staging]\nclient_id = 'xdg'\n")
    settings = load_settings(None, {"XDG_CONFIG_HOME": str(folder / "xdg"), "HOME": "/nowhere"})
    assert settings.clients["staging"].client_id == "xdg"


@pytest.mark.parametrize(
    "text",
    [
        "[policy]\n",
        "[ledger]\n",
        "[environments.staging]\nbase_url = 'https://x.example'\n",
        "[environments.staging]\nclient_secret = 'hunter2'\n",
        "[environments.mine]\nclient_id = 'no token_url'\n",
    ],
)
def test_nothing_else_stands_in_the_users_own_file(folder, text):
    with pytest.raises(ConfigError) as caught:
        load_settings(None, own_file(folder, text))
    assert "hunter2" not in caught.value.message


def test_the_users_own_file_must_be_the_users(folder):
    home = own_file(folder, "[environments.staging]\nclient_id = 'mine'\n", 0o666)
    with pytest.raises(ConfigError, match="must belong to you"):
        load_settings(None, home)


def test_a_project_cannot_send_the_users_secret_elsewhere(folder):
    home = own_file(
        folder,
        "[environments.acme]\ntoken_url = 'https://login.acme.example/t'\n" + command(),
    )
    project = (
        "[environments.acme]\nkind = 'test'\nbase_url = 'https://acme.example'\n"
        "token_url = 'https://login.{}.example/t'\n"
    )
    Path("bulkrunner.toml").write_text(project.format("acme"))
    assert load_settings(None, home).clients["acme"].command is not None
    Path("bulkrunner.toml").write_text(project.format("evil"))
    with pytest.raises(ConfigError, match=r"login\.evil\.example"):
        load_settings(None, home)


def test_nothing_shows_the_secret():
    credentials = Credentials(client_id="supplier", client_secret="hunter2")
    assert "hunter2" not in f"{credentials!r} {credentials}"
