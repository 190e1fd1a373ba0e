from django.apps import AppConfig


class BookshopConfig(AppConfig):
    name = "django_site.bookshop"
