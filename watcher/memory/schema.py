"""Owns the schema: making a new one, and migrating an older one.

A new database is made from the models at once; Alembic, whose import takes a tenth of a second and twelve megabytes,
is needed only where an older one is migrated. A test holds the two ways together.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from watcher import resources
from watcher.memory.faults import DatabaseError
from watcher.memory.models import Base
from watcher.memory.versions import head

_MAKE_VERSION = """
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)
"""


def is_there(connection: Connection) -> bool:
    """Say whether the database has a schema of some version."""
    found = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
    return found.first() is not None


def is_ours(connection: Connection) -> bool:
    """Say whether it is this version's."""
    return bool(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == head())


def bring_up_to_date(connection: Connection, path: Path) -> None:
    """Make the schema, or bring it to this version's; belongs into one transaction.

    Raises:
        DatabaseError: a newer version of the program has been here.
    """
    if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar():
        _migrate(connection, path)
        return
    Base.metadata.create_all(connection)
    connection.exec_driver_sql(_MAKE_VERSION)
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (head(),))


def _migrate(connection: Connection, path: Path) -> None:
    from alembic import command  # here: what this needs nothing else does
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(resources.migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseError(
            f"{path} was written by a newer claude-mem ({error})",
            hint="upgrade claude-mem, or point CLAUDE_MEM_HOME at another folder",
        ) from error
