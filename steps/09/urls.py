"""The pages of the site, and those of the app."""

from django.urls import include, path

urlpatterns = [
    path("", include("django_site.urls")),
    path("realtime/", include("realtime.urls")),
]
