"""Owns running one statement for many rows at the speed of the driver.

SQLAlchemy takes longer to make one row's parameters ready than SQLite to store it. Here a statement is compiled once,
and its rows go to the driver as tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Delete, Insert, Update
from sqlalchemy.dialects import sqlite

from watcher.memory.database import as_json

_Row = Mapping[str, Any]
_Compiled = tuple[str, Callable[[_Row], tuple[Any, ...]]]


class Prepared:
    """A statement whose parameters are named by the rows that it is run for."""

    def __init__(self, statement: Insert | Update | Delete) -> None:
        self._statement = statement
        self._compiled: _Compiled | None = None

    def run(self, connection: Connection, rows: Sequence[_Row]) -> int:
        """Run it for all rows, which all have the same names; return how many it changed.

        A column that the rows of an insert do not name has its default.
        """
        if not rows:
            return 0
        if self._compiled is None:
            self._compiled = self._compile(list(rows[0]))
        text, values_of = self._compiled
        return connection.exec_driver_sql(text, [values_of(row) for row in rows]).rowcount

    def _compile(self, names_of_row: list[str]) -> _Compiled:
        """Return the text, and what makes a row's values as the driver wants them."""
        dialect = sqlite.dialect(paramstyle="qmark", json_serializer=as_json)
        columns = names_of_row if isinstance(self._statement, Insert) else None
        compiled = self._statement.compile(dialect=dialect, column_keys=columns)
        names = compiled.positiontup or []
        binds = compiled.binds
        # The statement's own, such as a status that it looks for.
        constants = {name: bind.value for name, bind in binds.items() if not bind.required}
        to_process = [
            (index, process)
            for index, name in enumerate(names)
            if (process := binds[name].type.dialect_impl(dialect).bind_processor(dialect)) is not None
        ]
        pick = itemgetter(*names)

        def values_of(row: _Row) -> tuple[Any, ...]:
            values = list(pick({**constants, **row} if constants else row))
            for index, process in to_process:
                values[index] = process(values[index])
            return tuple(values)

        return str(compiled), values_of
