"""The site with Channels, configured as for production."""

import os

from django_site.settings import *  # noqa: F403
from django_site.settings import INSTALLED_APPS as SITE_APPS

INSTALLED_APPS = [*SITE_APPS, "channels"]

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "sesame.backends.ModelBackend",
]
SESAME_MAX_AGE = 30  # seconds

ASGI_APPLICATION = "tests.bench.peers.channels_site.asgi.application"

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": os.environ["CHANNEL_LAYER"],
        "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
    }
}
if "pubsub" not in os.environ["CHANNEL_LAYER"]:
    # The default, 100, loses most of a burst.
    CHANNEL_LAYERS["default"]["CONFIG"]["capacity"] = 2_000  # type: ignore[index]
