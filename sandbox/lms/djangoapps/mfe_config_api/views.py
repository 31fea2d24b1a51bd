"""The configuration that MFEs read when they start."""

from django.conf import settings
from django.http import JsonResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from rest_framework.views import APIView


# MFEs keep what they get, and the next `make demo` may be at another host.
@method_decorator(never_cache, name="dispatch")
class MFEConfigView(APIView):
    """One configuration for all MFEs, with the platform's keys; it is nobody's secret."""

    authentication_classes = []
    permission_classes = []

    def get(self, request):
        """Answer with it, whichever MFE asks."""
        return JsonResponse(settings.MFE_CONFIG)
