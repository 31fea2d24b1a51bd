"""Run by the Python that has edx-enterprise: its consent step, beside our tables in the database of our site."""

from contextlib import contextmanager, nullcontext

# isort: off
from benchmarks.view_hook import ViewHook, WrongState, undone  # before all that needs Django set up

# isort: on
from consent.models import DataSharingConsent
from django import get_version
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import override_settings
from enterprise import __version__
from enterprise.models import (
    EnterpriseCourseEnrollment,
    EnterpriseCustomer,
    EnterpriseCustomerType,
    EnterpriseCustomerUser,
)

from benchmarks.enterprise_stand_ins import elsewhere, put_in
from tests.counting import counted

TABLES_OF = (EnterpriseCustomer, EnterpriseCustomerUser, EnterpriseCourseEnrollment, DataSharingConsent)
SLUG = "coaching-bench"

# Who takes coached runs in the mode that we ask for is linked to the customer, with each of these runs, and has granted
# or refused consent for each where they have answered us.
_COACHED = """
    student_courseenrollment AS enrollment JOIN coaching_plugin_coachedcourse AS run
    ON run.course_key = enrollment.course_id AND run.active AND enrollment.is_active AND enrollment.mode = 'verified'
"""
_LINKS = f"""
    INSERT INTO enterprise_enterprisecustomeruser
        (created, modified, enterprise_customer_id, user_id,
         active, linked, is_relinkable, should_inactivate_other_customers)
    SELECT DISTINCT now(6), now(6), %s, enrollment.user_id, 1, 1, 1, 0
    FROM {_COACHED}
"""
_ENROLLMENTS = f"""
    INSERT INTO enterprise_enterprisecourseenrollment
        (created, modified, enterprise_customer_user_id, course_id, saved_for_later)
    SELECT now(6), now(6), link.id, enrollment.course_id, 0
    FROM {_COACHED} JOIN enterprise_enterprisecustomeruser AS link ON link.user_id = enrollment.user_id
"""
_CONSENTS = f"""
    INSERT INTO consent_datasharingconsent (created, modified, enterprise_customer_id, username, granted, course_id)
    SELECT now(6), now(6), %s, auth_user.username, consent.status = 'consented', enrollment.course_id
    FROM {_COACHED} JOIN auth_user ON auth_user.id = enrollment.user_id
    JOIN coaching_plugin_coachingconsent AS consent
    ON consent.user_id = enrollment.user_id AND consent.status <> 'undecided'
"""


class EnterpriseHook(ViewHook):
    """The states of a learner as edx-enterprise knows them."""

    def session(self, user_id):
        """Return a session that knows the customer already."""
        return {"enterprise_customer": {"uuid": str(self.customer.uuid)}}

    @contextmanager
    def arranged(self, state, user_id, course_key):
        """Have the site in a state, for a learner who has to be in it or is brought into it."""
        elsewhere.catalog_has_course = state != "not in the catalog"
        is_on = state != "setting off"
        with undone(), override_settings(ENABLE_ENTERPRISE_INTEGRATION=is_on):
            if state == "not in the catalog":
                self._link(user_id, course_key)
            if state == "customer off":
                EnterpriseCustomer.objects.update(enable_data_sharing_consent=False)
            self._check(state, user_id, course_key)
            yield

    def _link(self, user_id, course_key):
        link = EnterpriseCustomerUser(user_id=user_id, enterprise_customer=self.customer, active=True)
        EnterpriseCustomerUser.objects.bulk_create([link])
        link = EnterpriseCustomerUser.objects.get(user_id=user_id)
        enrollment = EnterpriseCourseEnrollment(enterprise_customer_user=link, course_id=course_key)
        EnterpriseCourseEnrollment.objects.bulk_create([enrollment])

    def _check(self, state, user_id, course_key):
        if EnterpriseCustomerUser.objects.filter(user_id=user_id).exists() != (state != "not linked"):
            raise WrongState(f"{state}: linked, or not, against what it is to be")
        username = User.objects.get(pk=user_id).username
        consents = DataSharingConsent.objects.filter(username=username, course_id=course_key)
        granted = list(consents.values_list("granted", flat=True))
        if granted != ([True] if state == "granted" else []):
            raise WrongState(f"{state}: what is known of the consent is {granted}")

    def asked(self, cost):
        """Return what was asked, and of that what the consent API asks, and how many requests were to be sent."""
        asked = {**super().asked(cost), "of_api": self._of_api, "requests": elsewhere.requests}
        self._of_api = elsewhere.requests = 0
        return asked

    def costs(self):
        """Count as all do, and beside that what the consent API asks of the database."""
        elsewhere.watch_api, elsewhere.requests, self._of_api = self._watched, 0, 0
        try:
            return super().costs()
        finally:
            elsewhere.watch_api = nullcontext

    @contextmanager
    def _watched(self):
        with counted() as cost:
            yield
        self._of_api += cost.queries

    def made(self) -> dict:
        """Make the tables and rows, where they are missing, and return how many there are, and of which version."""
        _make_tables()
        self.customer = EnterpriseCustomer.objects.filter(slug=SLUG).first() or _make_rows()
        counts = {model._meta.db_table: model._default_manager.count() for model in TABLES_OF}
        return {"version": __version__, "django": get_version(), "rows": counts}


def _make_tables():
    """
    Make, from the models, the tables that the step reads, and those that they point at.

    Its migrations would take minutes, and come upon the site's own tables and migrations.
    """
    there = set(connection.introspection.table_names())
    with connection.schema_editor() as editor:
        for model in TABLES_OF:
            _make_table(editor, model, there)


def _make_table(editor, model, there):
    if model._meta.db_table in there:
        return
    there.add(model._meta.db_table)
    for field in model._meta.local_fields:
        if field.related_model:
            _make_table(editor, field.related_model, there)
    editor.create_model(model)


def _make_rows():
    with transaction.atomic(), connection.cursor() as cursor:
        EnterpriseCustomerType.objects.bulk_create([EnterpriseCustomerType(name="Benchmark")])
        EnterpriseCustomer.objects.bulk_create(
            [
                EnterpriseCustomer(
                    name="Benchmark",
                    slug=SLUG,
                    site_id=1,
                    customer_type=EnterpriseCustomerType.objects.get(name="Benchmark"),
                    enable_data_sharing_consent=True,
                    enforce_data_sharing_consent=EnterpriseCustomer.AT_ENROLLMENT,
                )
            ]
        )
        customer = EnterpriseCustomer.objects.get(slug=SLUG)
        cursor.execute(_LINKS, [customer.uuid])
        cursor.execute(_ENROLLMENTS)
        cursor.execute(_CONSENTS, [customer.uuid])
    return customer


if __name__ == "__main__":
    put_in()
    hook = EnterpriseHook()
    hook.serve(made=hook.made)
