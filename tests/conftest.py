"""The tests of this folder run in the site of django_site/."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "django_site.settings"
django.setup()
