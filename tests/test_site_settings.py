"""The settings of the site: an ordinary project, safe to extend."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

import django_site
from tests import postgres

ROOT = Path(django_site.__file__).parent.parent


def run(
    *command: str, folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, with only these variables for the site."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("DJANGO_")
    }
    site = {"DJANGO_SETTINGS_MODULE": "django_site.settings"}
    return subprocess.run(
        [sys.executable, *command],
        env=inherited | site | environment,
        cwd=folder,
        capture_output=True,
        text=True,
    )


def setting(name: str, folder: Path = ROOT, /, **environment: str) -> str:
    """Return the repr of a setting, as read with these environment variables."""
    code = f"from django.conf import settings; print(repr(settings.{name}))"
    process = run("-c", code, folder=folder, **environment)
    assert "" == process.stderr
    return process.stdout.strip()


def test_checks_pass() -> None:
    """Django's system checks find nothing to say."""
    call_command("check", fail_level="INFO")


@pytest.mark.django_db
def test_migrations_are_complete() -> None:
    """The migrations describe the models as they are."""
    call_command("makemigrations", check=True, dry_run=True)


def test_settings_are_extended_with_a_star() -> None:
    """A settings file adds an app and a middleware on top of `import *`."""
    code = (
        "from django_site.settings import *\n"
        "INSTALLED_APPS = [*INSTALLED_APPS, 'django.contrib.humanize']\n"
        "MIDDLEWARE = [*MIDDLEWARE, 'mine.middleware']\n"
    )
    names: dict[str, list[str]] = {}
    exec(code, names)
    assert [*settings.INSTALLED_APPS, "django.contrib.humanize"] == names[
        "INSTALLED_APPS"
    ]
    assert [*settings.MIDDLEWARE, "mine.middleware"] == names["MIDDLEWARE"]


def test_site_knows_nothing_of_what_follows() -> None:
    """The whole site is loaded without websockets, Redis or django-sesame."""
    code = (
        "import sys, django; django.setup()\n"
        "import django_site.urls, django_site.wsgi\n"
        "import django_site.bookshop.management.commands.demo_data\n"
        "print({name.split('.')[0] for name in sys.modules}\n"
        "      & {'websockets', 'redis', 'django_redis', 'sesame', 'fakeredis'})"
    )
    assert "set()\n" == run("-c", code).stdout


def test_database_is_a_file_of_the_site() -> None:
    """Without DATABASE_URL, the database is an SQLite file beside the settings."""
    database = Path(django_site.__file__).with_name("db.sqlite3")
    assert repr(str(database)) == setting("DATABASES['default']['NAME']")


def test_site_lives_in_any_folder(tmp_path: Path) -> None:
    """The name of the folder may hold characters that are special in a URL."""
    folder = tmp_path / "100% a shop? #1"
    shutil.copytree(ROOT / "django_site", folder / "django_site")
    database = folder / "django_site" / "db.sqlite3"
    assert repr(str(database)) == setting("DATABASES['default']['NAME']", folder)


def demo_on(database_url: str) -> None:
    """Migrate the database, then run demo_data on it, twice."""
    for command, words in [
        ("migrate", "Applying bookshop.0001_initial... OK"),
        ("demo_data", "Created or put right"),
        ("demo_data", "Nothing to do"),
    ]:
        process = run("-m", "django", command, DATABASE_URL=database_url)
        assert "" == process.stderr
        assert words in process.stdout


def test_database_url_chooses_another_file(tmp_path: Path) -> None:
    """DATABASE_URL may name another SQLite file."""
    demo_on(f"sqlite:///{tmp_path}/other.sqlite3")
    assert (tmp_path / "other.sqlite3").exists()


def test_database_url_chooses_postgresql() -> None:
    """DATABASE_URL may name a PostgreSQL server."""
    with postgres.running_postgres() as database_url:
        demo_on(database_url)


def test_postgresql_is_found_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's programs are those of the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "initdb").touch(mode=0o755)
    assert tmp_path == postgres.find_programs()


def test_newest_postgresql_of_debian_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off the PATH, PostgreSQL's programs are those of Debian's newest version."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)
    for version in ["9.6", "15"]:
        (tmp_path / version / "bin").mkdir(parents=True)
    assert tmp_path / "15" / "bin" == postgres.find_programs()


def test_missing_postgresql_skips_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without PostgreSQL, a test is skipped and says how to install it."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)
    with pytest.raises(pytest.skip.Exception, match="apt-get install postgresql"):
        postgres.find_programs()


def test_development_needs_no_environment() -> None:
    """DEBUG is on by default, with a key that says it is for development."""
    assert "True" == setting("DEBUG")
    assert "'django-insecure-for-development-only'" == setting("SECRET_KEY")


def test_production_needs_a_key() -> None:
    """With DEBUG off, the site doesn't start without a key of its own."""
    check = run("-m", "django", "check", DJANGO_DEBUG="0")
    assert 1 == check.returncode
    assert check.stderr.endswith("KeyError: 'DJANGO_SECRET_KEY'\n")


def test_production_is_configured_by_environment() -> None:
    """Key and host names come from the environment."""
    environment = {
        "DJANGO_DEBUG": "0",
        "DJANGO_SECRET_KEY": "a key of our own",
        "DJANGO_ALLOWED_HOSTS": "shop.example.com www.example.com",
    }
    assert "False" == setting("DEBUG", **environment)
    assert "'a key of our own'" == setting("SECRET_KEY", **environment)
    assert "['shop.example.com', 'www.example.com']" == setting(
        "ALLOWED_HOSTS", **environment
    )
