"""Settings of the same LMS as ``lms_with_plugin`` on which nobody has installed the plugin: the platform finds none."""

# isort: off
import benchmarks.without_plugin  # noqa: F401
from benchmarks.lms_with_plugin import *  # noqa: F403
