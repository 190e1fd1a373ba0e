"""A page that shows events as they happen, and the tokens that it connects with."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from .access import make_token
from .bus import bus_of_django
from .conf import conf


@never_cache
@login_required
def feed(request: HttpRequest) -> HttpResponse:
    """Show the page, which contains a token of the user."""
    context = {
        "token": make_token(request.user),
        "url": conf().url,
        "after": bus_of_django(conf().bus).newest(),
    }
    response = render(request, "realtime/feed.html", context)
    response["Content-Security-Policy"] = "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            f"connect-src 'self' {conf().url}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
    return response


@require_GET
@never_cache
def token(request: HttpRequest) -> HttpResponse:
    """Return a fresh token of the user as JSON: ``{"token": "…"}``.

    Without a user who is logged in, or for the page of another site, refuse with 403.
    """
    if request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
        response = JsonResponse({"error": "only for this site"}, status=403)
    elif not request.user.is_authenticated:
        response = JsonResponse({"error": "not logged in"}, status=403)
    else:
        response = JsonResponse({"token": make_token(request.user)})
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
