"""The legacy course pages: those that a platform guards, and those that lead to the learning MFE."""

import json

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.features.course_experience.url_helpers import get_learning_mfe_home_url

from lms.djangoapps.courseware.access import has_staff_access
from lms.djangoapps.courseware.courses import course_key_or_404, get_course_with_access, usage_key_or_404
from lms.djangoapps.courseware.masquerade import setup_masquerade
from lms.djangoapps.courseware.models import StudentModule

if settings.SANDBOX_COURSEWARE_HOOKS == "filters":
    from lms.djangoapps.courseware.decorators import courseware_view_hooks
else:

    def courseware_view_hooks(view):
        """Leave the view as it is: this platform asks no plugin."""
        return view


def _enter(request, course_id):
    """Return the course, for a user who may enter it, and the user as whom it is seen."""
    course_key = course_key_or_404(course_id)
    course = get_course_with_access(
        request.user, "load", course_key, check_if_enrolled=True, check_if_authenticated=True
    )
    _masquerade, learner = setup_masquerade(request, course_key, has_staff_access(request.user, course_key))
    return course, learner


def _page(request, course, learner, heading):
    context = {"course": course, "learner": learner, "heading": heading}
    return render(request, "courseware/page.html", context)


class CoursewareIndex(View):
    """The courseware itself."""

    @method_decorator([never_cache, login_required])
    @method_decorator(courseware_view_hooks)
    def get(self, request, course_id, chapter="ch1", section="seq1", position="1"):
        """Show a section, and note that the learner stands there: opening the page is enough for courseware state."""
        course, learner = _enter(request, course_id)
        if learner == request.user:
            _save_position(learner, course.id.make_usage_key("course", "course"))
            _save_position(learner, course.id.make_usage_key("chapter", chapter))
        heading = _("Section {section} of chapter {chapter}").format(section=section, chapter=chapter)
        return _page(request, course, learner, heading)


def _save_position(learner, usage_key):
    """Note where in a block a learner stands."""
    StudentModule.objects.update_or_create(
        student=learner,
        course_id=usage_key.course_key,
        module_state_key=usage_key,
        defaults={"module_type": usage_key.block_type, "state": json.dumps({"position": 1})},
    )


class CourseTabView(View):
    """A tab of the course."""

    @method_decorator([never_cache, login_required])
    @method_decorator(courseware_view_hooks)
    def get(self, request, course_id, tab_type):
        """Show the tab."""
        course, learner = _enter(request, course_id)
        return _page(request, course, learner, tab_type.replace("_", " ").capitalize())


@never_cache
@login_required
@courseware_view_hooks
def progress(request, course_id, student_id=None):
    """Show how far a learner has come."""
    course, learner = _enter(request, course_id)
    if student_id and int(student_id) != learner.id and not has_staff_access(request.user, course.id):
        raise Http404
    return _page(request, course, learner, _("Progress"))


@login_required
@courseware_view_hooks
def course_wiki_redirect(request, course_id, wiki_path=""):
    """Show the course's wiki."""
    course, learner = _enter(request, course_id)
    return _page(request, course, learner, _("Wiki"))


def course_about(request, course_id):
    """Show what a course is about; anyone may read it."""
    course = CourseOverview.objects.filter(id=course_key_or_404(course_id)).first()
    if course is None:
        raise Http404("Course not found.")
    return render(request, "courseware/about.html", {"course": course})


def course_survey(request, course_id):
    """Show the survey that the learning MFE may send a learner to; no course has one."""
    return course_about(request, course_id)


def course_home(request, course_id):
    """Lead to the course's home in the learning MFE, which asks for itself who may enter."""
    return redirect(get_learning_mfe_home_url(course_key_or_404(course_id), url_fragment="home", params=request.GET))


def dates(request, course_id):
    """Lead to the course's dates in the learning MFE."""
    return redirect(get_learning_mfe_home_url(course_key_or_404(course_id), url_fragment="dates", params=request.GET))


def jump_to(request, course_id, location):
    """Lead to a block in the learning MFE."""
    return redirect(get_learning_mfe_home_url(course_key_or_404(course_id), url_fragment=location, params=request.GET))


@login_required
@xframe_options_exempt
def render_xblock(request, usage_key_string):
    """Show what is in a unit, to the learning MFE, which frames it."""
    return render(request, "courseware/xblock.html", {"usage_key": usage_key_or_404(usage_key_string)})
