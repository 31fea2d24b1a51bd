"""Fills the sandbox with the demo's courses and learners."""

from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlsplit

from common.djangoapps.course_modes.models import CourseMode
from common.djangoapps.student.models import CourseAccessRole, CourseEnrollment, UserProfile
from completion.models import BlockCompletion
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.sites.models import Site
from django.core.cache import cache
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from lms.djangoapps.course_goals.models import UserActivity
from lms.djangoapps.courseware.models import StudentModule
from oauth2_provider.models import get_application_model
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.catalog import cache as catalog
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.core.djangoapps.site_configuration.models import SiteConfiguration
from waffle.models import Flag, Switch

from coaching_plugin import conf, consent, disclosures, outbox
from coaching_plugin.models import CoachedCourse, CoachingConsent, Door, PartnerDelivery
from sandbox_demo.cast import COURSES, LIST1, PASSWORD, PEOPLE, PROGRAM

FLAGS = ["coaching.enabled", "coaching.course_redirect", "coaching.dashboard_card", "coaching.account_settings"]
SWITCH = "coaching.partner_delivery"
# Long enough ago that no enrollment counts as activity.
ENROLLED_DAYS_AGO = 200


class Command(BaseCommand):
    """Creates what the demo needs, or brings it up to date; what learners have answered since stays."""

    help = __doc__

    def handle(self, *args, **options):
        """Seed, in the order in which things depend on each other."""
        with transaction.atomic():
            for course in COURSES:
                _seed_course(course)
            _seed_catalog()
            for flag in FLAGS:
                Flag.objects.update_or_create(name=flag, defaults={"everyone": True})
            Switch.objects.update_or_create(name=SWITCH, defaults={"active": True})
            for person in PEOPLE:
                _seed_person(person)
            _seed_service_account()
        call_command("sync_coached_courses", stdout=self.stdout)
        CoachedCourse.objects.update_or_create(
            course_key=CourseKey.from_string(LIST1), defaults={"source": "operator", "active": True}
        )
        for person in PEOPLE:
            if person.answer:
                _answer(person)
        _tell_partner()
        self.stdout.write(f"Seeded {len(PEOPLE)} accounts and {len(COURSES)} courses.")
        self.stdout.write(f"\n  The coaching demo: {settings.LMS_ROOT_URL}/")


def _seed_course(course):
    key = CourseKey.from_string(course.key)
    start = datetime(2020, 1, 1, tzinfo=UTC)
    CourseOverview.objects.update_or_create(
        id=key,
        defaults={
            "display_name": course.title,
            "start": start,
            "enrollment_start": start,
            "lowest_passing_grade": 0.5,
            "course_image_url": "/static/sandbox/course.svg",
        },
    )
    for slug, name, price in [("audit", "Audit", 0), ("verified", "Verified", 49)]:
        CourseMode.objects.update_or_create(
            course_id=key, mode_slug=slug, currency="usd", defaults={"mode_display_name": name, "min_price": price}
        )


def _seed_catalog():
    """Put the program where the platform's `cache_programs` puts what a catalog holds."""
    site, _ = Site.objects.update_or_create(
        pk=settings.SITE_ID,
        defaults={"domain": urlsplit(settings.LMS_ROOT_URL).netloc, "name": settings.PLATFORM_NAME},
    )
    SiteConfiguration.objects.update_or_create(
        site=site,
        defaults={"enabled": True, "site_values": {"COURSE_CATALOG_API_URL": "http://catalog.invalid/api/v1/"}},
    )
    uuid = PROGRAM["uuid"]
    entries = {
        catalog.PROGRAM_CACHE_KEY_TPL.format(uuid=uuid): PROGRAM,
        catalog.SITE_PROGRAM_UUIDS_CACHE_KEY_TPL.format(domain=site.domain): [uuid],
        catalog.PROGRAMS_BY_TYPE_CACHE_KEY_TPL.format(site_id=site.id, program_type="microbachelors"): [uuid],
        catalog.PROGRAMS_BY_TYPE_SLUG_CACHE_KEY_TPL.format(site_id=site.id, program_slug="microbachelors"): [uuid],
        catalog.PROGRAMS_BY_ORGANIZATION_CACHE_KEY_TPL.format(org_key="DemoX"): [uuid],
    }
    for course in PROGRAM["courses"]:
        entries[catalog.CATALOG_COURSE_PROGRAMS_CACHE_KEY_TPL.format(course_uuid=course["uuid"])] = [uuid]
        for run in course["course_runs"]:
            entries[catalog.COURSE_PROGRAMS_CACHE_KEY_TPL.format(course_run_id=run["key"])] = [uuid]
    cache.set_many(entries, timeout=None)


def _seed_person(person):
    """Create an account; one that exists keeps its name and number, and only its activity moves."""
    user, created = User.objects.get_or_create(
        username=person.username, defaults={"email": f"{person.username}@example.com", **person.user}
    )
    if created:
        user.set_password(PASSWORD)
        user.save()
    born = timezone.now().year - person.age if person.age else None
    profile, created = UserProfile.objects.get_or_create(
        user=user, defaults={"name": person.name, "phone_number": person.phone_number, "year_of_birth": born}
    )
    if created:
        profile.set_meta(person.meta)
    elif person.age:
        profile.year_of_birth = born
    profile.save()
    if person.role_in:
        key = CourseKey.from_string(person.role_in)
        CourseAccessRole.objects.get_or_create(user=user, course_id=key, org=key.org, role="staff")
    for course, mode in person.modes.items():
        enrollment = CourseEnrollment.enroll(user, CourseKey.from_string(course), mode=mode)
        if not person.enrolled:
            enrollment.update_enrollment(is_active=False)
    _seed_activity(user, person)


def _seed_activity(user, person):
    """Make the day `person.active` days ago the newest of everything that counts as activity."""
    day = timezone.now().astimezone(UTC).date() - timedelta(days=person.active)
    moment = datetime.combine(day, time(12), tzinfo=UTC)
    enrolled = moment - timedelta(days=ENROLLED_DAYS_AGO)
    CourseEnrollment.objects.filter(user=user).update(created=enrolled)
    for model, key in [(StudentModule, "student"), (UserActivity, "user"), (BlockCompletion, "user")]:
        model.objects.filter(**{key: user}).delete()
    for course in person.modes:
        key = CourseKey.from_string(course)
        UserActivity.objects.create(user=user, course_key=key, date=day)
        state = StudentModule.objects.create(
            student=user,
            course_id=key,
            module_type="course",
            module_state_key=key.make_usage_key("course", "course"),
            state='{"position": 1}',
        )
        StudentModule.objects.filter(pk=state.pk).update(created=enrolled, modified=moment)
        block = BlockCompletion.objects.create(
            user=user, context_key=key, block_key=key.make_usage_key("html", "html1"), block_type="html", completion=1.0
        )
        BlockCompletion.objects.filter(pk=block.pk).update(created=moment, modified=moment)


def _seed_service_account():
    """Give the coaching partner's programs a way to get tokens, client credentials, and the roster."""
    account = User.objects.get(username="coach_api")
    account.user_permissions.add(
        Permission.objects.get(content_type__app_label="coaching_plugin", codename="export_roster")
    )
    Application = get_application_model()
    Application.objects.get_or_create(
        client_id="coach_api",
        defaults={
            "name": "Coaching partner",
            "user": account,
            "client_type": Application.CLIENT_CONFIDENTIAL,
            "authorization_grant_type": Application.GRANT_CLIENT_CREDENTIALS,
            "client_secret": PASSWORD,
        },
    )


def _answer(person):
    """Answer for a learner, once."""
    user = User.objects.get(username=person.username)
    if CoachingConsent.objects.filter(user=user, answered_at__isnull=False).exists():
        return
    evidence = consent.Evidence(
        door=Door.PAGE, disclosure=disclosures.current("en"), ip="127.0.0.1", user_agent="seed_demo"
    )
    if person.answer == "consented":
        outcome = consent.give(user, phone_number="+14155552671", full_name=None, evidence=evidence)
    else:
        outcome = consent.decline(user, evidence=evidence)
    if outcome.is_refused:
        raise CommandError(f"{person.username} cannot answer: {outcome.refusals}")


def _tell_partner():
    """Have every way to the partner that is new tell of whoever answered before it was there."""
    for channel in conf.partner_channels():
        if not PartnerDelivery.objects.filter(channel=channel).exists():
            outbox.add_everybody(channel)
            outbox.announce()
