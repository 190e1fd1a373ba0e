"""What step 04 does, as Channels does it: a group for each content type."""

from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth.models import PermissionsMixin
from django.contrib.contenttypes.models import ContentType
from sesame.utils import get_user


def group_name(content_type_id: int) -> str:
    """Return the group of those who may see a content type."""
    return f"content_type_{content_type_id}"


def get_content_types(user: PermissionsMixin) -> set[int]:
    """Return the ids of the content types that the user may view or change."""
    return {
        content_type.id
        for content_type in ContentType.objects.all()
        if user.has_perm(f"{content_type.app_label}.view_{content_type.model}")
        or user.has_perm(f"{content_type.app_label}.change_{content_type.model}")
    }


class EventConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """A client, whose first message is a token."""

    async def connect(self) -> None:
        self.names: list[str] = []
        await self.accept()

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        user = await database_sync_to_async(get_user)(text_data)
        if user is None:
            await self.close(1008)
            return
        content_types = await database_sync_to_async(get_content_types)(user)
        for content_type_id in content_types:
            self.names.append(group_name(content_type_id))
            await self.channel_layer.group_add(self.names[-1], self.channel_name)
        await self.send('{"type": "ready"}')

    async def disconnect(self, code: int) -> None:
        for name in self.names:
            await self.channel_layer.group_discard(name, self.channel_name)

    async def tell(self, message: dict[str, Any]) -> None:
        """Pass an event on, which somebody has sent to a group."""
        await self.send(message["text"])
