"""The stored results, opened for one page; and the page in its place where there are none to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response

from daemon.store.journal import JournalError, journal_path, read_journal
from daemon.store.reading import Reader, reader
from daemon.store.results import StoreError, store_path
from daemon.store.schema import StoreAwayError
from daemon.store.where import is_there
from daemon.web.pages import page
from daemon.web.site import Site, site_of


class NoResultsError(Exception):
    """There are no results to be read."""

    def __init__(self, why: str, detail: str) -> None:
        super().__init__(detail)
        self.why = why
        """Key of the words that say what to do, in the section `results`."""
        self.detail = detail
        """What the store says itself, or where it should be."""


@contextmanager
def results(site: Site) -> Iterator[Reader]:
    """The results of a site, open to be read. Raises NoResultsError, also for what fails while they are read."""
    path = store_path(site.state)
    try:
        if not is_there(path):
            known = read_journal(journal_path(site.state)).last
            raise NoResultsError("gone" if known else "absent", str(path))
        with reader(site.state) as found:
            yield found
    except StoreAwayError as error:
        raise NoResultsError("away", str(error)) from error
    except StoreError as error:
        raise NoResultsError("locked" if error.kind == "locked" else "broken", str(error)) from error
    except (JournalError, OSError) as error:
        raise NoResultsError("broken", f"{path}: {error}") from error


def with_results(request: Request, title: str, make: Callable[[Reader], Response]) -> Response:
    """The page that is made of the results; where they cannot be read, one that says why and what to do.

    Args:
        request: that is answered.
        title: key of the page's name.
        make: makes the page.
    """
    try:
        with results(site_of(request)) as found:
            return make(found)
    except NoResultsError as error:
        status = 200 if error.why == "absent" else 503
        return page(request, "no_results.html.j2", status=status, title=title, why=error.why, detail=error.detail)
