"""From which day to which? A filter of an admin list, typed in and without a query of its own."""

from datetime import date, datetime, time, timedelta

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class DayField(forms.DateField):
    """A day that a moment of every time zone can be made of, which those at the ends of the calendar cannot."""

    def __init__(self, **kwargs):
        ends = [MinValueValidator(date(1970, 1, 1)), MaxValueValidator(date(2999, 12, 31))]
        widget = forms.DateInput({"type": "date"}, format="%Y-%m-%d")
        super().__init__(required=False, validators=ends, widget=widget, **kwargs)


class DateRangeForm(forms.Form):
    """The first day and the last, of which either may be missing."""

    since = DayField(label=_("From"))
    until = DayField(label=_("To"))


class DateRangeFilter(admin.FieldListFilter):
    """
    Shows what lies between two days, both included, in the time zone of the LMS.

    Django's own drill-down by date reads the whole table to know its days, and needs the time zones of the database.
    """

    template = "admin/coaching_plugin/date_range_filter.html"
    # For the ``Media`` of the lists that have such a filter.
    css = {"all": ["coaching_plugin/admin.css"]}

    def __init__(self, field, request, params, model, model_admin, field_path):
        self.field_path = field_path
        super().__init__(field, request, params, model, model_admin, field_path)
        own = {*self.expected_parameters(), PAGE_VAR, ERROR_FLAG}
        # What the list is filtered and ordered by besides goes along.
        self.others = [(name, value) for name, value in request.GET.items() if name not in own]
        self.form = DateRangeForm(request.GET, prefix=field_path)

    def expected_parameters(self):
        """Return the names under which the two days come."""
        return [f"{self.field_path}-since", f"{self.field_path}-until"]

    def has_output(self):
        """Say that there is always something to choose."""
        return True

    def choices(self, changelist):
        """Return nothing: the template shows the form."""
        return []

    def queryset(self, request, queryset):
        """Return the rows between the days; none, and the form says why, where what was typed is no day."""
        if not self.form.is_valid():
            return queryset.none()
        if since := self.form.cleaned_data["since"]:
            queryset = queryset.filter(**{f"{self.field_path}__gte": _start_of(since)})
        if until := self.form.cleaned_data["until"]:
            queryset = queryset.filter(**{f"{self.field_path}__lt": _start_of(until + timedelta(days=1))})
        return queryset


def _start_of(day):
    return timezone.make_aware(datetime.combine(day, time.min))
