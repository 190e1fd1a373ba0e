from django.urls import path

from . import views

app_name = "realtime"

urlpatterns = [
    path("", views.feed, name="feed"),
    path("token/", views.token, name="token"),
]
