"""What a name may look like."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MinLengthValidator
from django.utils.translation import gettext as _


def validate_name(name):
    """Raise ValidationError for a full name that is empty, too long, or holds HTML or an address."""
    MinLengthValidator(1, _("Enter your full name"))(name)
    MaxLengthValidator(255)(name)
    if "<" in name or ">" in name:
        raise ValidationError(_("Full Name cannot contain the following characters: < >"))
    if "://" in name:
        raise ValidationError(_("Enter a valid name"))
