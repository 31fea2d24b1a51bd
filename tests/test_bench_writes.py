"""Consent writes of the benchmark: what is judged wrong, and that a site is left as it was found."""

import pytest
from django.db import connection

from benchmarks.consent_writes import WAYS, Way, _measured, _report
from benchmarks.site import COACHED_RUNS
from coaching_plugin import consent
from coaching_plugin.models import CoachedCourse, CoachingConsent, ConsentEvent, PartnerDelivery
from tests import factories

on_mariadb = pytest.mark.skipif(connection.vendor != "mysql", reason="real threads; the MariaDB run has them")

LEARNERS = 6
# Of six learners: two say yes and later no, two yes, two no.
WRITES = 8


@pytest.fixture
def site(committed, flags, settings):
    """A site whose coached runs are those of the benchmark, and what asks it in this process."""
    from benchmarks.consent_writes_probe import Site

    settings.COACHING_API_THROTTLE = "100000/minute"
    CoachedCourse.objects.bulk_create(CoachedCourse(course_key=run) for run in COACHED_RUNS)
    for run in COACHED_RUNS[:3]:
        factories.overview(run)
    site = Site()
    site.prepare()
    yield site
    site.end()


@on_mariadb
@pytest.mark.parametrize("way", ["plugin", "page"])
@pytest.mark.parametrize("threads", [1, 8])
def test_each_answer_is_stored_once_and_the_site_left_as_it_was_found(site, way, threads):
    done = site.write(way, threads, outbox=True, learners=LEARNERS)
    assert (done["problems"], done["writes"]) == ([], WRITES)
    assert done["nanoseconds"] > 0
    assert site.leave() == []
    assert not CoachingConsent.objects.exists()


@on_mariadb
def test_rows_by_hand_are_as_many_as_the_plugins(site):
    done = site.write_by_hand(8, outbox=True, learners=LEARNERS)
    assert (done["problems"], done["writes"]) == ([], WRITES)
    assert site.leave() == []


@on_mariadb
def test_eight_who_change_one_answer_tell_one_story(site):
    assert site.contend(8, outbox=True, learners=LEARNERS)["problems"] == []
    assert site.leave() == []


@on_mariadb
def test_what_is_not_stored_or_stored_twice_or_was_changed_is_wrong(site, monkeypatch):
    def problems_with(give):
        monkeypatch.setattr(consent, "give", give)
        return {*site.write("plugin", 8, outbox=True, learners=LEARNERS)["problems"]}

    give = consent.give
    assert problems_with(lambda *args: None) >= {
        "an answer is not stored",
        "answers are not stored exactly once, in their order",
    }

    def give_and_lose(user, *args):
        give(user, *args)
        PartnerDelivery.objects.all().delete()

    assert "the outbox does not hold each change exactly once" in problems_with(give_and_lose)

    def give_and_forge(user, *args):
        give(user, *args)
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {ConsentEvent._meta.db_table} SET user_agent = 'x' WHERE learner_id = {user.pk}")

    assert "a ledger does not hold, or its row stands elsewhere" in problems_with(give_and_forge)

    def give_and_fail(user, *args):
        give(user, *args)
        raise RuntimeError("1213")

    assert "RuntimeError: 1213" in problems_with(give_and_fail)
    assert site.leave() == []


@on_mariadb
def test_a_row_that_is_left_is_noticed(site):
    consent.decline(factories.user(), factories.evidence())
    assert site.leave() == [
        f"{table} is not left as it was found"
        for table in (
            "auth_user",
            "auth_userprofile",
            "coaching_plugin_coachingconsent",
            "coaching_plugin_consentevent",
        )
    ]


# What is made of it


def taken(**of_ways):
    return {(size, name): [of_ways.get(size, 1) * 1_000_000] * 6 for size in ("small", "large") for name in WAYS}


def test_a_larger_site_is_held_against_the_smallest():
    flat = [one for one in _measured(["small", "large"], taken(large=3)) if one.budget == "consent_writes_flat"]
    assert [one.ratio.median for one in flat] == [3, 3]
    assert not any(one.is_within(1.5) for one in flat)


def test_every_way_has_its_row_with_what_is_stored_a_second():
    sides = taken()
    text = _report(["small", "large"], sides, dict.fromkeys(sides, 32), 6)
    for name in WAYS.keys() - {"8 threads again"}:
        assert any(line.startswith(f"{name} ") and line.endswith("64,000") for line in text.splitlines()), name
    assert max(map(len, text.splitlines())) <= 100


def test_a_way_says_what_it_is_asked():
    asked = {}

    class Probe:
        def ask(self, question, **arguments):
            asked[question] = arguments

    Way("write", way="page", threads=1).ask(Probe())
    assert asked == {"write": {"threads": 1, "outbox": True, "learners": 24, "way": "page"}}
