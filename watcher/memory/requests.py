"""Owns the requests to an agent: a row each, written when it is made and completed with what came of it.

A row is there before the model is asked: so no two requests at once go beyond a budget, and one that dies with its
watcher is counted all the same. What was spent is read off these rows: see `usage`.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from watcher.memory.database import iso
from watcher.memory.models import AgentRequest, SdkSession

ASKED = "asked"  # the outcome of one that is under way, or was cut off
ANSWERED = "answered"


def begin(
    connection: Connection,
    *,
    session_id: str,
    project: str,
    agent: str,
    model: str,
    turns: int,
    tool_uses: int,
    now: int,
) -> int:
    """Write down that a request is made; return its id."""
    statement = insert(AgentRequest).values(
        session_id=session_id,
        project=project,
        agent=agent,
        model=model,
        outcome=ASKED,
        turns=turns,
        tool_uses=tool_uses,
        input_tokens=0,
        output_tokens=0,
        cost_usd=0.0,
        created_at=iso(now),
        created_at_epoch=now,
    )
    (request_id,) = connection.execute(statement).inserted_primary_key or (0,)
    return int(request_id)


def finish(
    connection: Connection, request_id: int, *, outcome: str, input_tokens: int, output_tokens: int, cost_usd: float
) -> None:
    """Write down what came of a request, and what it cost; its session adds it up."""
    this = AgentRequest.id == request_id
    costs = {"input_tokens": input_tokens, "output_tokens": output_tokens, "cost_usd": cost_usd}
    connection.execute(update(AgentRequest).where(this).values(outcome=outcome, **costs))
    its_session = select(AgentRequest.session_id).where(this).scalar_subquery()
    session = update(SdkSession).where(SdkSession.session_id == its_session)
    sums = {name: getattr(SdkSession, name) + cost for name, cost in costs.items()}
    connection.execute(session.values(agent_requests=SdkSession.agent_requests + 1, **sums))


def drop(connection: Connection, request_id: int) -> None:
    """Forget a request that came to nothing and cost nothing."""
    connection.execute(delete(AgentRequest).where(AgentRequest.id == request_id))
