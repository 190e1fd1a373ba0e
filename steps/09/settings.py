import os
from typing import Any

from django_site.settings import *  # noqa: F403
from django_site.settings import DATABASES as SITE_DATABASES
from django_site.settings import INSTALLED_APPS as SITE_APPS

INSTALLED_APPS = [*SITE_APPS, "realtime"]

DATABASES = {"default": SITE_DATABASES["default"] | {"ATOMIC_REQUESTS": True}}

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "sesame.backends.ModelBackend",
]
SESAME_MAX_AGE = 30  # seconds
SESAME_TOKENS = ["sesame.tokens_v2"]  # the old format knows no scopes

CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": os.environ.get("REDIS_URL", "redis://localhost:6379/1"),
        "OPTIONS": {
            # How long Django waits for Redis to connect and to answer, in seconds.
            "SOCKET_CONNECT_TIMEOUT": 0.25,
            "SOCKET_TIMEOUT": 0.25,
        },
    }
}
REALTIME_CACHE = "default"  # the alias of the cache whose Redis carries the events
REALTIME_URL = os.environ.get("REALTIME_URL", "ws://localhost:8888/")

ROOT_URLCONF = "urls"
LOGIN_URL = "admin:login"
