"""Run by this Python: our step of the courseware filter, on the site that edx-enterprise's is measured on."""

from contextlib import contextmanager

# isort: off
from benchmarks.view_hook import ViewHook, WrongState, undone  # before all that needs Django set up

# isort: on
from common.djangoapps.student.models import CourseEnrollment
from django.db.models import Exists, OuterRef
from waffle.models import Flag

from benchmarks.site import HUGE_RUN, OTHER_RUNS
from coaching_plugin import coached_courses, decisions
from coaching_plugin.decisions import Decision, Learner
from coaching_plugin.models import CoachingConsent
from coaching_plugin.toggles import ENABLED


class CoachingHook(ViewHook):
    """The states of a learner as the plugin knows them."""

    @contextmanager
    def arranged(self, state, user_id, course_key):
        """Have the flag off, where the state is that; every other is one that the site has learners in."""
        if state != "flag off":
            yield
            return
        with undone():
            if not Flag.objects.filter(name=ENABLED.name).update(everyone=False):
                raise WrongState("flag off: there is no flag to turn off")
            yield

    def forget(self):
        """Have the coached course runs read again."""
        coached_courses.forget()


def learners() -> dict[str, dict]:
    """Return a learner, with a course run that they are in, for each state; and one more, who is no subject of any."""
    huge = CourseEnrollment.objects.filter(course_id=HUGE_RUN, is_active=True).order_by("user_id")
    verified, audit = huge.filter(mode="verified"), huge.filter(mode="audit")
    others = CourseEnrollment.objects.filter(course_id__in=OTHER_RUNS[:100], is_active=True)
    # In no coached run as one whom we ask: edx-enterprise is not to know them.
    is_linked = Exists(CourseEnrollment.objects.filter(user=OuterRef("user"), mode="verified"))
    audit, others = audit.filter(~is_linked), others.filter(~is_linked)
    consents = CoachingConsent.objects.filter(user=OuterRef("user"))
    consented = verified.filter(Exists(consents.filter(status=CoachingConsent.Status.CONSENTED)))
    undecided = verified.filter(~Exists(consents))
    return {
        "not our course": _first(others, Decision.NOT_COACHED),
        "answered": _first(consented, Decision.ANSWERED),
        "to be asked": _first(undecided, Decision.ASK),
        "not eligible": _first(audit, Decision.NOT_ELIGIBLE),
        "another": _first(audit.reverse(), Decision.NOT_ELIGIBLE),
    }


def _first(enrollments, decision: Decision) -> dict:
    """Return the first of many enrollments at whose door the plugin decides so."""
    for enrollment in enrollments.select_related("user")[:1000]:
        if decisions.course_door(Learner(enrollment.user), enrollment.course_id) is decision:
            return {"user": enrollment.user_id, "course": str(enrollment.course_id)}
    raise WrongState(f"none of the first thousand learners is one of {decision}")


if __name__ == "__main__":
    CoachingHook().serve(learners=learners)
