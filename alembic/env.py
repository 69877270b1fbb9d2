"""Runs the migrations on the connection that the program hands over, or on the developer's database."""

from alembic import context

from watcher import settings
from watcher.memory import search_index
from watcher.memory.database import Database
from watcher.memory.models import Base


def is_ours_to_compare(name, kind, _parents):
    """Say whether a model describes a table."""
    return not (kind == "table" and search_index.is_part(name))


def run(connection):
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=is_ours_to_compare,
        transaction_per_migration=False,
        render_as_batch=True,  # SQLite cannot alter most things in place.
    )
    context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("claude-mem migrates a real database only; try without --sql")

given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with Database(settings.load().database).write() as own:
        run(own)
