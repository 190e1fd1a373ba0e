"""What people do in the browser."""

from playwright.sync_api import Page, expect

from tests.live import PASSWORD


def log_in(page: Page, site: str, username: str, password: str = PASSWORD) -> None:
    """Open the page with the events; type name and password on the way."""
    page.goto(f"{site}/realtime/")
    page.get_by_label("Username:").fill(username)
    page.get_by_label("Password:").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{site}/realtime/")


def log_out(page: Page, site: str) -> None:
    page.goto(f"{site}/admin/")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("Logged out")).to_be_visible()


def change(
    page: Page, site: str, model: str, name: str, field: str, value: str
) -> None:
    """Change a field of an object in the admin."""
    page.goto(f"{site}/admin/bookshop/{model}/")
    page.locator("#result_list").get_by_role("link", name=name).first.click()
    page.get_by_label(f"{field}:").fill(value)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
