"""Where programs get their tokens."""

import json

from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.views import TokenView

from openedx.core.djangoapps.oauth_dispatch.jwt import create_jwt_token_dict


@method_decorator(csrf_exempt, name="dispatch")  # the library's own is on the method that this one takes the place of
class AccessTokenView(TokenView):
    """Gives the tokens of django-oauth-toolkit or, to who asks for `token_type=jwt`, signed ones."""

    def dispatch(self, request, *args, **kwargs):
        """Answer as the library does, and exchange the token in what it answers."""
        response = super().dispatch(request, *args, **kwargs)
        wanted = request.POST.get("token_type", request.META.get("HTTP_X_TOKEN_TYPE", ""))
        if response.status_code == 200 and wanted.lower() == "jwt":
            response.content = json.dumps(create_jwt_token_dict(json.loads(response.content)))
        return response
