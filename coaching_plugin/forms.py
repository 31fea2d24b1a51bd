"""What a learner types on the consent page and in account settings; what is wrong with it, ``consent.py`` says."""

from django import forms
from django.utils.translation import gettext_lazy as _

from coaching_plugin import conf, phone
from coaching_plugin.disclosures import ShownDisclosure
from coaching_plugin.lms import Profile
from coaching_plugin.phone import MAX_TYPED_LENGTH
from coaching_plugin.refusals import Refusal

# The length of the profile's column.
MAX_NAME_LENGTH = 255


class AnswerForm(forms.Form):
    """Phone number and the box, with the digest of the words that stood beside it."""

    phone_number = forms.CharField(label=_("Phone number"), required=False, max_length=MAX_TYPED_LENGTH)
    agree = forms.BooleanField(required=False)
    disclosure = forms.CharField(required=False, widget=forms.HiddenInput, max_length=64)

    def add_refusals(self, refusals: tuple[Refusal, ...]) -> None:
        """Put each refusal under the field that it concerns, or above all fields."""
        for refusal in refusals:
            field = refusal.field if refusal.field in self.fields else None
            self.add_error(field, forms.ValidationError(refusal.message, code=refusal.code))


class ConsentForm(AnswerForm):
    """The consent page's: the name too, which the learner confirms."""

    full_name = forms.CharField(label=_("Full name"), required=False, max_length=MAX_NAME_LENGTH)
    phone_number = forms.CharField(label=_("Mobile phone number"), required=False, max_length=MAX_TYPED_LENGTH)
    field_order = ("full_name",)

    @classmethod
    def prefilled(cls, profile: Profile, shown: ShownDisclosure) -> "ConsentForm":
        """Return the form with what the profile knows; a number that would only be refused is left out."""
        number = profile.phone_number
        if phone.is_textable(number, conf.phone_regions()):
            number = phone.national_format(phone.textable(number, conf.phone_regions()))
        else:
            number = ""
        return cls(initial={"full_name": profile.name, "phone_number": number, "disclosure": shown.sha256})


class AccountSettingsForm(AnswerForm):
    """Account settings': the profile's phone number, of whatever country, and the box as the switch."""

    @classmethod
    def prefilled(cls, profile: Profile, shown: ShownDisclosure, is_consented: bool) -> "AccountSettingsForm":
        """Return the form as things stand, the number with its country code, as it is read again."""
        number = phone.international_format(profile.phone_number, conf.phone_regions())
        return cls(initial={"phone_number": number, "agree": is_consented, "disclosure": shown.sha256})

    def changes_number(self, profile: Profile) -> bool:
        """Return whether another number was typed than the form showed; a bad one of old need not be mended first."""
        return self.cleaned_data["phone_number"] != phone.international_format(
            profile.phone_number, conf.phone_regions()
        )
