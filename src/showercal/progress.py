"""The progress bar of work that is counted in events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def event_bar(
    title: str, n_events: int | None, done: int = 0, *, shown: bool = True
) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal with events per second.

    Args:
        title: What is being done.
        n_events: Events in all, or None where only the work tells.
        done: Events that an earlier run did.
        shown: Whether there is a bar at all.

    Yields:
        What is to be told how many events more are done.
    """
    if not shown:
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]} events/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, speed_estimate_period=60) as bar:
        task = bar.add_task(title, total=n_events, completed=done, speed="-")

        def advance(events: int) -> None:
            bar.advance(task, events)
            speed = bar.tasks[0].speed
            bar.update(task, speed=(f"{speed:.1f}" if speed < 100 else f"{speed:,.0f}") if speed else "-")

        yield advance
