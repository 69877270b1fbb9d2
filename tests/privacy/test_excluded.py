from __future__ import annotations

from pathlib import Path

import pytest

from watcher.errors import UsageError
from watcher.privacy.excluded import Excluded
from watcher.service.admission import Admission
from watcher.settings import PrivacySettings

HOME = Path("/home/u")


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("~/clients/**", "/home/u/clients/acme/api", "/home/u/clientside"),
        ("~/clients/*", "/home/u/clients/acme", "/home/v/clients/acme"),
        ("~/clients/", "/home/u/clients", "/home/u"),
        ("$HOME/clients", "/home/u/clients/a", "/home/u/code"),
        ("/srv/a?c", "/srv/abc/deep/er", "/srv/abbc"),
        ("**/secret-*", "/any/where/secret-thing/src", "/any/where/my-secret-thing"),
        ("*/nda/**", "/x/nda/y", "/x/ndas/y"),
        ("D:\\work\\acme", "D:\\work\\acme\\api", "D:\\work\\acme2"),
        ("/srv/[a]/x", "/srv/[a]/x/y", "/srv/a/x"),
        ("~", "/home/u/anything", "/home/v"),
    ],
)
def test_a_folder_and_what_is_below_it(pattern: str, inside: str, outside: str) -> None:
    excluded = Excluded([pattern], HOME)
    assert excluded.holds(inside)
    assert not excluded.holds(outside)
    assert not excluded.holds("")


def test_a_link_leads_into_it(tmp_path: Path) -> None:
    real, link = tmp_path / "data" / "clients", tmp_path / "clients"
    (real / "acme").mkdir(parents=True)
    link.symlink_to(real)
    for pattern in (f"{link}/**", f"{real}/**"):
        for folder in (link / "acme", real / "acme"):
            assert Excluded([pattern], HOME).holds(str(folder)), (pattern, folder)


@pytest.mark.parametrize("pattern", ["", "clients", "clients/**", "./clients", "~other/x", "/a\n/b"])
def test_what_is_no_whole_path_is_said_so(pattern: str) -> None:
    with pytest.raises(UsageError, match="is no whole path") as caught:
        Excluded([pattern], HOME)
    assert "~/clients/**" in str(caught.value.hint)


def test_without_patterns_nothing_is() -> None:
    assert Excluded([], HOME).globs == ()
    assert not Excluded([], HOME).holds("/home/u")


@pytest.mark.parametrize("space", ["\u00a0", "\u3000"])
def test_a_folder_may_have_any_space_in_its_name(space: str) -> None:
    """The memory's own home, too: Windows makes it of the user's name, in which some write a space of their own."""
    folder = f"/home/dev{space}x/secret"
    assert Excluded([folder], HOME).holds(f"{folder}/api")
    assert Admission(PrivacySettings(), Path(f"/home/dev{space}x/.claude-mem")).is_private(
        f"/home/dev{space}x/.claude-mem/agent"
    )
