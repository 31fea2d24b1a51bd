"""Where the plugin's filter steps stand in ``OPEN_EDX_FILTERS_CONFIG``, beside those of others."""

from typing import Any

# Our step for each filter, by filter type. Those of the course doors, together, stand for the middleware.
COURSE_STEPS = {
    "org.openedx.learning.courseware.view.started.v1": "coaching_plugin.pipeline.RedirectCoursewareView",
    "org.openedx.learning.courseware.access_checks.requested.v1": "coaching_plugin.pipeline.RefuseCoursewareAccess",
}
STEPS = {
    **COURSE_STEPS,
    "org.openedx.learning.dashboard.render.started.v1": "coaching_plugin.dashboard.AddDashboardCard",
}


def with_our_steps(config: dict[str, Any] | None) -> dict[str, Any]:
    """
    Return a filter configuration with our steps appended where they are missing.

    The library takes an entry as a dictionary, a list or one path; all three are kept for what they say.
    """
    merged = dict(config or {})
    for filter_type, step in STEPS.items():
        entry = merged.get(filter_type) or {}
        pipeline = _pipeline(entry)
        if step in pipeline:
            continue
        rest = dict(entry) if isinstance(entry, dict) else {}
        merged[filter_type] = {"fail_silently": True, **rest, "pipeline": [*pipeline, step]}
    return merged


def has_course_steps(config: dict[str, Any] | None) -> bool:
    """Return whether both our steps of the course doors stand in a filter configuration."""
    return all(step in _pipeline((config or {}).get(filter_type) or {}) for filter_type, step in COURSE_STEPS.items())


def _pipeline(entry: Any) -> list[str]:
    if isinstance(entry, dict):
        entry = entry.get("pipeline") or []
    return [entry] if isinstance(entry, str) else list(entry)
