"""What a user may see."""

from django.contrib.auth.models import PermissionsMixin
from django.contrib.contenttypes.models import ContentType


def get_content_types(user: PermissionsMixin) -> set[int]:
    """Return the ids of the content types that the user may view or change."""
    return {
        content_type.id
        for content_type in ContentType.objects.all()
        if user.has_perm(f"{content_type.app_label}.view_{content_type.model}")
        or user.has_perm(f"{content_type.app_label}.change_{content_type.model}")
    }
