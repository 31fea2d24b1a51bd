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


def steps_of(config: Any, filter_type: str) -> list[Any]:
    """Return the steps that stand in a filter configuration, which may be of any type, for one filter."""
    return _pipeline(config.get(filter_type)) if isinstance(config, dict) else []


def _pipeline(entry: Any) -> list[Any]:
    if isinstance(entry, dict):
        entry = entry.get("pipeline")
    if isinstance(entry, str) and entry:
        return [entry]
    return list(entry) if isinstance(entry, list | tuple) else []
