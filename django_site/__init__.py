"""The Django project that you already have: an admin and a small bookshop."""
