"""What the platform changes in django-oauth-toolkit."""

from oauth2_provider.oauth2_validators import OAuth2Validator


class PlatformOAuth2Validator(OAuth2Validator):
    """Lets a token got with client credentials act as the user of its application."""

    def _create_access_token(self, expires, request, token, source_refresh_token=None):
        if request.grant_type == "client_credentials":
            request.user = request.client.user
        return super()._create_access_token(expires, request, token, source_refresh_token)
