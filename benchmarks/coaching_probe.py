"""Run by this Python: our step of the courseware filter, on the site that edx-enterprise's is measured on."""

from contextlib import contextmanager

# isort: off
from benchmarks.view_hook import ViewHook, WrongState, undone  # before all that needs Django set up

# isort: on
from common.djangoapps.student.models import CourseEnrollment
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
    huge = CourseEnrollment.objects.filter(course_id=HUGE_RUN, is_active=True)
    verified, audit = huge.filter(mode="verified"), huge.filter(mode="audit")
    others = CourseEnrollment.objects.filter(course_id__in=OTHER_RUNS[:100], is_active=True)
    not_eligible = _first(audit, Decision.NOT_ELIGIBLE, _is_unlinked)
    return {
        "not our course": _first(others, Decision.NOT_COACHED, _is_unlinked),
        "answered": _first(verified, Decision.ANSWERED, _has_consented),
        "to be asked": _first(verified, Decision.ASK),
        "not eligible": not_eligible,
        "another": _first(audit.exclude(user_id=not_eligible["user"]), Decision.NOT_ELIGIBLE, _is_unlinked),
    }


def _first(enrollments, decision: Decision, fits=lambda user: True) -> dict:
    """Return the first of many enrollments at whose door the plugin decides so, of a learner who fits."""
    # In no order: the database would sort half of all learners.
    for enrollment in enrollments.order_by().select_related("user")[:1000]:
        user = enrollment.user
        if fits(user) and decisions.course_door(Learner(user), enrollment.course_id) is decision:
            return {"user": user.pk, "course": str(enrollment.course_id)}
    raise WrongState(f"none of the first thousand learners is one of {decision}")


def _is_unlinked(user) -> bool:
    """Return whether edx-enterprise is not to know a learner: they are in no course run in the mode that we ask for."""
    return not user.courseenrollment_set.filter(mode="verified").exists()


def _has_consented(user) -> bool:
    return CoachingConsent.objects.filter(user=user, status=CoachingConsent.Status.CONSENTED).exists()


if __name__ == "__main__":
    CoachingHook().serve(learners=learners)
