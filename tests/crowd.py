"""Random learners with a history, and the report on them counted again in plain Python, without any SQL."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from coaching_plugin import disclosures, ledger
from coaching_plugin.models import CoachingConsent
from coaching_plugin.reports.answers import REFUSALS
from coaching_plugin.reports.statistics import difference, wilson
from tests import factories
from tests.factories import LIST1, MB101, MB102, PLAIN, PROGRAM_UUID

NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)  # a Wednesday
COACHED = [MB101, MB102, LIST1]
PROGRAMS = {str(PROGRAM_UUID): [MB101, MB102], "none": [LIST1]}


@dataclass
class Learner:
    """What the database was told of one learner."""

    user_id: int | None
    # Course key, mode, whether it is active, since when.
    enrollments: list = field(default_factory=list)
    # Course key and time, of whatever kind.
    activity: list = field(default_factory=list)
    # Kind, time and reason, in order.
    events: list = field(default_factory=list)
    status: str = "undecided"
    stopped: bool = False

    def is_in(self, keys):
        return any(key in keys and mode == "verified" for key, mode, _active, _since in self.enrollments)

    def is_eligible(self, keys):
        since = datetime(2026, 8, 27, tzinfo=UTC)  # 90 days before NOW, whole days
        return any(
            key in keys
            and mode == "verified"
            and active
            and (enrolled >= since or any(run == key and at >= since for run, at in self.activity))
            for key, mode, active, enrolled in self.enrollments
        )

    def has(self, *kinds):
        return any(kind in kinds for kind, _at, _reason in self.events)

    @property
    def is_known(self):
        return self.has("asked", "consented", "declined")

    @property
    def first_asked(self):
        return next((at for kind, at, _ in self.events if kind == "asked"), None)

    @property
    def first_answer(self):
        """Kind and time of the first answer after being asked."""
        seen = False
        for kind, at, _reason in self.events:
            if seen and kind in ("consented", "declined"):
                return kind, at
            seen = seen or kind == "asked"
        return None, None


def make(chance, number):
    """Store so many random learners, and return them as they were stored."""
    factories.overview(PLAIN)
    words = disclosures.current()
    learners = [_make_one(chance, words) for _ in range(number)]
    # Their accounts are deleted, and their ledger stays.
    for learner in learners[:2]:
        factories.User.objects.filter(pk=learner.user_id).delete()
        learner.user_id, learner.enrollments, learner.activity = None, [], []
    return learners


def _make_one(chance, words):
    account = factories.user()
    learner = Learner(account.pk)
    moment = NOW - timedelta(days=chance.randrange(1, 200), seconds=chance.randrange(86_400))
    for key in chance.sample([*COACHED, PLAIN], chance.randrange(4)):
        ago = timedelta(days=chance.randrange(1, 300))
        mode, active = chance.choice(["verified", "verified", "verified", "audit"]), chance.random() < 0.8
        factories.enroll(account, key, mode, active)
        factories.CourseEnrollment.objects.filter(user=account, course_id=key).update(created=NOW - ago)
        learner.enrollments.append((key, mode, active, NOW - ago))
        at = NOW - timedelta(days=chance.randrange(0, 250), seconds=chance.randrange(80_000))
        match chance.randrange(4):
            case 0:
                factories.complete_block(account, at, key)
            case 1:
                factories.save_state(account, at, key)
            case 2:
                factories.engage(account, at.date(), key)
                # A day counts, whenever in it.
                at = datetime.combine(at.date(), datetime.max.time(), tzinfo=UTC)
            case _:
                continue
        learner.activity.append((key, at))
    _tell(learner, account, moment, chance, words)
    return learner


def _tell(learner, account, moment, chance, words):
    """Append a random history that ``consent.py`` could have written."""
    if chance.random() < 0.15:
        return
    row = CoachingConsent.objects.create(user=account)

    def record(kind, reason=""):
        nonlocal moment
        ledger.append(row, kind, door="page", reason=reason, shown=words, occurred_at=moment)
        learner.events.append((kind, moment, reason))
        at = moment
        pause = timedelta(seconds=int(chance.lognormvariate(6, 4)) % 2_000_000)
        moment = min(moment + pause, NOW - timedelta(seconds=1))
        return at

    if chance.random() < 0.85:
        row.asked_at = record("asked")
    while chance.random() < 0.3:
        record("refused", " ".join(chance.sample(REFUSALS, chance.randrange(1, 4))))
    answer = chance.choice(["consented", "consented", "declined", None])
    if answer:
        row.status, row.answered_at = answer, record(answer)
    if answer == "consented" and chance.random() < 0.4:
        row.status = "withdrawn"
        if chance.random() < 0.5:
            row.answered_at = record("withdrawn", "learner")
        else:
            row.answered_at = row.opted_out_at = record("opted_out", "stop")
            learner.stopped = True
    if row.status in ("withdrawn", "declined") and chance.random() < 0.4:
        record("ask_again", "please")
        row.status, row.asked_at, row.answered_at, learner.stopped = "undecided", None, None, False
        if chance.random() < 0.7:
            row.asked_at = record("asked")
        if chance.random() < 0.5:
            row.status, row.answered_at = "consented", record("consented")
    learner.status = row.status
    row.save()


# The report again -----------------------------------------------------------------------------------------------------


def standing(learners, keys):
    """Return the row of a group in the funnel."""
    ours = [learner for learner in learners if keys is None or learner.is_in(keys)]
    known = [learner for learner in ours if learner.is_known]
    asked = [learner for learner in known if learner.has("asked")]
    eligible = [learner for learner in learners if learner.is_eligible(COACHED if keys is None else keys)]
    of = Counter(learner.status for learner in known)
    base = len(known) + sum(not learner.is_known for learner in eligible)
    return {
        "learners": base,
        "eligible": len(eligible),
        "asked": len(asked),
        "consented": of["consented"],
        "declined": of["declined"],
        "withdrawn": of["withdrawn"],
        "opted_out": sum(learner.status == "withdrawn" and learner.stopped for learner in known),
        "unanswered": of["undecided"],
        "rate": of["consented"] / base if base else None,
        "rate_of_asked": sum(learner.status == "consented" for learner in asked) / len(asked) if asked else None,
    }


def weeks(learners):
    """Return, by Monday, what happened in the week, where anything did."""
    happened, first = defaultdict(lambda: defaultdict(set)), defaultdict(list)
    for learner in learners:
        for kind, at, _reason in learner.events:
            happened[_monday(at)][kind].add(id(learner))
        if learner.first_asked:
            first[_monday(learner.first_asked)].append(learner.status == "consented")
    kinds = ("asked", "consented", "declined", "withdrawn", "opted_out", "refused")
    return {
        monday: {
            **{kind: len(by_kind[kind]) for kind in kinds},
            "rate": sum(first[monday]) / len(first[monday]) if first[monday] else None,
        }
        for monday, by_kind in happened.items()
    }


def _monday(at):
    return (at.date() - timedelta(days=at.weekday())).isoformat()


def delays(learners):
    """Return the seconds from being asked to the first answer, in order."""
    found = [
        (learner.first_answer[1] - learner.first_asked).total_seconds()
        for learner in learners
        if learner.first_answer[1]
    ]
    return sorted(found)


def refusals(learners):
    """Return, by reason, submissions and learners."""
    submissions, people = Counter(), defaultdict(set)
    for learner in learners:
        for kind, _at, reason in learner.events:
            for code in reason.split() if kind == "refused" else ():
                submissions[code] += 1
                people[code].add(id(learner))
    return {code: (submissions[code], len(people[code])) for code in submissions}


def persistence(learners):
    """Return, by row, the numbers of the comparison."""
    found = {}
    for measure in ("30", "60", "90", "another_course"):
        days = timedelta(days=30 if measure == "another_course" else int(measure))
        shares = []
        for arm in ("consented", "declined"):
            ours = [
                learner for learner in learners if learner.first_answer[0] == arm and learner.first_asked <= NOW - days
            ]
            reached = sum(_took_another(one) if measure == "another_course" else _stayed(one, days) for one in ours)
            shares.append(wilson(reached, len(ours)) if ours else None)
            found[f"{measure}-{arm}"] = {"learners": len(ours), "reached": reached, **_interval(shares[-1])}
        both = difference(*shares) if all(shares) else None
        found[f"{measure}-difference"] = {"learners": None, "reached": None, **_interval(both)}
    return found


def _interval(estimate):
    return {
        name: estimate and getattr(estimate, at) for name, at in (("share", "value"), ("low", "low"), ("high", "high"))
    }


def _took_another(learner):
    return any(
        key in COACHED and mode == "verified" and since > learner.first_asked
        for key, mode, _active, since in learner.enrollments
    )


def _stayed(learner, days):
    since = learner.first_asked + days
    enrolled = [at for key, mode, _active, at in learner.enrollments if key in COACHED and mode == "verified"]
    active = [at for key, at in learner.activity if key in COACHED]
    return any(at >= since for at in [*enrolled, *active])
