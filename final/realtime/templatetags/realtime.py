"""``{% load realtime %}{% realtime %}`` connects a page of any project."""

from typing import Any

from django import template

from ..access import make_token
from ..bus import bus_of_django
from ..conf import conf

register = template.Library()


@register.inclusion_tag("realtime/page.html", takes_context=True)
def realtime(context: template.Context) -> dict[str, Any]:
    """Connect the page of a user who is logged in, and do nothing for others.

    The context may contain another user, so it is the request that counts.
    """
    user = getattr(context.get("request"), "user", None)
    if user is None or not user.is_authenticated:
        return {}
    after = bus_of_django(conf().bus).newest()
    return {"token": make_token(user), "url": conf().url, "after": after}
