"""Prepares a made site for a load, judges what learners have answered under it, and leaves the site as it was found."""

import random
import signal
import sys

# isort: off
from benchmarks import django_process  # before all that needs Django set up

# isort: on
from benchmarks import sessions, site_learners, visits
from benchmarks.as_found import AsFound
from benchmarks.probe import serve
from benchmarks.site import COACHED_RUNS
from coaching_plugin import audit
from coaching_plugin.models import CoachingConsent

FINDERS = {
    visits.NOT_OUR_COURSE: site_learners.of_another_course,
    visits.ANSWERED: site_learners.answered,
    visits.NOT_ELIGIBLE: site_learners.not_eligible,
    visits.TO_BE_ASKED: site_learners.to_be_asked,
}
ANONYMOUS_PAGES = 50


class Site:
    """A made site, and those of its learners who visit it."""

    def __init__(self):
        self._as_found: AsFound | None = None
        self._asked: list[int] = []

    def prepare(self, learners: dict[str, int]) -> dict[str, list]:
        """Return, by state, learners who are logged in: as many as are wanted, or there are."""
        chance = random.Random(7)
        found = {state: FINDERS[state](chance, number) for state, number in learners.items()}
        users = {visitor.user.pk: visitor.user for some in found.values() for visitor in some}
        self._asked = [visitor.user.pk for visitor in found[visits.TO_BE_ASKED]]
        self._as_found = AsFound(users.values())
        keys = sessions.log_in(users.values())
        guests = {
            state: [
                {
                    "state": state,
                    "course_key": str(visitor.course_key),
                    "username": visitor.user.username,
                    "session": keys[visitor.user.pk],
                }
                for visitor in some
            ]
            for state, some in found.items()
        }
        runs = chance.sample(COACHED_RUNS, ANONYMOUS_PAGES)
        anonymous = [{"state": visits.ANONYMOUS, "course_key": str(run)} for run in runs]
        return guests | {visits.ANONYMOUS: anonymous}

    def judge(self, answered: dict[str, int]) -> list[str]:
        """Return what is wrong with the ledger, of so many answers that the LMS has confirmed, by what was answered."""
        rows = CoachingConsent.objects.filter(user_id__in=self._asked)
        problems = {"a ledger does not hold" for _row, verdict in audit.of_each(rows) if not verdict.is_sound}
        for status, number in answered.items():
            stored = rows.filter(status=status).count()
            if stored != number:
                problems.add(f"{number} answers were confirmed as {status}, and {stored} are stored")
        return sorted(problems)

    def leave(self) -> list[str]:
        """Leave the site as it was found, if that is still to be done, and return what is not so."""
        sessions.log_out_all()
        as_found, self._as_found = self._as_found, None
        return as_found.restore() if as_found else []


def main():
    """Answer what the benchmark asks."""
    django_process.write_log_nowhere()
    # Where the benchmark is ended in its midst, too, by whatever lets a process end as it likes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    site = Site()
    try:
        serve({"prepare": site.prepare, "judge": site.judge, "leave": site.leave})
    finally:
        site.leave()


if __name__ == "__main__":
    main()
