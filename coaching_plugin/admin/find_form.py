"""Find a learner: a form that posts, so that nothing personal comes into an address or a log."""

from django import forms
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from coaching_plugin.admin import learners


class FindForm(forms.Form):
    """What an operator knows of the learner."""

    sought = forms.CharField(
        label=_("User name, e-mail address, phone number, LMS user id or partner id"),
        max_length=254,
        help_text=_(
            "The whole of it. A phone number, in any spelling, finds who consented with it, then or now; numbers that "
            "were erased find nobody."
        ),
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "class": "vTextField", "dir": "auto"}),
    )


@sensitive_post_parameters()
def find_learner(request, model_admin):
    """Show the form; once it is posted, lead on to the one learner who is found, or list those who are."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    form = FindForm(request.POST if request.method == "POST" else None)
    found = learners.found_by(form.cleaned_data["sought"]) if form.is_valid() else []
    if len(found) == 1:
        return redirect(found[0].url)
    if form.is_valid() and not found:
        form.add_error("sought", _("Nobody is found by this. Check it, or try something else that you know."))
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _("Find a learner"),
        "subtitle": None,
        "form": form,
        "found": found,
        "is_cut": len(found) == learners.MOST_FOUND,
    }
    return TemplateResponse(request, "admin/coaching_plugin/find_learner.html", context)
