"""A telemetry backend, as an operator names one in ``OPENEDX_TELEMETRY``, that keeps what it is told."""

from edx_django_utils.monitoring import TelemetryBackend

NAME = f"{__name__}.Recorder"


class Recorder(TelemetryBackend):
    """Keeps the attributes of what was sent last, and all values that were ever told."""

    attributes: dict = {}
    history: list = []

    @classmethod
    def forget(cls):
        cls.attributes, cls.history = {}, []

    def set_attribute(self, key, value):
        type(self).attributes[key] = value
        type(self).history.append((key, value))

    def record_exception(self):
        raise AssertionError("the platform's own business")

    def create_span(self, name, operation_name=None):
        return None

    def tag_root_span_with_error(self, exception):
        raise AssertionError("the platform's own business")

    def set_local_root_span_name(self, name, group=None, priority=None):
        raise AssertionError("the platform's own business")


class Broken(Recorder):
    """A backend that fails, with a message that is no log's business."""

    def set_attribute(self, key, value):
        # The platform's own attributes are its own business.
        if key.startswith("coaching."):
            raise RuntimeError("of lena@example.com")
