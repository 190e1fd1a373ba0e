from django_site.settings import *  # noqa: F403
