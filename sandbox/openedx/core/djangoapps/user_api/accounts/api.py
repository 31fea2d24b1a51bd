"""Reading and changing account settings."""

import re
from hashlib import md5

from common.djangoapps.student.models import UserProfile
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from openedx.core.djangoapps.user_api.errors import (
    AccountUpdateError,
    AccountValidationError,
    UserNotAuthorized,
    UserNotFound,
)
from openedx.core.djangoapps.user_authn.views.registration_form import validate_name
from openedx.features.enterprise_support.utils import get_enterprise_readonly_account_fields

# Set in a profile's meta, it makes a change of the name need an ID verification.
NAME_LOCKED = "sandbox_name_locked"

READ_ONLY_FIELDS = {"username", "date_joined", "is_active", "profile_image", "requires_parental_consent"}
# What the platform keeps in tables of its own, and the sandbox in the profile's meta.
LIST_FIELDS = ("extended_profile", "language_proficiencies", "social_links")
TEXT_FIELDS = ("bio", "country", "gender", "goals", "level_of_education", "mailing_address", "state")
IMAGE_SIZES = {"full": 500, "large": 120, "medium": 50, "small": 30}


def get_account_settings(requesting_user, username):
    """Return an account as the API answers with it: whole for the learner and staff, its public part for others."""
    user = User.objects.select_related("profile").filter(username=username).first()
    if user is None:
        raise UserNotFound()
    account = {"account_privacy": "private", "profile_image": _profile_image(), "username": user.username}
    if not requesting_user.is_staff and requesting_user.username != user.username:
        return account
    profile = getattr(user, "profile", None) or UserProfile(user=user)
    return account | {
        **{field: getattr(profile, field) or None for field in TEXT_FIELDS},
        **{field: profile.get_meta().get(field, []) for field in LIST_FIELDS},
        "activation_key": md5(user.username.encode(), usedforsecurity=False).hexdigest(),
        "course_certificates": None,
        "date_joined": user.date_joined.replace(microsecond=0),
        "email": user.email,
        "id": user.id,
        "is_active": user.is_active,
        "last_login": user.last_login,
        "name": profile.name,
        "pending_name_change": None,
        "phone_number": profile.phone_number or None,
        "requires_parental_consent": _requires_parental_consent(profile),
        "secondary_email": None,
        "secondary_email_enabled": None,
        "time_zone": None,
        "verified_name": None,
        "year_of_birth": profile.year_of_birth,
    }


def update_account_settings(requesting_user, update, username=None):
    """Change a learner's own account; raises AccountValidationError before anything is stored."""
    username = requesting_user.username if username is None else username
    # Not even a superuser changes somebody else's account here.
    if requesting_user.username != username:
        raise UserNotAuthorized()
    profile = UserProfile.objects.select_related("user").filter(user__username=username).first()
    if profile is None:
        raise UserNotFound()

    update = dict(update)
    errors = {}
    for field in update.keys() & (READ_ONLY_FIELDS | get_enterprise_readonly_account_fields(profile.user)):
        del update[field]
        errors[field] = _error(
            "This field is not editable via this API", _("The '{field}' field cannot be edited.").format(field=field)
        )
    old_name = profile.name
    if update.get("name", old_name) != old_name:
        errors |= _name_errors(profile, update["name"])
    # MFEs send the year as it stands in their list.
    if str(update.get("year_of_birth", "")).isdecimal():
        update["year_of_birth"] = int(update["year_of_birth"])
    errors |= _type_errors(update)
    if errors:
        raise AccountValidationError(errors)

    if "phone_number" in update:
        update["phone_number"] = _digits(update["phone_number"])
        if len(update["phone_number"] or "") > UserProfile._meta.get_field("phone_number").max_length:
            raise AccountUpdateError("Error thrown when saving account updates: 'Data too long for column'")
    for field in update.keys() & {"name", "phone_number", "year_of_birth", *TEXT_FIELDS}:
        setattr(profile, field, update[field])
    lists = {field: update[field] or [] for field in update.keys() & set(LIST_FIELDS)}
    if lists:
        profile.set_meta(profile.get_meta() | lists)
    profile.save()
    if profile.name != old_name:
        # A second save, as on the platform.
        meta = profile.get_meta()
        meta.setdefault("old_names", []).append(
            [old_name, f"Name change requested through account API by {username}", timezone.now().isoformat()]
        )
        profile.set_meta(meta)
        profile.save()


def _name_errors(profile, name):
    """Return what stands against a new name."""
    try:
        validate_name(name if isinstance(name, str) else "")
    except ValidationError as error:
        message = " ".join(error.messages)
        return {"name": _error(f"Error thrown from validate_name: '{message}'", message)}
    if profile.get_meta().get(NAME_LOCKED):
        message = "This name change requires ID verification."
        return {"name": _error(message, message)}
    return {}


def _type_errors(update):
    """Return what is not even of the type of its field."""
    types = {"name": str, "phone_number": str, "year_of_birth": int}
    types |= dict.fromkeys(TEXT_FIELDS, str) | dict.fromkeys(LIST_FIELDS, list)
    return {
        field: _error(f"Value '{update[field]}' is not valid for field '{field}'", _("This value is invalid."))
        for field, wanted in types.items()
        if update.get(field) is not None and not isinstance(update[field], wanted)
    }


def _error(developer_message, user_message):
    return {"developer_message": developer_message, "user_message": user_message}


def _digits(raw):
    """Return the digits of a phone number, after its leading plus sign, or None: nothing more is asked of it."""
    raw = raw or ""
    return "+" * raw.startswith("+") + re.sub(r"[^0-9]", "", raw) or None


def _requires_parental_consent(profile):
    """Say what the platform says: an unknown year counts as a child's, a known one from 13 years on does not."""
    return profile.year_of_birth is None or timezone.now().year - profile.year_of_birth - 1 < 13


def _profile_image():
    """Return the picture of someone who has none."""
    urls = {
        f"image_url_{size}": f"{settings.LMS_ROOT_URL}/static/images/profiles/default_{pixels}.png"
        for size, pixels in IMAGE_SIZES.items()
    }
    return {"has_image": False, **urls}
