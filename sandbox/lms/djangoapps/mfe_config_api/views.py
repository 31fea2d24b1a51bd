"""The configuration that MFEs read when they start."""

from django.conf import settings
from django.http import JsonResponse
from rest_framework.views import APIView


class MFEConfigView(APIView):
    """One configuration for all MFEs, with the platform's keys; it is nobody's secret."""

    authentication_classes = []
    permission_classes = []

    def get(self, request):
        """Answer with it, whichever MFE asks."""
        return JsonResponse(settings.MFE_CONFIG)
