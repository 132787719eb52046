"""The configuration file: what it may say, and every fault of it at once."""

from pathlib import Path

import pytest

from bulkrunner.config import load_settings
from bulkrunner.domain.environment import Kind
from bulkrunner.domain.policy import Policy
from bulkrunner.errors import ConfigError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(text, **variables):
    path = Path("bulkrunner.toml")
    path.write_text(text, encoding="utf-8")
    return load_settings(None, variables)


def faults(text, **variables):
    """The lines of the error, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        load(text, **variables)
    assert caught.value.exit_code == 2
    return [line.removeprefix("bulkrunner.toml:") for line in caught.value.message.splitlines()]


CUSTOM = """
[environments.mine]
kind = "test"
base_url = "https://libris.example.org"
token_url = "https://login.example.org/oauth/token"
"""


def test_without_a_file_everything_is_built_in(folder):
    settings = load_settings(None, {})
    assert settings.path is None
    assert settings.ledger_url == f"sqlite:///{folder}/bulkrunner.db"
    assert settings.policy == Policy()
    addresses = {
        name: (env.kind.value, env.base_url, env.token_url, env.base_uri)
        for name, env in settings.environments.items()
    }
    stg = "https://login-stg.libris.kb.se/oauth/token"
    assert addresses == {
        "production": (
            "production",
            "https://libris.kb.se",
            "https://login.libris.kb.se/oauth/token",
            "https://libris.kb.se/",
        ),
        "staging": ("test", "https://libris-stg.kb.se", stg, "https://libris-stg.kb.se/"),
        "qa": ("test", "https://libris-qa.kb.se", stg, "https://libris-qa.kb.se/"),
        "edu": ("test", "https://libris-edu.kb.se", stg, "https://libris-edu.kb.se/"),
    }


def test_defaults_are_polite():
    environments = load_settings(None, {}).environments
    speeds = {n: (e.rate, e.read_rate, e.concurrency) for n, e in environments.items()}
    assert speeds["production"] == (5, 20, 4)
    assert speeds["staging"] == speeds["qa"] == speeds["edu"] == (20, 50, 8)


def test_a_section_of_a_built_in_name_overrides_single_keys():
    staging = load("[environments.staging]\nrate = 2\nwindows = ['22:00-06:00']\n").environment(
        "staging"
    )
    assert (staging.rate, staging.windows) == (2, ("22:00-06:00",))
    assert staging.base_url == "https://libris-stg.kb.se"
    assert staging.timezone == "Europe/Stockholm"


def test_an_environment_of_ones_own():
    mine = load(
        """
        [environments.mine]
        kind = "test"
        base_url = "http://127.0.0.1:8080/"
        token_url = "http://127.0.0.1:8080/oauth/token"
        base_uri = "https://libris-stg.kb.se"
        rate = 500
        read_rate = 2000.5
        concurrency = 16
        timezone = "UTC"
        """
    ).environment("mine")
    assert (mine.kind, mine.base_url) == (Kind.TEST, "http://127.0.0.1:8080")
    assert mine.base_uri == "https://libris-stg.kb.se/"
    assert (mine.rate, mine.read_rate, mine.concurrency) == (500, 2000.5, 16)


def test_base_uri_follows_base_url():
    assert load(CUSTOM).environment("mine").base_uri == "https://libris.example.org/"


def test_an_unknown_environment_is_told_with_the_known_ones():
    with pytest.raises(ConfigError, match="No environment is called 'prod'") as caught:
        load_settings(None, {}).environment("prod")
    assert "production" in caught.value.hint


def test_every_fault_is_told_at_once_with_its_line():
    found = faults(
        """[ledger]
url = "mysql://x"
uri = 1
[environments.staging]
kid = "test"
rate = true
windows = ["25:00-26:00", "10:00-10:00"]
timezone = "Europe/Nowhere"
client_secret = "hunter2"
[environments.mine]
kind = "tset"
base_url = 5
[policy]
min_staging_coverage = 1.5
staging_max_age_days = nan
plan_max_age_hours = "long"
test_hosts = ["https://x.example", "libris.kb.se"]
functions = "all"
ceilings = {record = 5, delete = -1}
[polcy]
"""
    )
    keys = [line.split(" ")[0] + line.split(" ")[1].rstrip(":") for line in found]
    assert keys == [
        "2:ledger.url",
        "3:ledger.uri",
        "5:environments.staging.kid",
        "6:environments.staging.rate",
        "7:environments.staging.windows",
        "7:environments.staging.windows",
        "8:environments.staging.timezone",
        "9:environments.staging.client_secret",
        "10:environments.mine",
        "11:environments.mine.kind",
        "12:environments.mine.base_url",
        "14:policy.min_staging_coverage",
        "15:policy.staging_max_age_days",
        "16:policy.plan_max_age_hours",
        "17:policy.test_hosts",
        "17:policy.test_hosts",
        "18:policy.functions",
        "19:policy.ceilings.delete",
        "19:policy.ceilings.record",
        "20:polcy",
    ]
    text = "\n".join(found)
    assert "did you mean kind?" in text
    assert "did you mean records?" in text
    assert "did you mean policy?" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[ledger\n", "no TOML"),
        (b"a = \xff\n", "no TOML"),
        (b"a = 1\na = 2\n", "no TOML"),
        (b"# " + b"x" * 1024 * 1024, "longer than"),
        (b"x = " + b"[" * 5000, "no TOML"),
    ],
)
def test_a_file_that_is_no_toml(folder, content, words):
    (folder / "bulkrunner.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load_settings(None, {})
    assert "bulkrunner.toml" in caught.value.message


def test_marks_and_line_ends_of_other_systems(folder):
    text = "[environments.staging]\r\nrate = 3\r\n"
    (folder / "bulkrunner.toml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load_settings(None, {}).environment("staging").rate == 3


def test_a_named_file_must_be_there(folder):
    with pytest.raises(ConfigError, match=r"other\.toml"):
        load_settings(Path("other.toml"), {})
    with pytest.raises(ConfigError):
        load_settings(folder, {})


@pytest.mark.parametrize("name", ["Staging", "a_b", "-x", "1x", "", "å", "a.b", "x-"])
def test_names_that_would_share_a_variable_with_another(name):
    (line,) = faults(CUSTOM.replace("mine", f'"{name}"'))
    assert "a name is made of" in line


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///x.db", "sqlite:///{folder}/x.db"),
        ("sqlite:///data/x.db?timeout=5", "sqlite:///{folder}/data/x.db?timeout=5"),
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
        ("postgresql+psycopg://u:p@h/db", "postgresql+psycopg://u:p@h/db"),
    ],
)
def test_ledger_urls(folder, url, expected):
    expected = expected.format(folder=folder)
    assert load(f'[ledger]\nurl = "{url}"\n').ledger_url == expected
    assert load_settings(None, {}, ledger=url).ledger_url == expected


@pytest.mark.parametrize(
    "url",
    ["x.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://host/x", "mysql://h/d"],
)
def test_urls_that_hold_no_ledger(url):
    (line,) = faults(f'[ledger]\nurl = "{url}"\n')
    assert "ledger" in line
    with pytest.raises(ConfigError):
        load_settings(None, {}, ledger=url)


def test_relative_paths_start_at_the_file(folder, monkeypatch):
    (folder / "sub").mkdir()
    file = folder / "sub" / "conf.toml"
    file.write_text('[ledger]\nurl = "sqlite:///x.db"\n[policy]\nreviewers = "signers"\n')
    settings = load_settings(Path("sub/conf.toml"), {})
    assert settings.ledger_url == f"sqlite:///{folder}/sub/x.db"
    assert settings.reviewers_path == folder / "sub" / "signers"
    assert settings.policy.reviewers == "signers", "the digest of a plan does not know the folder"
    settings = load_settings(Path("sub/conf.toml"), {}, ledger="sqlite:///y.db")
    assert settings.ledger_url == f"sqlite:///{folder}/y.db"


def test_the_password_of_a_ledger_is_not_shown():
    settings = load('[ledger]\nurl = "postgresql://u:hunter2@h/db"\n')
    assert "hunter2" not in repr(settings)


def test_policy():
    settings = load(
        """
        [policy]
        staging_max_age_days = 10
        plan_max_age_hours = 1.5
        resume_max_idle_days = 0
        min_staging_coverage = 1
        test_hosts = ["Test.Example.org."]
        functions = "none"
        ceilings = {records = 100, delete = 0}
        """
    )
    assert settings.policy == Policy(
        staging_max_age_days=10,
        plan_max_age_hours=1.5,
        resume_max_idle_days=0,
        min_staging_coverage=1.0,
        test_hosts=("test.example.org",),
        functions="none",
        ceilings={"records": 100, "delete": 0},
    )


def test_the_sandboxs_own_configuration_is_read(tmp_path):
    from bulkrunner.sandbox.engine import SandboxOptions
    from bulkrunner.sandbox.server import RunningSandbox, write_configuration

    with RunningSandbox(SandboxOptions(bibs=3, holdings=5)) as running:
        write_configuration(tmp_path / "b.toml", (running.test, running.production))
        settings = load_settings(tmp_path / "b.toml", {})
        assert settings.environment("staging").base_url == running.test.base_url
        assert settings.environment("production").kind is Kind.PRODUCTION
