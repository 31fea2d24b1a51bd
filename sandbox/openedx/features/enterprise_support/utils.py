"""What an enterprise decides about its learners."""

# Set in a profile's meta, it makes the learner's name the enterprise's to change.
NAME_MANAGED = "sandbox_name_managed"


def get_enterprise_readonly_account_fields(user):
    """Return the account fields that an enterprise manages for this learner."""
    profile = getattr(user, "profile", None)
    return {"name"} if profile and profile.get_meta().get(NAME_MANAGED) else set()
