"""A bookshop: authors, their books, and the orders of customers."""
