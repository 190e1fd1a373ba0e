# Django's admin classes take no type arguments, though their type stubs do.
# mypy: disable-error-code="type-arg"

from django.contrib import admin

from .models import Author, Book, Order


class BookInline(admin.TabularInline):
    model = Book
    extra = 0


@admin.register(Author)
class AuthorAdmin(admin.ModelAdmin):
    search_fields = ("name",)
    inlines = (BookInline,)


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ("title", "author", "published", "price", "in_stock")
    list_filter = ("author",)
    search_fields = ("title", "author__name")


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ("customer_name", "book", "quantity", "status", "placed_at")
    list_filter = ("status",)
    search_fields = ("customer_name", "customer_email", "book__title")
