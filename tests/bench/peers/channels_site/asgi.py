"""The ASGI application of the site, which has nothing but a WebSocket."""

import django

django.setup()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from .consumers import EventConsumer  # noqa: E402

application = ProtocolTypeRouter(
    {"websocket": URLRouter([path("", EventConsumer.as_asgi())])}
)
